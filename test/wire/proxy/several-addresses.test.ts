/** An upstream's name has several addresses, and not all of them answer: whoever is there gets the request. */
import { readFileSync } from "node:fs";
import { createServer, type RequestListener, request, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { Registry } from "prom-client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { systemClock, systemTimers } from "../../../src/base/clock.ts";
import { createNames } from "../../../src/base/dial/names.ts";
import { configSchema } from "../../../src/config/schema.ts";
import { createUpstreamMetrics } from "../../../src/proxy/upstream/metrics.ts";
import { createUpstreamPool } from "../../../src/proxy/upstream/open.ts";
import { type Authority, createAuthority } from "../../support/certificates.ts";
import { startFullListener } from "../../support/full-listener.ts";
import { startNameServer } from "../../support/name-server.ts";
import { engineNames, startProxy } from "../../support/proxy.ts";
import { until } from "../../support/until.ts";

let authority: Authority;
beforeAll(() => {
  authority = createAuthority();
});
afterAll(() => authority.remove());

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** `shop.test`: at its first address the queue of connections is full; at the second stands what `listen` is given. */
async function startAddresses() {
  const full = await startFullListener();
  cleanups.push(() => full.close());
  const addresses = ["127.0.0.1", "127.0.0.2"];
  const nameServer = await startNameServer(new Map([["shop.test", { addresses }]]));
  cleanups.push(() => nameServer.close());
  const port = Number(full.url.port);
  return {
    full,
    host: `shop.test:${port}`,
    lookup: createNames({ servers: [nameServer.server], hostsFile: () => "", resolverFile: () => "" }),
    async listen(server: Server) {
      await new Promise<void>((resolve) => server.listen(port, "127.0.0.2", resolve));
      cleanups.push(() => {
        server.closeAllConnections();
        return new Promise((resolve) => server.close(resolve));
      });
    },
  };
}

const second: RequestListener = (_, response) => response.end("second");

describe.each(engineNames)("with %s", (engine) => {
  async function proxyTo(url: string, lookup: ReturnType<typeof createNames>, more = {}) {
    const proxy = await startProxy({ engine, old: { url, timeouts: { connect: "15s" }, ...more }, lookup });
    cleanups.push(() => proxy.close());
    return { ...proxy, ask: () => fetch(`http://127.0.0.1:${proxy.port}/cart/1`) };
  }

  test("a first address that answers after 1 s, a second that refuses: an answer then, no 502 after 262 ms", async () => {
    const { full, host, lookup } = await startAddresses();
    const proxy = await proxyTo(`http://${host}`, lookup);
    // Its client is not heard, and asks again after 1 s: by then somebody is there.
    const timer = setTimeout(full.thaw, 600);
    cleanups.push(() => clearTimeout(timer));
    const answer = await proxy.ask();
    expect([answer.status, await answer.text()]).toEqual([200, "late"]);
    expect(proxy.counted).toEqual(["legacy ok"]);
  });

  test("a silent first address is not waited for", async () => {
    const { host, lookup, listen } = await startAddresses();
    await listen(createServer(second));
    const proxy = await proxyTo(`http://${host}`, lookup);
    expect(await (await proxy.ask()).text()).toBe("second");
  });

  test("a silent first address is not waited for over TLS, and the certificate is the name's", async () => {
    const { host, lookup, listen } = await startAddresses();
    const { cert, key } = authority.issue("shop.test", ["shop.test"]);
    await listen(createTlsServer({ cert: readFileSync(cert), key: readFileSync(key) }, second));
    const proxy = await proxyTo(`https://${host}`, lookup, { tls: { ca: authority.ca } });
    expect(await (await proxy.ask()).text()).toBe("second");
  });

  test("a silent first address is not waited for by a WebSocket", async () => {
    const { host, lookup, listen } = await startAddresses();
    const server = createServer();
    server.on("upgrade", (_, socket) => {
      socket.end("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    });
    await listen(server);
    const { port } = await proxyTo(`http://${host}`, lookup);
    const headers = { connection: "Upgrade", upgrade: "websocket" };
    const asked = request({ port, path: "/cart/1", headers }).end();
    const status = await new Promise((resolve) => {
      asked.on("upgrade", (response, socket) => {
        socket.destroy();
        resolve(response.statusCode);
      });
      asked.on("response", (response) => resolve(response.statusCode));
    });
    expect(status).toBe(101);
  });

  test("a silent first address is not waited for by health checks", async () => {
    const { host, lookup, listen } = await startAddresses();
    let checks = 0;
    let asked: string | undefined;
    await listen(
      createServer(({ headers }, response) => {
        checks += 1;
        asked = headers.host;
        response.end();
      }),
    );
    const silent = { info: () => {}, warn: () => {}, error: () => {} };
    const around = { metrics: createUpstreamMetrics(new Registry()), log: silent, lookup };
    const faults: unknown[] = [];
    const pool = createUpstreamPool({ ...around, clock: systemClock, timers: systemTimers }, (fault) =>
      faults.push(fault),
    );
    const shop = { url: `http://${host}`, host: "shop-eu.example", health: { path: "/", timeout: "10s" } };
    const lease = pool.lease(configSchema.parse({ engine, upstreams: { shop }, default: "shop" }));
    await until("a check at the second address", () => checks > 0, 9000);
    lease.release();
    await pool.settled();
    expect(faults).toEqual([]);
    // What requests ask for.
    expect(asked).toBe("shop-eu.example");
  });
});

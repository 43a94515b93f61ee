/** https upstreams by each engine: whom the proxy believes, what it shows, and that nothing else is different. */
import { readFileSync } from "node:fs";
import { createServer as createPlainServer, type Socket } from "node:net";
import { createServer, type TLSSocket, type TlsOptions } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { configSchema } from "../../../src/config/schema.ts";
import { openTransports } from "../../../src/proxy/upstream/open.ts";
import type { ForwardRequest, Upstream } from "../../../src/proxy/upstream/port.ts";
import { type Authority, createAuthority, type IssuedPair } from "../../support/certificates.ts";
import { recordingSink } from "../../support/recording-sink.ts";
import { until } from "../../support/until.ts";

let authority: Authority;
let stranger: Authority;
let pair: IssuedPair;
beforeAll(() => {
  authority = createAuthority();
  stranger = createAuthority();
  pair = authority.issue("upstream", ["localhost", "127.0.0.1", "shop.internal"]);
});
afterAll(() => {
  authority.remove();
  stranger.remove();
});

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Seen {
  readonly names: (string | false | null)[];
  readonly clients: string[];
  readonly resumed: boolean[];
  requests: number;
}

/** An upstream that answers each head with its count, and notes what it was shown. */
async function serve(
  issued: IssuedPair,
  options: TlsOptions = {},
): Promise<{ port: number; seen: Seen; open: Set<Socket> }> {
  const seen: Seen = { names: [], clients: [], resumed: [], requests: 0 };
  const open = new Set<Socket>();
  const server = createServer(
    { cert: readFileSync(issued.cert), key: readFileSync(issued.key), ...options },
    (socket: TLSSocket) => {
      open.add(socket);
      seen.names.push(socket.servername);
      seen.clients.push(String(socket.getPeerCertificate().subject?.CN ?? ""));
      seen.resumed.push(socket.isSessionReused());
      socket.on("error", () => {});
      socket.on("close", () => open.delete(socket));
      socket.on("data", (chunk) => {
        if (!chunk.includes("\r\n\r\n")) return;
        seen.requests += 1;
        const body = `${seen.requests}`;
        if (chunk.includes("Upgrade: websocket")) {
          socket.write("HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello");
        } else if (!chunk.includes("/silent")) {
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
        }
      });
    },
  );
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { port: address.port, seen, open };
}

describe.each(["undici", "http-proxy"] as const)("by %s", (engine) => {
  const keepsUnused = engine === "http-proxy" && Number.parseInt(process.versions.node, 10) >= 24;

  /** @param as the Host of its requests, in the configuration's words */
  function to(
    host: string,
    port: number,
    tls: Readonly<Record<string, unknown>>,
    as: string = "preserve",
  ): Upstream {
    const { upstreams } = configSchema.parse({
      upstreams: { shop: { url: `https://${host}:${port}`, host: as, tls, timeouts: { connect: "2s" } } },
      default: "shop",
    });
    const declared = upstreams.shop;
    if (declared === undefined) throw new Error("no upstream");
    const { engine: plain, upgrades } = openTransports(engine, "shop", declared);
    const close = async () => void (await Promise.all([plain.close(), upgrades.close()]));
    cleanups.push(close);
    return {
      name: "shop",
      forward: (request, sink) => (request.upgrade === undefined ? plain : upgrades).forward(request, sink),
      close,
    };
  }
  async function get(upstream: Upstream, target = "/x") {
    const sink = recordingSink();
    upstream.forward(
      { method: "GET", target, fields: ["Host", "shop.example"], body: { kind: "none" } },
      sink,
    );
    await sink.over;
    return sink;
  }

  test("believes the authority it was given, asks for the URL's host, and uses a connection again", async () => {
    const { port, seen } = await serve(pair);
    const upstream = to("localhost", port, { ca: authority.ca });
    for (const body of ["1", "2", "3"]) expect((await get(upstream)).body().toString()).toBe(body);
    expect(seen.names).toEqual(["localhost"]);
  });

  test("an address is held to the certificate, and is no server name (RFC 6066 §3)", async () => {
    const { port, seen } = await serve(pair);
    expect((await get(to("127.0.0.1", port, { ca: authority.ca }))).body().toString()).toBe("1");
    expect(seen.names).toEqual([false]);
    const other = await serve(authority.issue("named", ["localhost"]));
    const [failure] = (await get(to("127.0.0.1", other.port, { ca: authority.ca }))).failures();
    expect(failure).toMatchObject({
      outcome: "connect_failed",
      sent: false,
      code: "ERR_TLS_CERT_ALTNAME_INVALID",
    });
    expect(other.seen.requests).toBe(0);
  });

  test("servername is asked for and looked for in the certificate", async () => {
    const { port, seen } = await serve(pair);
    const upstream = to("127.0.0.1", port, { ca: authority.ca, servername: "shop.internal" });
    expect((await get(upstream)).body().toString()).toBe("1");
    expect(seen.names).toEqual(["shop.internal"]);
    const [failure] = (
      await get(to("127.0.0.1", port, { ca: authority.ca, servername: "other.internal" }))
    ).failures();
    expect(failure).toMatchObject({ outcome: "connect_failed", code: "ERR_TLS_CERT_ALTNAME_INVALID" });
  });

  test.each([
    ["shop.internal:8443", {}, "shop.internal"],
    ["other.internal", { servername: "shop.internal" }, "shop.internal"],
    ["upstream", {}, "localhost"],
    ["preserve", {}, "localhost"],
  ])("with host: %s and %j the server is asked by SNI for %s", async (as, more, expected) => {
    const { port, seen } = await serve(pair);
    const upstream = to("localhost", port, { ca: authority.ca, ...more }, as);
    expect((await get(upstream)).body().toString()).toBe("1");
    expect(seen.names).toEqual([expected]);
  });

  test.each([
    ["an unknown authority", () => ({ ca: stranger.ca })],
    ["the system's authorities alone", () => ({})],
  ])("%s: nothing is sent", async (_, tls) => {
    const { port, seen } = await serve(pair);
    const [failure] = (await get(to("localhost", port, tls()))).failures();
    expect(failure).toMatchObject({ outcome: "connect_failed", sent: false });
    expect(failure?.code).toMatch(/UNABLE_TO_VERIFY|SELF_SIGNED/);
    expect(seen.requests).toBe(0);
  });

  test("a certificate that is over: nothing is sent", async () => {
    const { port, seen } = await serve(authority.issue("over", ["localhost"], -1));
    const [failure] = (await get(to("localhost", port, { ca: authority.ca }))).failures();
    expect(failure).toMatchObject({ outcome: "connect_failed", sent: false, code: "CERT_HAS_EXPIRED" });
    expect(seen.requests).toBe(0);
  });

  test("verify: false believes whoever answers", async () => {
    const { port } = await serve(pair);
    expect((await get(to("localhost", port, { verify: false }))).body().toString()).toBe("1");
  });

  test("shows its own certificate where it has one", async () => {
    const client = authority.issue("cutover", ["cutover"]);
    const { port, seen } = await serve(pair, {
      requestCert: true,
      rejectUnauthorized: true,
      ca: authority.caPem,
    });
    const shown = to("localhost", port, { ca: authority.ca, cert: client.cert, key: client.key });
    expect((await get(shown)).body().toString()).toBe("1");
    expect(seen.clients).toEqual(["cutover"]);
    const [failure] = (await get(to("localhost", port, { ca: authority.ca }))).failures();
    expect(failure?.outcome).toMatch(/reset|connect_failed/);
    expect(seen.requests).toBe(1);
  });

  test("a TLS session is taken up again by the next connection (RFC 8446 §2.2)", async () => {
    const { port, seen, open } = await serve(pair);
    const upstream = to("localhost", port, { ca: authority.ca });
    await get(upstream);
    for (const socket of open) socket.destroy();
    await until("the connection is gone", () => open.size === 0);
    await new Promise((resolve) => setImmediate(resolve));
    expect((await get(upstream)).body().toString()).toBe("2");
    expect(seen.resumed).toEqual([false, true]);
  });

  test("an upstream that speaks no TLS, or none in time, cannot be connected to", async () => {
    const silent = createPlainServer((socket) => socket.on("error", () => {}));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => void silent.close());
    const address = silent.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const [failure] = (await get(to("localhost", port, { ca: authority.ca }))).failures();
    expect(failure).toMatchObject({ outcome: "connect_failed", sent: false, code: "ERR_CONNECT_TIMEOUT" });
  });

  test("an abort closes the connection, in the handshake and after it", async () => {
    const { port, open, seen } = await serve(pair);
    const upstream = to("localhost", port, { ca: authority.ca });
    const request: ForwardRequest = {
      method: "GET",
      target: "/silent",
      fields: ["Host", "h"],
      body: { kind: "none" },
    };
    upstream.forward(request, recordingSink()).abort();
    const forwarding = upstream.forward(request, recordingSink());
    await until("it arrives", () => seen.requests === 1);
    forwarding.abort();
    // The one that nothing was sent on may be kept: node:http does so from Node 24 on.
    await until("the connection is closed", () => open.size <= (keepsUnused ? 1 : 0), 100);
  });

  test("a WebSocket goes over TLS too", async () => {
    const { port } = await serve(pair);
    const upstream = to("localhost", port, { ca: authority.ca });
    const first = await new Promise<string>((resolve, reject) => {
      const sink = recordingSink();
      upstream.forward(
        { method: "GET", target: "/x", fields: ["Host", "h"], body: { kind: "none" }, upgrade: "websocket" },
        {
          ...sink,
          failure: ({ code }) => reject(new Error(code)),
          switched(_head, connection) {
            connection.stream.destroy();
            if (connection.first.length > 0) resolve(connection.first.toString());
            else reject(new Error("nothing came with the head"));
          },
        },
      );
    });
    expect(first).toBe("hello");
  });
});

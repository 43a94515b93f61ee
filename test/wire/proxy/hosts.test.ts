/** Several hosts on one listener: each with its certificate, and its routes, by every way in which requests come. */
import { copyFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { request } from "node:https";
import { join } from "node:path";
import { connect } from "node:tls";
import { beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { IssuedPair } from "../../support/certificates.ts";
import { engineNames, startProxy } from "../../support/proxy.ts";
import { type Script, startRawUpstream } from "../../support/raw-upstream.ts";
import { secured } from "../../support/secured.ts";
import { until } from "../../support/until.ts";

const { authority, cleanups } = secured();

/** Of my.example, of one wildcard, and one that names a host of that wildcard. */
let pairs: readonly IssuedPair[];

beforeAll(() => {
  pairs = [
    authority.issue("my", ["my.example"]),
    authority.issue("all", ["*.shop.example", "*.other.example"]),
    authority.issue("id", ["id.shop.example"]),
  ];
});

const saying =
  (text: string): Script =>
  (connection) =>
    connection.onRequest(({ fields }) => {
      const isUpgrade = fields.some((field) => field.toLowerCase() === "upgrade");
      connection.write(
        isUpgrade
          ? `HTTP/1.1 403 No\r\nX-Side: ${text}\r\nContent-Length: 0\r\n\r\n`
          : `HTTP/1.1 200 OK\r\nX-Side: ${text}\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
      );
    });

async function start(engine: (typeof engineNames)[number] = "undici", tls = pairs) {
  const [old, fresh] = [await startRawUpstream(saying("old")), await startRawUpstream(saying("new"))];
  const proxy = await startProxy({
    engine,
    old: { url: old.url.origin },
    fresh: { url: fresh.url.origin },
    tls: [...tls],
    state: { percentThousandths: 100_000 },
    cutover: { hosts: ["my.example", "*.shop.example"] },
    routes: [{ path: "/admin-new/*", upstream: "fresh", hosts: ["id.example"] }],
  });
  cleanups.push(
    () => proxy.close(),
    () => old.close(),
    () => fresh.close(),
  );
  return proxy;
}

/** @returns the name of the certificate that a client is shown who asks for the host */
async function shownTo(port: number, servername: string): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", servername, rejectUnauthorized: false });
  await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

test("each client is shown the certificate of the host that it asks for", async () => {
  const { port } = await start();
  const shown = async (name: string) => [name, await shownTo(port, name)];
  expect(
    await Promise.all(
      ["my.example", "MY.example", "a.shop.example", "b.other.example", "id.shop.example"].map(shown),
    ),
  ).toEqual([
    ["my.example", "my"],
    ["MY.example", "my"],
    ["a.shop.example", "all"],
    ["b.other.example", "all"],
    ["id.shop.example", "id"],
  ]);
  // A wildcard stands for one label; who asks for nothing that is there is shown the first.
  for (const name of ["shop.example", "a.b.shop.example", "other", ""])
    expect(await shownTo(port, name)).toBe("my");
});

test("each certificate is shown anew when its files change, with the names it is of then", async () => {
  const files = (name: string) => ({
    cert: join(authority.folder, `${name}.shown.crt`),
    key: join(authority.folder, `${name}.shown.key`),
  });
  const show = (name: string, { cert, key }: IssuedPair) => {
    copyFileSync(cert, files(name).cert);
    copyFileSync(key, files(name).key);
  };
  show("one", authority.issue("one", ["one.example"]));
  show("two", authority.issue("two", ["two.example"]));
  const { port, server, faults } = await start("undici", [files("one"), files("two")]);
  expect(await shownTo(port, "two.example")).toBe("two");
  show("two", authority.issue("two-next", ["two.example", "three.example"]));
  server.refresh();
  expect(await shownTo(port, "two.example")).toBe("two-next");
  expect(await shownTo(port, "three.example")).toBe("two-next");
  show("one", authority.issue("one-next", ["one.example"]));
  server.refresh();
  expect(await shownTo(port, "nobody.example")).toBe("one-next");
  expect(await shownTo(port, "two.example")).toBe("two-next");
  // A key that does not fit is not used, and the others go on.
  copyFileSync(pairs[0]?.key ?? "", files("two").key);
  server.refresh();
  expect(await shownTo(port, "two.example")).toBe("two-next");
  expect(faults).toHaveLength(1);
});

describe.each(engineNames)("by %s", (engine) => {
  const cases = [
    ["my.example", "/cart/1", "new"],
    ["MY.EXAMPLE:443", "/cart/1", "new"],
    ["a.shop.example", "/cart/1", "new"],
    ["id.example", "/cart/1", "old"],
    ["id.example", "/admin-new/x", "new"],
    ["my.example", "/admin-new/x", "old"],
  ] as const;

  test("HTTP/1.1, HTTP/2 and upgrades go by their host, whatever name the connection was made for", async () => {
    const { port, counted } = await start(engine);
    const session = connectHttp2(`https://localhost:${port}`, {
      servername: "my.example",
      ca: authority.caPem,
    });
    cleanups.push(() => session.destroy());
    for (const [host, path, side] of cases) {
      expect([host, path, await byHttp1(port, host, path)]).toEqual([host, path, side]);
      const stream = session.request({ ":authority": host, ":path": path, "x-shopper-id": "ana" });
      const served = await new Promise((resolve) => stream.on("response", (head) => resolve(head["x-side"])));
      stream.resume();
      expect([host, path, served]).toEqual([host, path, side]);
      expect([host, path, await byUpgrade(port, host, path)]).toEqual([host, path, side]);
    }
    await until("all are counted", () => counted.length === 3 * cases.length);
    expect(counted.filter((what) => what === "new ok")).toHaveLength(9);
    expect(counted.filter((what) => what === "none ok")).toHaveLength(9);
  });

  function byHttp1(port: number, host: string, path: string) {
    return new Promise((resolve, reject) => {
      const headers = { host, "x-shopper-id": "ana" };
      const options = {
        port,
        host: "127.0.0.1",
        path,
        headers,
        servername: "my.example",
        ca: authority.caPem,
        agent: false,
      };
      request(options, (response) => {
        response.resume().on("end", () => resolve(response.headers["x-side"]));
      })
        .on("error", reject)
        .end();
    });
  }

  function byUpgrade(port: number, host: string, path: string) {
    return new Promise((resolve) => {
      const headers = { host, "x-shopper-id": "ana" };
      const url = `wss://localhost:${port}${path}`;
      const socket = new WebSocket(url, { headers, rejectUnauthorized: false });
      socket.on("unexpected-response", (_, response) => {
        response.resume();
        resolve(response.headers["x-side"]);
      });
      socket.on("error", () => undefined);
    });
  }
});

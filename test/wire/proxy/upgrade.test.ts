/** WebSockets through the whole data plane, on bare sockets: RFC 9110 §7.8, RFC 6455 §4. */
import { afterEach, describe, expect, test } from "vitest";
import { engineNames, type ProxyOptions, type RunningProxy, startProxy } from "../../support/proxy.ts";
import { type RawClient, rawClient } from "../../support/raw-client.ts";
import { type RawUpstream, type Script, startRawUpstream, valuesOf } from "../../support/raw-upstream.ts";
import { until } from "../../support/until.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const granted = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const granting: Script = (connection) => connection.onRequest(() => connection.write(granted));

type Options = Omit<ProxyOptions, "old"> & { readonly upgrade?: Record<string, string> };

async function start(
  script: Script,
  { upgrade = {}, ...options }: Options = {},
): Promise<{ raw: RawUpstream; proxy: RunningProxy; client: () => Promise<RawClient> }> {
  const raw = await startRawUpstream(script);
  cleanups.push(() => raw.close());
  const proxy = await startProxy({ old: { url: raw.url.origin, timeouts: { upgrade } }, ...options });
  cleanups.push(() => proxy.close());
  const client = async () => {
    const made = await rawClient(proxy.port);
    cleanups.push(() => void made.socket.destroy());
    return made;
  };
  return { raw, proxy, client };
}

function handshake(...fields: string[]): string {
  const lines = ["Host: shop.example", "Connection: Upgrade", "Upgrade: websocket", ...fields];
  return `GET /cart/live HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
}

describe.each(engineNames)("by %s", (engine) => {
  test("asks for the protocol, keeps what identifies, tells of the way, and joins both after the 101", async () => {
    const { raw, proxy, client } = await start(granting, { engine });
    const one = await client();
    one.send(
      handshake(
        "X-Shopper-Id: a",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Keep-Alive: 5",
        "Proxy-Authorization: x",
      ),
    );
    await one.saw("\r\n\r\n");
    const [head = ""] = one.text().split("\r\n\r\n");
    expect(head.split("\r\n")[0]).toBe("HTTP/1.1 101 Switching Protocols");
    expect(head).toContain("\r\nConnection: Upgrade\r\nUpgrade: websocket");
    expect(head).toContain("\r\nVia: 1.1 cutover-test");

    const [request] = raw.requests();
    const value = (name: string) => valuesOf(request?.fields ?? [], name);
    expect(request?.line).toBe("GET /cart/live HTTP/1.1");
    expect(value("connection")).toEqual(["Upgrade"]);
    expect(value("upgrade")).toEqual(["websocket"]);
    expect(value("host")).toEqual(["shop.example"]);
    expect(value("sec-websocket-key")).toEqual(["dGhlIHNhbXBsZSBub25jZQ=="]);
    expect(value("via")).toEqual(["1.1 cutover-test"]);
    expect(value("x-forwarded-for")).toEqual(["127.0.0.1"]);
    expect([...value("keep-alive"), ...value("proxy-authorization"), ...value("content-length")]).toEqual([]);

    expect(proxy.counted).toEqual(["legacy ok", "upgraded checkout legacy"]);
    expect(proxy.entries[0]).toMatchObject({ status: 101, outcome: "ok", cutover: "checkout" });
    expect(proxy.inFlight).toEqual({ legacy: 0, new: 0, none: 0 });
    one.send("ping");
    await until("it arrives", () => raw.connections[0]?.unread().toString() === "ping");
    raw.connections[0]?.write("pong");
    await one.saw("pong");
  });

  test("bytes sent with the head reach the other side, both ways", async () => {
    const { raw, client } = await start(
      (connection) => connection.onRequest(() => connection.write(`${granted}early upstream`)),
      { engine },
    );
    const one = await client();
    one.send(`${handshake()}early client`);
    await one.saw("early upstream");
    await until("it arrives", () => raw.connections[0]?.unread().toString() === "early client");
  });

  test("a refusal is relayed whole, and the connection is over", async () => {
    const body = "no ".repeat(50_000);
    const { raw, proxy, client } = await start(
      (connection) =>
        connection.onRequest(() =>
          connection.write(
            `HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
          ),
        ),
      { engine },
    );
    const one = await client();
    one.send(handshake());
    await one.ended();
    expect(one.text()).toMatch(/^HTTP\/1\.1 426 Upgrade Required\r\n/);
    expect(one.text()).toContain("Sec-WebSocket-Version: 13\r\n");
    expect(one.text()).toContain("Connection: close\r\n");
    expect(one.text().endsWith(`\r\n\r\n${body}`)).toBe(true);
    expect(proxy.counted).toEqual(["legacy ok"]);
    await until("the upstream's connection is closed", () => raw.connections[0]?.closedBy() !== "open");
  });

  test("a refusal of unknown length is relayed whole to a slow reader (backpressure)", async () => {
    const chunk = "x".repeat(64 * 1024);
    const { raw, client } = await start(
      (connection) =>
        connection.onRequest(() => {
          connection.write("HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n");
          for (let i = 0; i < 200; i += 1) connection.write(`10000\r\n${chunk}\r\n`);
          connection.write("0\r\n\r\n");
        }),
      { engine },
    );
    const one = await client();
    one.socket.pause();
    one.send(handshake());
    await until("the upstream is held off", () => (raw.connections[0]?.socket.writableLength ?? 0) > 0);
    one.socket.resume();
    await one.ended(15_000);
    expect(one.text().endsWith("0\r\n\r\n")).toBe(true);
    expect(one.received()).toBeGreaterThan(200 * chunk.length);
  });

  test("an upstream that cannot be connected to is a 502, one that is silent a 504", async () => {
    const { proxy, client, raw } = await start(() => {}, { engine, upgrade: { handshake: "100ms" } });
    const one = await client();
    one.send(handshake());
    await one.ended();
    expect(one.text()).toMatch(/^HTTP\/1\.1 504 Gateway Timeout\r\n/);
    expect(proxy.counted).toEqual(["legacy timeout"]);
    await until("the upstream's connection is closed", () => raw.connections[0]?.closedBy() !== "open");

    await raw.close();
    const other = await client();
    other.send(handshake());
    await other.ended();
    expect(other.text()).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n/);
    expect(proxy.counted).toEqual(["legacy timeout", "legacy connect_failed"]);
  });

  test("a 101 to another protocol than was asked for is a 502 (RFC 9110 §15.2.2)", async () => {
    const { raw, proxy, client } = await start(
      (connection) =>
        connection.onRequest(() =>
          connection.write("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
        ),
      { engine },
    );
    const one = await client();
    one.send(handshake());
    await one.ended();
    expect(one.text()).toMatch(/^HTTP\/1\.1 502 /);
    expect(proxy.counted).toEqual(["legacy protocol_error"]);
    await until("the upstream's connection is closed", () => raw.connections[0]?.closedBy() !== "open");
  });
});

describe("what is no handshake is a plain request, and the connection goes on", () => {
  const answering: Script = (connection) =>
    connection.onRequest(() => connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));

  test.each([
    [
      "h2c (RFC 9113 §3.1)",
      "GET",
      ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"],
      "",
    ],
    [
      "h2c with a body",
      "POST",
      [
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABk",
        "Content-Length: 3",
      ],
      "abc",
    ],
    [
      "h2c with a chunked body",
      "POST",
      ["Connection: keep-alive, Upgrade", "Upgrade: h2c", "Transfer-Encoding: chunked"],
      "3\r\nabc\r\n0\r\n\r\n",
    ],
    ["TLS (RFC 2817)", "OPTIONS", ["Connection: upgrade", "Upgrade: TLS/1.0"], ""],
    ["websocket by POST", "POST", ["Connection: upgrade", "Upgrade: websocket", "Content-Length: 3"], "abc"],
    ["websocket that Connection does not name", "GET", ["Upgrade: websocket"], ""],
  ])("%s", async (_, method, fields, body) => {
    const { raw, proxy, client } = await start(answering);
    const one = await client();
    for (let i = 1; i <= 3; i += 1) {
      one.send(`${method} /cart/${i} HTTP/1.1\r\nHost: h\r\n${fields.join("\r\n")}\r\n\r\n${body}`);
      await until("it is answered", () => one.text().split("\r\n\r\nok").length === i + 1);
    }
    expect(raw.requests().map(({ line }) => line)).toEqual(
      [1, 2, 3].map((i) => `${method} /cart/${i} HTTP/1.1`),
    );
    for (const request of raw.requests()) {
      expect(request.body.toString()).toBe(body === "" ? "" : "abc");
      expect(valuesOf(request.fields, "upgrade")).toEqual([]);
      expect(valuesOf(request.fields, "http2-settings")).toEqual([]);
      expect(valuesOf(request.fields, "connection").join()).not.toMatch(/upgrade|http2/i);
    }
    expect(proxy.counted.filter((what) => what !== "unread body")).toEqual(Array(3).fill("legacy ok"));
  });

  test("HTTP/1.0 (RFC 9110 §7.8)", async () => {
    const { raw, client } = await start(answering);
    const one = await client();
    one.send("GET /cart/1 HTTP/1.0\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    await one.ended();
    expect(one.text()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(valuesOf(raw.requests()[0]?.fields ?? [], "upgrade")).toEqual([]);
  });

  test("three hundred of them leave no listeners on the connection", async () => {
    const { proxy, client } = await start(answering);
    const one = await client();
    for (let i = 1; i <= 300; i += 1) {
      one.send("GET /cart/1 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
      await until("it is answered", () => one.text().split("\r\n\r\nok").length === i + 1);
    }
    expect(proxy.faults).toEqual([]);
    expect(proxy.counted).toHaveLength(300);
  });
});

describe("the request's own rules hold", () => {
  test("a refusal of the proxy's own", async () => {
    const { raw, proxy, client } = await start(granting);
    const one = await client();
    one.send("GET /cart/../x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    await one.ended();
    expect(one.text()).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(raw.connections).toHaveLength(0);
    expect(proxy.counted).toEqual(["none rejected"]);
  });

  test("an upgrade pipelined behind a request waits for its answer", async () => {
    const { raw, client } = await start((connection) =>
      connection.onRequest(({ line }) => {
        if (line.startsWith("GET /slow")) {
          setTimeout(() => connection.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow"), 50);
        } else connection.write(granted);
      }),
    );
    const one = await client();
    one.send(`GET /slow HTTP/1.1\r\nHost: h\r\n\r\n${handshake()}`);
    await one.saw("101 Switching");
    expect(one.text()).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nslowHTTP\/1\.1 101 /);
    expect(raw.requests()).toHaveLength(2);
  });

  test("split by the shopper, pinned by the journey's cookie on the 101, owned by a query key", async () => {
    const legacy = await startRawUpstream(granting);
    const next = await startRawUpstream(granting);
    cleanups.push(
      () => legacy.close(),
      () => next.close(),
    );
    const proxy = await startProxy({
      old: { url: legacy.url.origin },
      fresh: { url: next.url.origin },
      state: { percentThousandths: 100_000 },
      cutover: {
        routes: [
          { name: "live", path: "/live", journey: "start" },
          { name: "cart", path: "/cart/*" },
        ],
        owners: [{ key: "query:order", learn: ["json:/id"] }],
      },
    });
    cleanups.push(() => proxy.close());
    const open = async (target: string, ...fields: string[]) => {
      const client = await rawClient(proxy.port);
      cleanups.push(() => void client.socket.destroy());
      client.send(handshake("X-Shopper-Id: a", ...fields).replace("/cart/live", target));
      await client.saw("\r\n\r\n");
      return client.text();
    };
    const first = await open("/live");
    expect(first).toMatch(/^HTTP\/1\.1 101 /);
    const cookie = /Set-Cookie: (cutover_journey=[^;]+)/.exec(first)?.[1] ?? "";
    expect(next.requests()).toHaveLength(1);
    proxy.set({ percentThousandths: 0 });
    await open("/cart/live", `Cookie: ${cookie}`);
    expect(next.requests()).toHaveLength(2);
    expect(valuesOf(next.requests()[1]?.fields ?? [], "cookie")).toEqual([]);
    proxy.owned.set("7", "legacy");
    await open("/cart/live?order=7", `Cookie: ${cookie}`);
    expect(legacy.requests()).toHaveLength(1);
    expect(proxy.decisions).toEqual(["new bucket", "new journey", "legacy owner"]);
  });
});

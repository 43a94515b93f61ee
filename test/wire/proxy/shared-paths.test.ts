/** Routes that share a path, on real sockets: the bodies that tell the route, event streams and WebSockets. */
import { createServer, type Server } from "node:http";
import { connect } from "node:http2";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { type EngineName, engineNames, startProxy } from "../../support/proxy.ts";
import { secured } from "../../support/secured.ts";
import { until } from "../../support/until.ts";

const { authority, pair, cleanups } = secured();

/** Answers with its name and the very body; a stream of events where that is asked for; joins every WebSocket. */
async function startShop(name: string): Promise<string> {
  const server: Server = createServer((asked, answer) => {
    if (asked.headers.accept === "text/event-stream") {
      answer.writeHead(200, { "Content-Type": "text/event-stream", "X-Shop": name });
      answer.write("data: first\n\n");
      return;
    }
    const chunks: Buffer[] = [];
    asked.on("data", (chunk: Buffer) => chunks.push(chunk));
    asked.on("end", () => answer.writeHead(200, { "X-Shop": name }).end(Buffer.concat(chunks)));
  });
  server.on("upgrade", (_, socket) => {
    socket.end(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Shop: ${name}\r\n\r\n`,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const address = server.address() as AddressInfo | null;
  return `http://127.0.0.1:${address?.port}`;
}

const routes = [
  { name: "pay", path: "/graphql", when: { graphql: "addPaymentToOrder" } },
  { name: "form", path: "/index.php", when: { form: "controller=cart" } },
  { name: "events", path: "/live", when: { query: "topic=orders" } },
  { name: "socket", path: "/live", when: { header: "x-topic=orders" } },
];

async function start(engine: EngineName) {
  const [old, fresh] = [await startShop("old"), await startShop("fresh")];
  const proxy = await startProxy({
    engine,
    tls: pair,
    old: { url: old },
    fresh: { url: fresh },
    cutover: { shopper: ["header:x-shopper-id"], routes, owners: [] },
    state: { percentThousandths: 100_000, version: 1 },
  });
  cleanups.push(() => proxy.close());
  return proxy;
}

interface Got {
  readonly shop: unknown;
  readonly text: string;
}
type Send = (
  path: string,
  headers: Readonly<Record<string, string>>,
  body?: readonly Buffer[],
) => Promise<Got>;

function overHttp1(port: number): Send {
  return (path, headers, body) =>
    new Promise((resolve, reject) => {
      const method = body === undefined ? "GET" : "POST";
      const sent = request(
        `https://localhost:${port}${path}`,
        { method, ca: authority.caPem, headers: { "x-shopper-id": "a", ...headers } },
        (answer) => {
          let text = "";
          answer.on("data", (chunk: Buffer) => {
            text += chunk.toString("latin1");
            if (text.startsWith("data:")) resolve({ shop: answer.headers["x-shop"], text });
          });
          answer.on("end", () => resolve({ shop: answer.headers["x-shop"], text }));
        },
      );
      sent.on("upgrade", (answer, socket) => {
        socket.destroy();
        resolve({ shop: answer.headers["x-shop"], text: `${answer.statusCode}` });
      });
      sent.on("error", reject);
      for (const chunk of body ?? []) sent.write(chunk);
      sent.end();
    });
}

function overHttp2(port: number): Send {
  const session = connect(`https://localhost:${port}`, { ca: authority.caPem });
  cleanups.push(() => session.destroy());
  return (path, headers, body) =>
    new Promise((resolve, reject) => {
      const method = body === undefined ? "GET" : "POST";
      const stream = session.request({ ":method": method, ":path": path, "x-shopper-id": "a", ...headers });
      stream.on("error", reject);
      stream.on("response", ({ "x-shop": shop }) => {
        let text = "";
        stream.on("data", (chunk: Buffer) => {
          text += chunk.toString("latin1");
          if (text.startsWith("data:")) resolve({ shop, text });
        });
        stream.on("end", () => resolve({ shop, text }));
      });
      for (const chunk of body ?? []) stream.write(chunk);
      stream.end();
    });
}

const json = { "content-type": "application/json" };
const form = { "content-type": "application/x-www-form-urlencoded" };

describe.each(engineNames)("by %s", (engine) => {
  test.each(["1.1", "2"])("HTTP/%s: the body tells the route, and goes on byte for byte", async (version) => {
    const proxy = await start(engine);
    const send = version === "2" ? overHttp2(proxy.port) : overHttp1(proxy.port);
    const pay = ' {"query":"mutation { p: addPaymentToOrder { id } } # \\u00e9"}\r\n';
    const cases: readonly (readonly [string, Readonly<Record<string, string>>, string, string])[] = [
      ["/graphql", json, pay, "fresh"],
      ["/graphql", json, '{"query":"{ cart { id } }"}', "old"],
      ["/graphql", json, "", "old"],
      ["/graphql", json, `{"query":"mutation { addPaymentToOrder } #${"x".repeat(100_000)}"}`, "old"],
      ["/index.php", form, "id=7&controller=cart", "fresh"],
      ["/index.php", form, "id=7&controller=product", "old"],
    ];
    for (const [path, headers, text, shop] of cases) {
      const content = Buffer.from(text);
      const halves = [content.subarray(0, 10), content.subarray(10)];
      expect(await send(path, headers, halves)).toEqual({ shop, text });
      const sized = { ...headers, "content-length": `${content.length}` };
      expect(await send(path, sized, [content])).toEqual({ shop, text });
    }
    const query = `/graphql?query=${encodeURIComponent("mutation { addPaymentToOrder { id } }")}`;
    expect(await send(query, {})).toEqual({ shop: "fresh", text: "" });
    expect(proxy.counted.filter((one) => one === "unread choice checkout")).toHaveLength(2);
    await until("nothing is in flight", () => Object.values(proxy.inFlight).every((count) => count === 0));
    expect(proxy.faults).toEqual([]);
  });

  test.each(["1.1", "2"])("HTTP/%s: a stream of events is on its route, and flows", async (version) => {
    const proxy = await start(engine);
    const send = version === "2" ? overHttp2(proxy.port) : overHttp1(proxy.port);
    const events = { accept: "text/event-stream" };
    const first = "data: first\n\n";
    expect(await send("/live?topic=orders", events)).toEqual({ shop: "fresh", text: first });
    expect(await send("/live?topic=stock", events)).toEqual({ shop: "old", text: first });
  });

  test("a WebSocket is on its route by its handshake", async () => {
    const proxy = await start(engine);
    const send = overHttp1(proxy.port);
    const upgrade = { connection: "Upgrade", upgrade: "websocket" };
    expect(await send("/live", { ...upgrade, "x-topic": "orders" })).toEqual({ shop: "fresh", text: "101" });
    expect(await send("/live", { ...upgrade, "x-topic": "stock" })).toEqual({ shop: "old", text: "101" });
    expect(await send("/live?topic=orders", upgrade)).toEqual({ shop: "fresh", text: "101" });
    // What is said on it later is not looked at.
    expect(await send("/graphql", upgrade)).toEqual({ shop: "old", text: "101" });
  });
});

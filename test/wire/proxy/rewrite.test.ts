/** Other paths, fields and addresses on an upstream than shoppers see, through the whole data plane. */
import { connect } from "node:http2";
import { describe, expect, test } from "vitest";
import { engineNames, startProxy } from "../../support/proxy.ts";
import { rawClient } from "../../support/raw-client.ts";
import { answering, type Script, startRawUpstream, valuesOf } from "../../support/raw-upstream.ts";
import { secured } from "../../support/secured.ts";
import { until } from "../../support/until.ts";
import { duties, get } from "./lab.ts";

const { authority, pair, cleanups } = secured();

const rewrite = {
  path: [{ from: "/cart/*", to: "/api/v2/cart/*" }],
  request: { set: { "X-Tenant": "social", "X-Shopper": "{shopper}" }, remove: ["X-Debug"] },
  response: { set: { "X-Served": "{side}" }, remove: ["Server"] },
};

async function start(script: Script, engine: (typeof engineNames)[number], isSecure: boolean) {
  const raw = await startRawUpstream(script);
  cleanups.push(() => raw.close());
  const old = { url: raw.url.origin, host: "upstream", rewrite };
  const proxy = await startProxy({ old, engine, ...(isSecure ? { tls: pair } : {}) });
  cleanups.push(() => proxy.close());
  return { raw, proxy };
}

const answer = (port: string) =>
  [
    "HTTP/1.1 103 Early Hints\r\nLink: </api/v2/cart/a.css>; rel=preload\r\nServer: nginx\r\n\r\n",
    "HTTP/1.1 302 Found\r\n",
    `Location: http://127.0.0.1:${port}/api/v2/cart/2?x=1\r\n`,
    "Set-Cookie: sid=1; Domain=127.0.0.1; Path=/api/v2/cart; HttpOnly\r\n",
    "Server: nginx\r\nContent-Length: 2\r\n\r\nok",
  ].join("");

describe.each(engineNames)("with %s", (engine) => {
  test("HTTP/1.1", async () => {
    const { raw, proxy } = await start(
      (connection) => connection.onRequest(() => connection.write(answer(raw.url.port))),
      engine,
      false,
    );
    const client = await rawClient(proxy.port);
    cleanups.push(() => void client.socket.destroy());
    client.send(
      "POST /cart/1?a=%41 HTTP/1.1\r\nHost: shop.example\r\nX-Shopper-Id: a b\r\nX-Debug: 1\r\nContent-Length: 2\r\n\r\nhi",
    );
    await client.saw("\r\n\r\nok");
    const [request] = raw.requests();
    const sent = (name: string) => valuesOf(request?.fields ?? [], name);
    expect(request?.line).toBe("POST /api/v2/cart/1?a=%41 HTTP/1.1");
    expect([sent("host"), sent("x-tenant"), sent("x-shopper"), sent("x-debug")]).toEqual([
      [raw.url.host],
      ["social"],
      ["a%20b"],
      [],
    ]);
    expect(request?.body.toString()).toBe("hi");
    const text = client.text();
    expect(text).toContain("\r\nLink: </cart/a.css>; rel=preload\r\n");
    expect(text).toContain("\r\nLocation: http://shop.example/cart/2?x=1\r\n");
    expect(text).toContain("\r\nSet-Cookie: sid=1; Path=/cart; HttpOnly\r\n");
    expect(text).toContain("\r\nX-Served: legacy\r\n");
    expect(text).not.toContain("nginx");
  });

  test("HTTP/2", async () => {
    const { raw, proxy } = await start(
      (connection) => connection.onRequest(() => connection.write(answer(raw.url.port))),
      engine,
      true,
    );
    const session = connect(`https://localhost:${proxy.port}`, { ca: authority.caPem });
    cleanups.push(() => session.destroy());
    const stream = session.request({ ":path": "/cart/1", "x-shopper-id": "a" });
    const got = await new Promise<Readonly<Record<string, unknown>>>((resolve) => {
      stream.on("response", (headers) => resolve({ ...headers }));
    });
    stream.close();
    expect(raw.requests()[0]?.line).toBe("GET /api/v2/cart/1 HTTP/1.1");
    expect(got).toMatchObject({
      location: `https://localhost:${proxy.port}/cart/2?x=1`,
      "set-cookie": ["sid=1; Path=/cart; HttpOnly"],
      "x-served": "legacy",
    });
    expect(got.server).toBeUndefined();
  });

  test("a change to WebSocket", async () => {
    const granted =
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nServer: nginx\r\nSet-Cookie: io=1; Path=/api/v2/cart\r\n\r\n";
    const { raw, proxy } = await start(
      (connection) => connection.onRequest(() => connection.write(`${granted}hello`)),
      engine,
      false,
    );
    const client = await rawClient(proxy.port);
    cleanups.push(() => void client.socket.destroy());
    client.send(
      "GET /cart/live HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Debug: 1\r\n\r\n",
    );
    await client.saw("hello");
    expect(raw.requests()[0]?.line).toBe("GET /api/v2/cart/live HTTP/1.1");
    expect(valuesOf(raw.requests()[0]?.fields ?? [], "x-debug")).toEqual([]);
    expect(client.text()).toContain("\r\nSet-Cookie: io=1; Path=/cart\r\n");
    expect(client.text()).toContain("\r\nX-Served: legacy\r\n");
    expect(client.text()).not.toContain("nginx");
  });
});

duties("a health check", (duty) => {
  duty("is sent for its own path, with no field of a rule", async ({ start: startLab }) => {
    const health = { path: "/cart/health?x", interval: "50ms" };
    const upstream = { rewrite: { ...rewrite, path: [{ from: "/*", to: "/api/*" }] }, health };
    const { raw, answerTo } = await startLab(
      answering(...Array<string>(50).fill("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
      { upstream },
    );
    await answerTo(get("/cart/1"));
    const checks = () => raw.requests().filter(({ line }) => line.includes("health"));
    await until("a health check", () => checks().length > 0);
    expect(checks()[0]?.line).toBe("GET /cart/health?x HTTP/1.1");
    expect(valuesOf(checks()[0]?.fields ?? [], "x-tenant")).toEqual([]);
    expect(raw.requests().some(({ line }) => line === "GET /api/cart/1 HTTP/1.1")).toBe(true);
  });
});

/** A side in maintenance on bare sockets: nothing of a request reaches it, whatever protocol the client speaks. */
import { connect } from "node:http2";
import { describe, expect, test } from "vitest";
import { engineNames, startProxy } from "../../support/proxy.ts";
import { rawClient } from "../../support/raw-client.ts";
import { startRawUpstream } from "../../support/raw-upstream.ts";
import { secured } from "../../support/secured.ts";

const { authority, pair, cleanups } = secured();
const now = 1_700_000_000_000;
const maintenance = `legacy ${new Date(now + 60_000).toISOString()}`;
const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

describe.each(engineNames)("by %s", (engine) => {
  async function start(tls?: typeof pair) {
    const raw = await startRawUpstream((connection) => connection.onRequest(() => connection.write(answer)));
    cleanups.push(() => raw.close());
    const time = { ms: now };
    const options = { engine, time, state: { maintenance }, ...(tls === undefined ? {} : { tls }) };
    const proxy = await startProxy({ old: { url: raw.url.origin }, ...options });
    cleanups.push(() => proxy.close());
    return { raw, proxy, time };
  }

  test("a callback with its body is told to come again, on a connection that is kept, and is served when it does", async () => {
    const { raw, proxy, time } = await start();
    const client = await rawClient(proxy.port);
    cleanups.push(() => void client.socket.destroy());
    const callback = `POST /callbacks/payment HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 4\r\n\r\npaid`;
    client.send(callback);
    await client.saw('"code":"maintenance"');
    expect(client.text()).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/);
    expect(client.text()).toContain("\r\nRetry-After: 60\r\n");
    expect(raw.requests()).toEqual([]);
    time.ms += 60_000;
    client.send(callback);
    await client.saw("\r\n\r\nok");
    expect(raw.requests()).toHaveLength(1);
  });

  test("a WebSocket is refused before it is one", async () => {
    const { raw, proxy } = await start();
    const client = await rawClient(proxy.port);
    cleanups.push(() => void client.socket.destroy());
    const fields = "Host: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    client.send(`GET /cart/live HTTP/1.1\r\n${fields}`);
    await client.saw("HTTP/1.1 503 ");
    expect(raw.requests()).toEqual([]);
  });

  test("over HTTP/2 a browser gets the page", async () => {
    const { raw, proxy } = await start(pair);
    const session = connect(`https://localhost:${proxy.port}`, { ca: authority.caPem });
    cleanups.push(() => session.destroy());
    const stream = session.request({ ":path": "/cart/1", accept: "text/html" });
    const told = new Promise<Record<string, unknown>>((resolve) =>
      stream.on("response", (fields) => resolve({ ...fields })),
    );
    let body = "";
    for await (const chunk of stream) body += String(chunk);
    expect(await told).toMatchObject({
      ":status": 503,
      "content-type": "text/html; charset=utf-8",
      "retry-after": "60",
    });
    expect(body).toContain("Back soon");
    expect(raw.requests()).toEqual([]);
  });
});

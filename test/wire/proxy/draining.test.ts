/** The way down: what is asked during the drain is served, and what is asked when it is over is refused, not cut. */
import { afterEach, expect, test } from "vitest";
import { type ProxyOptions, startProxy } from "../../support/proxy.ts";
import { type RawClient, rawClient } from "../../support/raw-client.ts";
import { answering, type Script, startRawUpstream } from "../../support/raw-upstream.ts";
import { until } from "../../support/until.ts";
import { get, ok } from "./lab.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(script: Script = answering(ok()), options: Partial<ProxyOptions> = {}) {
  const raw = await startRawUpstream(script);
  const proxy = await startProxy({ old: { url: raw.url.origin }, ...options });
  cleanups.push(
    () => raw.close(),
    () => proxy.close(),
  );
  return { raw, proxy };
}

/** A connection that was used once and is kept. */
async function kept(port: number): Promise<RawClient> {
  const client = await rawClient(port);
  cleanups.push(() => void client.socket.destroy());
  client.send(get());
  await client.saw("\r\n\r\nok");
  return client;
}

/** A grace of nothing ends with the timers that are due, of which this one is the last. */
const graceIsOver = () => new Promise((resolve) => setTimeout(resolve, 10));

/** What came on the connection behind the first answer. */
const second = (client: RawClient) => client.text().split("\r\n\r\nok").slice(1).join("\r\n\r\nok");

function expectRefused(client: RawClient): void {
  const [head = "", body = ""] = second(client).split("\r\n\r\n");
  expect(head).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/);
  expect(head).toMatch(/\r\nRetry-After: 1(\r\n|$)/);
  expect(head).toMatch(/\r\nConnection: close(\r\n|$)/);
  expect(head).toMatch(/\r\nProxy-Status: cutover-test; error=destination_unavailable(\r\n|$)/);
  expect(JSON.parse(body)).toMatchObject({ status: 503, code: "draining", outcome: "rejected" });
}

test("a request during the drain is served, and its answer closes the connection", async () => {
  const { proxy } = await start();
  const client = await kept(proxy.port);
  const closed = proxy.server.close(5000, 2000);
  client.send(get());
  await client.ended();
  await closed;
  expect(second(client)).toMatch(/^HTTP\/1\.1 200 OK\r\n(?:.*\r\n)*Connection: close\r\n/);
  expect(proxy.counted).toEqual(["none ok", "none ok"]);
});

test("a request on a kept connection when the grace is over is refused with 503 and when to come again", async () => {
  const { raw, proxy } = await start();
  const client = await kept(proxy.port);
  const closed = proxy.server.close(0, 5000);
  await graceIsOver();
  client.send(get());
  await client.ended();
  await closed;
  expectRefused(client);
  expect(raw.requests()).toHaveLength(1);
  expect(proxy.counted).toEqual(["none ok", "refused 503"]);
});

test("a request that has come when the grace ends, and was not read yet, is refused too", async () => {
  const { raw, proxy } = await start();
  const client = await kept(proxy.port);
  const closed = proxy.server.close(20, 5000);
  // Which comes first afterwards differs by Node: the timer of the grace, or the reading.
  setTimeout(() => {
    client.send(get());
    const busyUntil = performance.now() + 100;
    while (performance.now() < busyUntil);
  }, 1);
  await client.ended();
  await closed;
  expectRefused(client);
  expect(raw.requests()).toHaveLength(1);
  expect(proxy.counted).toEqual(["none ok", "refused 503"]);
});

test("a WebSocket's handshake when the grace is over is refused like any request", async () => {
  const { proxy } = await start();
  const client = await kept(proxy.port);
  const closed = proxy.server.close(0, 5000);
  await graceIsOver();
  client.send(get("/cart/live", ["Connection: Upgrade", "Upgrade: websocket"]));
  await client.ended();
  await closed;
  expectRefused(client);
});

test("what is under way when the grace is over is cut, and idle connections do not delay the stop for long", async () => {
  const { raw, proxy } = await start((connection) => {
    connection.onRequest(({ line }) => {
      if (!line.includes("/slow")) connection.write(ok());
    });
  });
  const idle = await kept(proxy.port);
  const busy = await rawClient(proxy.port);
  cleanups.push(() => void busy.socket.destroy());
  busy.send(get("/slow"));
  await until("it is under way", () => raw.requests().length === 2);
  const begun = performance.now();
  await proxy.server.close(100, 60_000);
  expect(performance.now() - begun).toBeLessThan(3000);
  await Promise.all([busy.ended(), idle.ended()]);
  expect(busy.text()).toBe("");
  expect(second(idle)).toBe("");
});

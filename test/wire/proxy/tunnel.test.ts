/** What becomes of a WebSocket's two connections: they end together, whoever ends, breaks off or falls silent. */
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { engineNames, type ProxyOptions, startProxy } from "../../support/proxy.ts";
import { rawClient } from "../../support/raw-client.ts";
import { startRawUpstream } from "../../support/raw-upstream.ts";
import { settled, until } from "../../support/until.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const granted = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const handshake =
  "GET /cart/live HTTP/1.1\r\nHost: h\r\nX-Shopper-Id: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

async function start(upgrade: Readonly<Record<string, string>> = {}, grants = true) {
  const raw = await startRawUpstream((connection) => {
    if (grants) connection.onRequest(() => connection.write(granted));
  });
  const proxy = await startProxy({ old: { url: raw.url.origin, timeouts: { upgrade } } });
  cleanups.push(
    () => raw.close(),
    () => proxy.close(),
  );
  const open = async () => {
    const client = await rawClient(proxy.port);
    cleanups.push(() => void client.socket.destroy());
    client.send(handshake);
    return client;
  };
  return { raw, proxy, open };
}

async function joined(upgrade: Readonly<Record<string, string>> = {}) {
  const { raw, proxy, open } = await start(upgrade);
  const client = await open();
  await client.saw("\r\n\r\n");
  const [upstream] = raw.connections;
  if (upstream === undefined) throw new Error("no connection to the upstream");
  return { proxy, client, upstream };
}

test("the client ends: its last words arrive, so do the upstream's, and both are closed", async () => {
  const { proxy, client, upstream } = await joined();
  client.send("last words");
  client.socket.end();
  await until("the upstream sees the end", () => upstream.closedBy() === "fin");
  expect(upstream.unread().toString()).toBe("last words");
  upstream.write("farewell");
  upstream.socket.end();
  await client.ended();
  expect(client.text().endsWith("farewell")).toBe(true);
  await until("it is counted", () => proxy.counted.includes("upgrade ended closed"));
});

test("the upstream ends: its last words arrive, so do the client's, and both are closed", async () => {
  const { proxy, client, upstream } = await joined();
  upstream.write("last words");
  upstream.socket.end();
  await client.ended();
  expect(client.text().endsWith("last words")).toBe(true);
  client.send("farewell");
  client.socket.end();
  await until("it arrives", () => upstream.unread().toString() === "farewell");
  await until("it is counted", () => proxy.counted.includes("upgrade ended closed"));
  await until("both are gone", () => client.socket.destroyed && upstream.socket.destroyed);
});

test("one that breaks off breaks the other off, within 100 ms", async () => {
  const { proxy, client, upstream } = await joined();
  client.socket.resetAndDestroy();
  await until("the upstream is closed", () => upstream.closedBy() !== "open", 100);
  await until("it is counted", () => proxy.counted.includes("upgrade ended reset"));

  const other = await joined();
  other.upstream.reset();
  await other.client.ended(100);
  await until("it is counted", () => other.proxy.counted.includes("upgrade ended reset"));
});

test("one that breaks off while it is held back breaks the other off all the same", async () => {
  const flood = Buffer.alloc(32 << 20, "b");
  const { proxy, client, upstream } = await joined();
  upstream.socket.pause();
  client.send(flood);
  await settled(() => client.socket.writableLength);
  client.socket.resetAndDestroy();
  await until("it is counted", () => proxy.counted.includes("upgrade ended reset"), 1000);

  const other = await joined();
  other.client.socket.pause();
  other.upstream.write(flood);
  await settled(() => other.upstream.socket.writableLength);
  other.upstream.reset();
  await until("it is counted", () => other.proxy.counted.includes("upgrade ended reset"), 1000);
});

test.each([
  ["idle", { idle: "150ms" }],
  ["lifetime", { lifetime: "150ms" }],
] as const)("the %s limit ends both", async (end, upgrade) => {
  const { proxy, client, upstream } = await joined(upgrade);
  await client.ended();
  await until("the upstream is closed", () => upstream.closedBy() !== "open");
  await until("it is counted", () => proxy.counted.includes(`upgrade ended ${end}`));
});

test("traffic of either side puts the idle limit off", async () => {
  const { proxy, client, upstream } = await joined({ idle: "300ms" });
  const begun = performance.now();
  const timer = setInterval(() => {
    if (performance.now() - begun < 450) client.send("x");
    else upstream.write("x");
  }, 20);
  await until("three limits have passed", () => performance.now() - begun > 900);
  clearInterval(timer);
  expect(proxy.counted.filter((what) => what.startsWith("upgrade ended"))).toEqual([]);
  await client.ended();
});

test("a slow reader holds the other side off, both ways, and loses nothing", async () => {
  const { client, upstream } = await joined();
  const block = Buffer.alloc(1 << 20, "b");
  const blocks = 12;
  client.socket.pause();
  for (let i = 0; i < blocks; i += 1) upstream.write(block);
  await until("the upstream is held off", () => upstream.socket.writableLength > (blocks / 4) * block.length);
  client.socket.resume();
  await until("all arrives", () => client.received() > blocks * block.length, 15_000);

  upstream.socket.pause();
  for (let i = 0; i < blocks; i += 1) client.send(block);
  await until("the client is held off", () => client.socket.writableLength > (blocks / 4) * block.length);
  upstream.socket.resume();
  await until("all arrives", () => upstream.unread().length === blocks * block.length, 15_000);
});

test("what was sent before the end is delivered to a reader slower than the linger", async () => {
  const { proxy, client, upstream } = await joined();
  const block = Buffer.alloc(8 << 20, "b");
  client.socket.pause();
  upstream.write(block);
  upstream.socket.end();
  const begun = performance.now();
  await until("longer than the linger has passed", () => performance.now() - begun > 1500);
  client.socket.resume();
  await client.ended();
  expect(client.text().endsWith("b".repeat(100))).toBe(true);
  expect(client.received()).toBeGreaterThan(block.length);
  await until("it is counted", () => proxy.counted.includes("upgrade ended closed"));
});

describe("a stop of the proxy", () => {
  test("leaves a WebSocket open until the deadline, then ends it", async () => {
    const { proxy, client, upstream } = await joined();
    const begun = performance.now();
    const closing = proxy.server.close(1500);
    await until("longer than an idle connection is left", () => performance.now() - begun > 1200);
    client.send("still here");
    await until("it arrives", () => upstream.unread().toString() === "still here");
    await closing;
    expect(performance.now() - begun).toBeGreaterThan(1400);
    await client.ended();
    await until("the upstream is closed", () => upstream.closedBy() !== "open");
  });

  test("is over at once when its WebSockets end by themselves", async () => {
    const { proxy, client } = await joined();
    const closing = proxy.server.close(30_000);
    client.socket.destroy();
    await closing;
  });
});

describe("a client that leaves during the handshake leaves no connection, and is counted once", () => {
  test.each(["fin", "reset"])("by %s, while the upstream thinks", async (how) => {
    const { raw, proxy, open } = await start({}, false);
    const client = await open();
    await until("it arrives", () => raw.requests().length === 1);
    expect(proxy.inFlight.legacy).toBe(1);
    if (how === "fin") client.socket.destroy();
    else client.socket.resetAndDestroy();
    await until("the upstream is closed", () => raw.connections[0]?.closedBy() !== "open", 100);
    expect(proxy.counted).toEqual(["legacy client_aborted"]);
    expect(proxy.inFlight.legacy).toBe(0);
  });

  test("during a refusal's body", async () => {
    const { raw, proxy, open } = await start({}, false);
    const client = await open();
    await until("it arrives", () => raw.requests().length === 1);
    raw.connections[0]?.write("HTTP/1.1 403 No\r\nContent-Length: 100\r\n\r\nabc");
    await client.saw("abc");
    client.socket.destroy();
    await until("the upstream is closed", () => raw.connections[0]?.closedBy() !== "open", 100);
    expect(proxy.counted).toEqual(["legacy client_aborted"]);
  });

  test("an upstream that breaks off during the handshake is a 502", async () => {
    const { raw, proxy, open } = await start({}, false);
    const client = await open();
    await until("it arrives", () => raw.requests().length === 1);
    raw.connections[0]?.reset();
    await client.ended();
    expect(client.text()).toMatch(/^HTTP\/1\.1 502 /);
    expect(proxy.counted).toEqual(["legacy reset"]);
  });

  test("five hundred at random moments: upstream connections and counts return to nothing", async () => {
    const seed = Number(process.env.SEED ?? Date.now());
    let state = seed % 2_147_483_647;
    const random = () => {
      state = (state * 48_271) % 2_147_483_647;
      return state / 2_147_483_647;
    };
    const { raw, proxy } = await start();
    const one = async () => {
      const client = await rawClient(proxy.port);
      client.send(handshake.slice(0, Math.ceil(random() * handshake.length * 1.5)));
      await new Promise((resolve) => setTimeout(resolve, random() * 6));
      if (random() < 0.5) client.socket.destroy();
      else client.socket.resetAndDestroy();
    };
    for (let i = 0; i < 20; i += 1) await Promise.all(Array.from({ length: 25 }, one));
    const openUpstream = () =>
      raw.connections.filter((connection) => connection.closedBy() === "open").length;
    await until(`all upstream connections close (seed ${seed})`, () => openUpstream() === 0);
    await until("all are counted", () => {
      const joinedPairs = proxy.counted.filter((what) => what.startsWith("upgraded")).length;
      return joinedPairs === proxy.counted.filter((what) => what.startsWith("upgrade ended")).length;
    });
    await until(`none is in flight (seed ${seed})`, () => proxy.inFlight.legacy === 0);
    expect(proxy.inFlight, `seed ${seed}`).toEqual({ legacy: 0, new: 0, none: 0 });
    expect(proxy.faults).toEqual([]);
    expect(proxy.entries.length).toBe(proxy.counted.filter((what) => /^(legacy|none) /.test(what)).length);
  });
});

describe.each(engineNames)("with ws at both ends, by %s", (engine) => {
  async function pair(options: Partial<ProxyOptions> = {}) {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "chat" });
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    if (typeof address === "string" || address === null) throw new Error("no port");
    const proxy = await startProxy({ engine, old: { url: `http://127.0.0.1:${address.port}` }, ...options });
    cleanups.push(
      () => new Promise<void>((resolve) => server.close(() => resolve())),
      () => proxy.close(),
      () => {
        for (const socket of server.clients) socket.terminate();
      },
    );
    return { server, proxy, url: `ws://127.0.0.1:${proxy.port}/cart/live` };
  }

  test("messages, fragments, pings and the close code pass both ways", async () => {
    const { server, proxy, url } = await pair();
    server.on("connection", (socket) => {
      socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
      socket.on("close", (code, reason) => seen.push(`server ${code} ${reason.toString()}`));
    });
    const seen: string[] = [];
    const socket = new WebSocket(url, ["chat"], { headers: { "x-shopper-id": "a" } });
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    expect(socket.protocol).toBe("chat");
    const echoes: Buffer[] = [];
    socket.on("message", (data) => {
      if (Buffer.isBuffer(data)) echoes.push(data);
    });
    socket.on("pong", () => seen.push("pong"));
    const large = Buffer.alloc(3 << 20, "m");
    socket.send("small");
    socket.send(large);
    socket.ping();
    await until("both come back", () => echoes.length === 2 && seen.includes("pong"), 10_000);
    expect(echoes[0]?.toString()).toBe("small");
    expect(echoes[1]?.equals(large)).toBe(true);
    socket.on("close", (code) => seen.push(`client ${code}`));
    socket.close(4001, "done");
    await until("both are closed", () => seen.length === 3);
    expect(seen.toSorted()).toEqual(["client 4001", "pong", "server 4001 done"]);
    await until("it is counted", () => proxy.counted.includes("upgrade ended closed"));
  });

  test("two hundred at once", async () => {
    const { server, proxy, url } = await pair();
    server.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
    const answers = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const socket = new WebSocket(url, { headers: { "x-shopper-id": `s${index}` } });
        await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
        socket.send(`${index}`);
        const answer = await new Promise<string>((resolve) =>
          socket.once("message", (data) => resolve(data.toString())),
        );
        socket.close();
        return answer;
      }),
    );
    expect(answers).toEqual(Array.from({ length: 200 }, (_, index) => `${index}`));
    await until("all have ended", () => {
      return proxy.counted.filter((what) => what === "upgrade ended closed").length === 200;
    });
  });
});

/** What one HTTP/2 session may ask of the proxy, and how it ends: RFC 9113 §5.1.2, §6.8, §10.5; floods by their CVE. */
import { type ClientHttp2Session, connect, constants } from "node:http2";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { describe, expect, test } from "vitest";
import { type FrameClient, literals, rawFrames } from "../../support/h2-frames.ts";
import { startProxy } from "../../support/proxy.ts";
import { type Script, startRawUpstream } from "../../support/raw-upstream.ts";
import { secured } from "../../support/secured.ts";
import { settled, until } from "../../support/until.ts";

const { authority, pair, cleanups } = secured();

const ok: Script = (connection) =>
  connection.onRequest(() => connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
const silent: Script = () => {};
const endlessBytes = 20_000_000;
/** Answers /endless alone, with more than a client takes that does not read. */
const endless: Script = (connection) =>
  connection.onRequest(({ line }) => {
    if (!line.includes("/endless")) return;
    connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${endlessBytes}\r\n\r\n`);
    connection.write(Buffer.alloc(endlessBytes, "e"));
  });
/** The window for all of it, on a stream or, 0, on the connection. */
function grant(client: FrameClient, stream: number): void {
  const window = Buffer.alloc(4);
  window.writeUInt32BE(endlessBytes);
  client.frame("windowUpdate", 0, stream, window);
}
const head = { ":method": "GET", ":scheme": "https", ":authority": "localhost", ":path": "/x" };

async function start(script: Script, options: { readonly idleTimeoutMs?: number } = {}) {
  const raw = await startRawUpstream(script);
  cleanups.push(() => raw.close());
  const proxy = await startProxy({ old: { url: raw.url.origin }, tls: pair, ...options });
  cleanups.push(() => proxy.close());
  const frames = async (): Promise<FrameClient> => {
    const client = await rawFrames(proxy.port, authority.caPem);
    cleanups.push(() => client.close());
    return client;
  };
  const sockets = new Map<ClientHttp2Session, TLSSocket>();
  const session = () => {
    const socket = connectTls({
      host: "localhost",
      port: proxy.port,
      servername: "localhost",
      ca: authority.caPem,
      ALPNProtocols: ["h2"],
    });
    const made = connect(`https://localhost:${proxy.port}`, { createConnection: () => socket });
    made.on("error", () => {});
    sockets.set(made, socket);
    cleanups.push(() => vanish(made));
    return made;
  };
  /** Closes the connection too: a destroyed session alone waits, unread, for the other side to end it. */
  const vanish = (client: ClientHttp2Session) => {
    client.destroy();
    sockets.get(client)?.destroy();
  };
  return { raw, proxy, frames, session, vanish };
}

describe("floods", () => {
  test("rapid reset (CVE-2023-44487): the session is ended, every upstream freed, others unharmed", async () => {
    const { raw, proxy, frames, session } = await start(silent);
    const bystander = session();
    await new Promise((resolve) => bystander.once("remoteSettings", resolve));
    const client = await frames();
    for (let stream = 1; stream < 2000 && !client.closed(); stream += 2) {
      client.headers(stream, head, true);
      client.reset(stream, constants.NGHTTP2_CANCEL);
      if (stream % 100 === 1) await new Promise((resolve) => setImmediate(resolve));
    }
    await until("the session is ended", () => client.closed());
    expect(client.goaways.at(-1)?.code).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    await until("all upstreams are free", () => raw.connections.every((one) => one.closedBy() !== "open"));
    expect(proxy.inFlight).toEqual({ legacy: 0, new: 0, none: 0 });
    expect(new Set(proxy.counted)).toEqual(new Set(["none client_aborted"]));
    // 200 at once, and some seconds' worth at the very most.
    expect(proxy.counted.length).toBeGreaterThanOrEqual(200);
    expect(proxy.counted.length).toBeLessThan(400);
    expect(bystander.closed).toBe(false);
  });

  test("made to reset (CVE-2025-8671): the same where it is this side that resets", async () => {
    const { proxy, frames } = await start(silent);
    const client = await frames();
    for (let stream = 1; stream < 2000 && !client.closed(); stream += 2) {
      client.headers(stream, head, true);
      // A window update of nothing is an error of the stream (RFC 9113 §6.9).
      client.frame("windowUpdate", 0, stream, Buffer.alloc(4));
      if (stream % 100 === 1) await new Promise((resolve) => setImmediate(resolve));
    }
    await until("the session is ended", () => client.closed());
    await until("all is over", () => proxy.inFlight.none === 0);
    expect(proxy.counted.length).toBeLessThan(400);
  });

  test("answered streams cost nothing: two thousand of them in one session", async () => {
    const { proxy, session } = await start(ok);
    const client = session();
    for (let i = 0; i < 20; i += 1) {
      await Promise.all(
        Array.from({ length: 100 }, () => {
          const stream = client.request({ ":path": "/x" }).resume();
          return new Promise((resolve) => stream.once("close", resolve));
        }),
      );
    }
    expect(client.closed).toBe(false);
    expect(proxy.counted.filter((what) => what === "none ok")).toHaveLength(2000);
  });

  test("answers an upstream broke off are not the client's doing", async () => {
    const { proxy, session } = await start((connection) =>
      connection.onRequest(() => {
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
        connection.socket.end();
      }),
    );
    const client = session();
    for (let i = 0; i < 10; i += 1) {
      await Promise.all(
        Array.from({ length: 30 }, () => {
          const stream = client.request({ ":path": "/x" }).resume();
          stream.on("error", () => {});
          return new Promise((resolve) => stream.once("close", resolve));
        }),
      );
    }
    expect(client.closed).toBe(false);
    expect(proxy.counted).toEqual(Array(300).fill("none reset"));
  });

  test("CONTINUATION (CVE-2024-27983): the session is ended after a few", async () => {
    const { proxy, frames } = await start(ok);
    const client = await frames();
    client.headers(1, head, true, false);
    let sent = 0;
    for (; sent < 5000 && !client.closed(); sent += 1) {
      client.continuation(1, literals({ [`x-${sent}`]: "y".repeat(100) }), false);
      if (sent % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await until("the session is ended", () => client.closed());
    expect(sent).toBeLessThan(5000);
    expect(proxy.counted).toEqual([]);
  });

  test.each([
    ["PING (CVE-2019-9512)", "ping", Buffer.alloc(8)],
    ["SETTINGS (CVE-2019-9515)", "settings", Buffer.alloc(0)],
  ] as const)("%s that is never read ends the session, or costs no memory", async (_, type, payload) => {
    const { frames } = await start(ok);
    const client = await frames();
    client.stopReading();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 100_000 && !client.closed(); i += 1) {
      client.frame(type, 0, 0, payload);
      if (i % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(100 << 20);
  });
});

describe("what is against the protocol", () => {
  const startWaiting = async () => {
    let release = () => {};
    const { raw, proxy, frames } = await start(
      (connection) =>
        connection.onRequest(() => {
          release = () => connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }),
      { idleTimeoutMs: 1000 },
    );
    const client = await frames();
    client.headers(1, head, true);
    await until("one is under way", () => raw.requests().length === 1);
    return { raw, proxy, client, release: () => release() };
  };

  test("a body longer than declared fails its own stream, and no other of the session (RFC 9113 §8.1.1)", async () => {
    const { raw, proxy, client, release } = await startWaiting();
    client.headers(3, { ...head, ":method": "POST", "content-length": "2" }, false);
    client.frame("data", 1, 3, Buffer.from("abc"));
    await until("it is reset", () => client.resets.has(3));
    await until("it is counted", () => proxy.counted.length === 1);
    expect(client.resets.get(3)).toBe(constants.NGHTTP2_PROTOCOL_ERROR);
    release();
    await until("the other is answered", () => client.answered.has(1));
    client.headers(5, head, true);
    await until("one more is under way", () => raw.requests().length === 2);
    expect(client.goaways).toEqual([]);
  });

  test("a body on no stream is the session's fault, which ends (RFC 9113 §6.1)", async () => {
    const { proxy, client } = await startWaiting();
    client.frame("data", 1, 0, Buffer.from("abc"));
    await until("it is told", () => client.goaways.length > 0);
    expect(client.goaways[0]?.code).toBe(constants.NGHTTP2_PROTOCOL_ERROR);
    // node:http2 of Node 20 is told nothing of it: the session is ended there as one in which nothing moves.
    await until("it is closed", () => client.closed());
    await until("it is counted, and its connection is closed", () => proxy.clients() === 0);
    expect(proxy.counted).toEqual(["none client_aborted"]);
  });
});

describe("limits", () => {
  test("streams at once: those above 128 are refused, and the session goes on (RFC 9113 §5.1.2)", async () => {
    const { raw, frames, session } = await start(silent);
    const polite = session();
    await new Promise((resolve) => polite.once("remoteSettings", resolve));
    expect(polite.remoteSettings.maxConcurrentStreams).toBe(128);
    const client = await frames();
    for (let i = 0; i < 150; i += 1) client.headers(2 * i + 1, head, true);
    await until("the others are refused", () => client.resets.size === 22);
    expect(new Set(client.resets.values())).toEqual(new Set([constants.NGHTTP2_REFUSED_STREAM]));
    await until("the rest is forwarded", () => raw.requests().length === 128);
    expect(client.closed()).toBe(false);
  });

  test("a head of 200 KiB in one frame after another never becomes a request", async () => {
    const { raw, frames } = await start(ok);
    const client = await frames();
    client.headers(1, head, true, false);
    for (let i = 0; i < 20; i += 1) {
      client.continuation(1, literals({ [`x-${i}`]: "y".repeat(10_000) }), i === 19);
    }
    await until("it is refused", () => client.closed() || client.resets.has(1) || client.goaways.length > 0);
    expect(raw.requests()).toEqual([]);
  });
});

describe("a stop of the proxy (RFC 9113 §6.8)", () => {
  test("names the last stream that is served, answers it, and is over", async () => {
    let release = () => {};
    const { raw, proxy, frames } = await start((connection) =>
      connection.onRequest(() => {
        release = () => connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      }),
    );
    const client = await frames();
    client.headers(1, head, true);
    await until("it is under way", () => raw.requests().length === 1);
    const closing = proxy.server.close(10_000);
    await until("it says so", () => client.goaways.length === 1);
    expect(client.goaways[0]).toEqual({ lastStream: 1, code: 0 });
    client.headers(3, head, true);
    release();
    await closing;
    expect(client.answered).toEqual(new Set([1]));
    expect(raw.requests()).toHaveLength(1);
    expect(proxy.counted).toEqual(["none ok"]);
  });

  test("ends idle sessions", async () => {
    const { proxy, session } = await start(ok);
    const client = session();
    await new Promise((resolve) => client.once("remoteSettings", resolve));
    const begun = performance.now();
    await proxy.server.close(20_000);
    expect(performance.now() - begun).toBeLessThan(3000);
    await until("the client's session is closed", () => client.destroyed);
  });

  test("cuts at the deadline what does not end", async () => {
    const { raw, proxy, session } = await start(silent);
    const stream = session().request({ ":path": "/x" });
    stream.on("error", () => {});
    await until("it is under way", () => raw.requests().length === 1);
    await proxy.server.close(1500);
    await until("the upstream is free", () => raw.connections[0]?.closedBy() !== "open");
    expect(proxy.counted).toEqual(["none client_aborted"]);
  });
});

test("a client that waits in silence is served, those that have vanished in silence are ended (nodejs/node#42710)", async () => {
  const { proxy, frames } = await start(endless, { idleTimeoutMs: 500 });
  const patient = await frames();
  patient.headers(1, head, true);
  await until("it is served", () => proxy.inFlight.none === 1);
  const waiting = await frames();
  waiting.headers(1, head, true);
  const written = await frames();
  written.stopReading();
  grant(written, 0);
  written.headers(1, { ...head, ":path": "/endless" }, true);
  grant(written, 1);
  await until("all are served", () => proxy.inFlight.none === 3);
  waiting.stopReading();
  await until("two are ended", () => proxy.counted.length === 2);
  expect(proxy.counted).toEqual(["none client_aborted", "none client_aborted"]);
  await until("their connections are closed", () => proxy.clients() === 1);
  expect(proxy.inFlight.none).toBe(1);
  expect(patient.closed()).toBe(false);
  patient.close();
  await until("the other has left", () => proxy.inFlight.none === 0 && proxy.clients() === 0);
});

test("a client that reads slowly, and so answers late, has all of its answer", async () => {
  const { proxy, frames } = await start(endless, { idleTimeoutMs: 400 });
  const client = await frames();
  grant(client, 0);
  client.headers(1, { ...head, ":path": "/endless" }, true);
  grant(client, 1);
  client.readSlowly(200);
  await until("it is served", () => proxy.inFlight.none === 1);
  await until("all is read", () => client.received() > endlessBytes || client.closed(), 15_000);
  expect(proxy.counted).toEqual(["none ok"]);
});

test("a connection reset while it is written to, of which node:http2 does not hear, is ended (nodejs/node#42710)", async () => {
  const { raw, proxy, frames } = await start(endless, { idleTimeoutMs: 500 });
  const client = await frames();
  client.stopReading();
  grant(client, 0);
  client.headers(1, { ...head, ":path": "/endless" }, true);
  grant(client, 1);
  client.headers(3, head, true);
  await until("both are served", () => raw.requests().length === 2);
  await settled(() =>
    raw.connections.reduce((sum, { socket }) => sum + socket.bytesWritten - socket.writableLength, 0),
  );
  client.close();
  await until("none is in flight", () => proxy.inFlight.none === 0 && proxy.clients() === 0);
  expect(proxy.counted).toEqual(["none client_aborted", "none client_aborted"]);
});

test("six hundred streams given up at random moments: upstreams, counts and sessions return to nothing", async () => {
  const seed = Number(process.env.SEED ?? Date.now());
  let state = (seed % 2_147_483_646) + 1;
  const random = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const { raw, proxy, session, vanish } = await start(
    (connection) =>
      connection.onRequest(() => {
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
        connection.write(Buffer.alloc(random() < 0.5 ? 300_000 : 1000, "b"));
      }),
    // A client that vanishes while it is written to may be found out by its silence only.
    { idleTimeoutMs: 1000 },
  );
  const one = async (client: ReturnType<typeof session>) => {
    const isUpload = random() < 0.5;
    const stream = client.request(
      { ":path": "/x", ":method": isUpload ? "POST" : "GET" },
      { endStream: !isUpload },
    );
    stream.on("error", () => {}).on("data", () => {});
    if (isUpload) stream.write(Buffer.alloc(Math.ceil(random() * 100_000), "u"));
    if (isUpload && random() < 0.7) stream.end();
    await new Promise((resolve) => setTimeout(resolve, random() * 15));
    if (random() < 0.9) stream.close(constants.NGHTTP2_CANCEL);
    else vanish(client);
  };
  for (let i = 0; i < 30; i += 1) {
    const client = session();
    await new Promise((resolve) => client.once("remoteSettings", resolve));
    await Promise.all(Array.from({ length: 20 }, () => (client.destroyed ? undefined : one(client))));
    client.close();
  }
  await until(`none is in flight (seed ${seed})`, () => proxy.inFlight.none === 0, 10_000);
  const busy = () => raw.connections.filter((one) => one.closedBy() === "open").length;
  // Those of whole answers are kept for the next request.
  await until(`all others are closed (seed ${seed})`, () => busy() <= 20, 10_000);
  expect(proxy.faults).toEqual([]);
  expect(proxy.entries).toHaveLength(proxy.counted.length);
  await proxy.server.close(2000);
});

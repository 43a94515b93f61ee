/**
 * A stream that is reset in the very packet that opens it (RFC 9113 §5.4.2). What the client takes back so early is one
 * exchange like any other: counted once, nothing of it left in flight, its upstream's connection closed.
 */
import { constants } from "node:http2";
import { describe, expect, test } from "vitest";
import { type FrameClient, rawFrames } from "../../support/h2-frames.ts";
import { engineNames, startProxy } from "../../support/proxy.ts";
import { startRawUpstream } from "../../support/raw-upstream.ts";
import { secured } from "../../support/secured.ts";
import { until } from "../../support/until.ts";

const { authority, pair, cleanups } = secured();

const head = (method: string, fields: Readonly<Record<string, string>> = {}) => ({
  ":method": method,
  ":scheme": "https",
  ":authority": "localhost",
  ":path": "/x",
  ...fields,
});
const { NGHTTP2_CANCEL } = constants;

/** What stands in one packet, of one stream. */
const packets: readonly (readonly [string, (client: FrameClient, stream: number) => void])[] = [
  [
    "a whole request",
    (client, stream) => {
      client.headers(stream, head("GET"), true);
      client.reset(stream, NGHTTP2_CANCEL);
    },
  ],
  [
    "the head of a request",
    (client, stream) => {
      client.headers(stream, head("POST"), false);
      client.reset(stream, NGHTTP2_CANCEL);
    },
  ],
  [
    "the head of a request of a declared length",
    (client, stream) => {
      client.headers(stream, head("POST", { "content-length": "10" }), false);
      client.reset(stream, NGHTTP2_CANCEL);
    },
  ],
  [
    "a head and part of the body",
    (client, stream) => {
      client.headers(stream, head("POST"), false);
      client.frame("data", 0, stream, Buffer.alloc(10_000, "d"));
      client.reset(stream, NGHTTP2_CANCEL);
    },
  ],
  [
    "a request with all of its body",
    (client, stream) => {
      client.headers(stream, head("POST"), false);
      client.frame("data", 1, stream, Buffer.alloc(10_000, "d"));
      client.reset(stream, NGHTTP2_CANCEL);
    },
  ],
  [
    "a request that waits to be asked for its body",
    (client, stream) => {
      client.headers(stream, head("POST", { expect: "100-continue", "content-length": "4" }), false);
      client.reset(stream, NGHTTP2_CANCEL);
    },
  ],
  [
    "a head that is refused",
    (client, stream) => {
      client.headers(stream, head("POST", { "content-length": `${1 << 30}` }), false);
      client.frame("data", 0, stream, Buffer.alloc(10_000, "d"));
      client.reset(stream, NGHTTP2_CANCEL);
    },
  ],
  [
    "NO_ERROR for a code",
    (client, stream) => {
      client.headers(stream, head("POST"), false);
      client.frame("data", 0, stream, Buffer.alloc(10_000, "d"));
      client.reset(stream, constants.NGHTTP2_NO_ERROR);
    },
  ],
];

const times = 60;

describe.each(engineNames)("a reset in the packet of the head, by %s", (engine) => {
  test.each(packets)(
    `of %s: ${times} times, each counted once and nothing left behind (RFC 9113 §5.4.2)`,
    async (_, write) => {
      const raw = await startRawUpstream(() => {});
      cleanups.push(() => raw.close());
      const proxy = await startProxy({ engine, old: { url: raw.url.origin }, tls: pair });
      cleanups.push(() => proxy.close());
      const client = await rawFrames(proxy.port, authority.caPem);
      cleanups.push(() => client.close());
      for (let i = 0; i < times; i++) {
        client.inOnePacket(() => write(client, 2 * i + 1));
        // Some arrive together, some alone.
        if (i % 3 > 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await until("all are counted", () => proxy.counted.length >= times);
      await until("none is in flight", () => proxy.inFlight.none === 0);
      await until("the upstream is free", () => raw.connections.every((one) => one.closedBy() !== "open"));
      expect(proxy.counted).toHaveLength(times);
      expect(proxy.entries).toHaveLength(times);
      expect(proxy.faults).toEqual([]);
      expect(client.closed()).toBe(false);
    },
  );
});

describe.each(engineNames)(
  "a reset in the packet of the head, of what waits for a connection, by %s",
  (engine) => {
    test.each(packets)("of %s: counted at once, whoever reads its body", async (_, write) => {
      const raw = await startRawUpstream(() => {});
      cleanups.push(() => raw.close());
      const proxy = await startProxy({ engine, old: { url: raw.url.origin, connections: 1 }, tls: pair });
      cleanups.push(() => proxy.close());
      const client = await rawFrames(proxy.port, authority.caPem);
      cleanups.push(() => client.close());
      client.headers(1, head("GET"), true);
      await until("the connection is taken", () => raw.requests().length === 1);
      for (let stream = 3; stream < 23; stream += 2) {
        client.inOnePacket(() => write(client, stream));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await until("all but the first are counted", () => proxy.counted.length === 10);
      expect(proxy.inFlight.none).toBe(1);
      expect(proxy.faults).toEqual([]);
    });
  },
);

test.each([
  ["CANCEL", constants.NGHTTP2_CANCEL],
  ["NO_ERROR", constants.NGHTTP2_NO_ERROR],
])("a stream reset with %s while its body is held back is over for its session too", async (_, code) => {
  const idleTimeoutMs = 500;
  const raw = await startRawUpstream(({ socket }) => void socket.pause());
  cleanups.push(() => raw.close());
  const proxy = await startProxy({ old: { url: raw.url.origin }, tls: pair, idleTimeoutMs });
  cleanups.push(() => proxy.close());
  const client = await rawFrames(proxy.port, authority.caPem);
  cleanups.push(() => client.close());
  client.headers(1, head("POST"), false);
  const chunk = Buffer.alloc(16_000, "d");
  let sent = 0;
  /** The streams of the proxy begin with 256 KiB, its connections with 64 KiB as all do. */
  const maySend = () =>
    sent + chunk.length <= 262_144 + (client.granted.get(1) ?? 0) &&
    sent + chunk.length <= 65_535 + (client.granted.get(0) ?? 0);
  for (let waited = 0; waited < 50; waited += 1) {
    for (; maySend(); sent += chunk.length) {
      client.frame("data", 0, 1, chunk);
      waited = 0;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  // Longer than it may be idle: what looked for idleness then has looked.
  await new Promise((resolve) => setTimeout(resolve, idleTimeoutMs));
  client.reset(1, code);
  await until("it is counted", () => proxy.counted.length === 1);
  expect(proxy.counted).toEqual(["none client_aborted"]);
  await until("the session, idle now, is closed", () => client.closed());
});

/** Redis by name, of a name server that may be silent: its lookups hold no thread that anybody else needs. */
import { lookup as systemLookup } from "node:dns";
import { connect, createServer } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createNames } from "../../src/base/dial/names.ts";
import { createRedisClient, monotonicMs, type RedisClient } from "../../src/redis/client.ts";
import { type Authority, createAuthority } from "../support/certificates.ts";
import { freePort } from "../support/free-port.ts";
import { startFullListener } from "../support/full-listener.ts";
import { type NameEntry, startNameServer } from "../support/name-server.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { startCluster, startSentinels } from "../support/redis-topologies.ts";

const table = new Map<string, NameEntry>();
let nameServer: Awaited<ReturnType<typeof startNameServer>>;
let authority: Authority;
beforeAll(async () => {
  nameServer = await startNameServer(table);
  authority = createAuthority();
});
afterAll(async () => {
  await nameServer.close();
  authority.remove();
});

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  table.clear();
});

function clientOf(url: string): RedisClient {
  const names = createNames({
    servers: [nameServer.server],
    hostsFile: () => "",
    resolverFile: () => "",
  });
  const client = createRedisClient(url, undefined, names);
  cleanups.push(() => client.close());
  return client;
}

/** Sends until it is answered. */
async function answerOf(client: RedisClient): Promise<unknown> {
  const untilMs = monotonicMs() + 10_000;
  let last: unknown;
  while (monotonicMs() < untilMs) {
    last = await client.send([["GET", "cutover:{x}:none"]], untilMs);
    if (typeof last === "object" && last !== null && "kind" in last && last.kind === "answered") return last;
    // A node of a Cluster that is not connected yet is told of at once: without a turn between, it never would be.
    await new Promise(setImmediate);
  }
  return last;
}

const answered = { kind: "answered", replies: [{ ok: true, value: null }] };

async function redis(flags: readonly string[] = []): Promise<RedisServer> {
  const server = await startRedis(flags);
  cleanups.push(() => server.stop());
  return server;
}

/** The URL with a name for its addresses. */
const named = (url: string) => url.replaceAll("127.0.0.1", "redis.test");

describe("a host by name is found by the name server that the names of upstreams are asked of", () => {
  test("for one server, subscriptions too", async () => {
    table.set("redis.test", { addresses: ["127.0.0.1"] });
    const client = clientOf(named((await redis()).url));
    expect(await answerOf(client)).toEqual(answered);
    await new Promise<void>((resolve) => client.subscribe("cutover:changes", () => resolve()));
    expect(nameServer.asked).toContain("redis.test");
  });

  test("for one server over TLS, whose certificate is the name's", async () => {
    table.set("redis.test", { addresses: ["127.0.0.1"] });
    const port = await freePort();
    const { cert, key } = authority.issue("redis", ["redis.test"]);
    const files = ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", authority.ca];
    await redis(["--tls-port", String(port), ...files, "--tls-auth-clients", "no"]);
    const ca = encodeURIComponent(authority.ca);
    expect(await answerOf(clientOf(`rediss://redis.test:${port}?ca=${ca}`))).toEqual(answered);
  });

  test.each([
    ["Sentinels", startSentinels],
    ["the nodes of a Cluster", startCluster],
  ])(
    "for %s",
    async (_, start) => {
      table.set("redis.test", { addresses: ["127.0.0.1"] });
      const topology = await start();
      cleanups.push(() => topology.stop());
      expect(await answerOf(clientOf(named(topology.url)))).toEqual(answered);
    },
    60_000,
  );
});

test("of two addresses a silent first one is not waited for", async () => {
  const full = await startFullListener();
  cleanups.push(() => full.close());
  table.set("redis.test", { addresses: ["127.0.0.1", "127.0.0.2"] });
  const { port } = await redis();
  const second = createServer((socket) => {
    socket
      .on("error", () => {})
      .pipe(connect(port, "127.0.0.1").on("error", () => {}))
      .pipe(socket);
  });
  await new Promise<void>((resolve) => second.listen(Number(full.url.port), "127.0.0.2", resolve));
  cleanups.push(() => second.close());
  expect(await answerOf(clientOf(`redis://redis.test:${full.url.port}`))).toEqual(answered);
});

test.each(["redis:", "redis-sentinel:", "redis-cluster:"])(
  "%s names that hang hold no thread that others need",
  async (scheme) => {
    table.set("redis.test", "silent");
    const path = scheme === "redis-sentinel:" ? "/shop" : "";
    const clients = Array.from({ length: 8 }, () => clientOf(`${scheme}//redis.test:1${path}`));
    const began = performance.now();
    const sent = await Promise.all(clients.map((client) => client.send([["PING"]], monotonicMs() + 300)));
    expect(sent.every(({ kind }) => kind === "unsent")).toBe(true);
    await new Promise((resolve) => systemLookup("localhost", resolve));
    expect(performance.now() - began).toBeLessThan(2000);
  },
);

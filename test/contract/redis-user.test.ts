/** The user that the documentation makes may do all that is needed, and nothing that managed services refuse. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { JourneyPin } from "../../src/decide/pin.ts";
import { pinDigest } from "../../src/ownership/stores/port.ts";
import { createRedisStores } from "../../src/ownership/stores/redis.ts";
import { createUnderWayInRedis } from "../../src/ownership/under-way/redis.ts";
import { createRedisClient, type RedisClient } from "../../src/redis/client.ts";
import { claim, fact } from "../support/named-keys.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { addDocumentedUser, refusals } from "../support/redis-user.ts";

let server: RedisServer;
let client: RedisClient;

beforeAll(async () => {
  server = await startRedis();
  client = createRedisClient(await addDocumentedUser(server));
});
afterAll(async () => {
  await client.close();
  await server.stop();
});

test("the documented user keeps owners and pins", async () => {
  const { owners, pins, pinNews, watch, byHand } = createRedisStores({
    client,
    prefix: "cutover",
    deadlineMs: 5000,
  });
  const heard: string[] = [];
  const stop = watch?.((cutover, { key }, side) => heard.push(`${cutover} ${key} ${side}`));
  await expect.poll(() => server.cli("PUBSUB", "NUMSUB", "cutover:owners")).toEqual(["cutover:owners", 1]);
  await owners.record("checkout", claim("a"), "new", 60_000);
  await owners.record("checkout", fact("a"), "legacy", 60_000);
  expect(await owners.lookup("checkout", [claim("a"), fact("a"), fact("b")])).toEqual([
    "new",
    "legacy",
    undefined,
  ]);
  expect(await owners.release("checkout", "a", "new")).toBe(false);
  await server.cli("CONFIG", "SET", "maxmemory", "100mb");
  expect(await owners.memoryInUse?.("checkout")).toBeGreaterThan(0);
  expect((await byHand?.inspect("checkout", "a"))?.fact?.until).toBeGreaterThan(Date.now());
  await byHand?.put("checkout", "z", "new", 60_000);
  expect(await owners.release("checkout", "z", "new")).toBe(true);
  await byHand?.put("checkout", "z", undefined, 60_000);
  const at = new Date().toISOString();
  await byHand?.wait("checkout", "z", { side: "new", by: "ana", reason: "", at, expiresAt: at }, 60_000);
  expect((await byHand?.waiting("checkout", "z"))?.by).toBe("ana");
  await byHand?.wait("checkout", "z", undefined, 1);
  await expect.poll(() => heard).toEqual(["checkout a new", "checkout a legacy", "checkout z new"]);
  stop?.();
  const startedAt = Math.floor(Date.now() / 1000);
  const pin: JourneyPin = {
    id: "abcdefghijkl",
    side: "new",
    epoch: 0,
    startedAt,
    expiresAt: startedAt + 600,
  };
  await pins.start("checkout", "ann", pin, 600);
  const again = { ...pin, id: "bbcdefghijkl", side: "legacy" } as const;
  expect((await pins.start("checkout", "ann", again, 600)).side).toBe("new");
  expect((await pins.find("checkout", "ann", 600))?.side).toBe("new");
  await pins.keep("checkout", "ann", pin, 300);
  await pins.tie("checkout", ["O1"], pin.id, 600);
  const listed: string[] = [];
  await pinNews.list("checkout", 600, (digests) => listed.push(...digests));
  expect(listed).toEqual([pinDigest("ann")]);
  expect((await pins.end("checkout", "ann", 60, 600, { orders: ["O1"] }))?.side).toBe("new");
  expect(await refusals(server)).toEqual([]);
});

test("the documented user keeps what is under way", async () => {
  const underWay = createUnderWayInRedis({ client, prefix: "cutover" });
  const seconds = Math.floor(Date.now() / 1000);
  const note = { kind: "journeys", cutover: "checkout", id: "a", epoch: 0, atMs: Date.now() } as const;
  const started = { side: "legacy", startedAt: seconds, expiresAt: seconds + 600 } as const;
  expect(await underWay.note([{ ...note, underWay: started }])).toBe(0);
  const question = { kind: "journeys", cutover: "checkout", epoch: 0 } as const;
  expect(await underWay.count([question])).toMatchObject([{ legacy: { count: 1 }, new: { count: 0 } }]);
  await underWay.note([{ ...note, atMs: note.atMs + 1 }]);
  expect(await underWay.count([question])).toMatchObject([{ legacy: { count: 0 } }]);
  expect(await refusals(server)).toEqual([]);
});

test.each([
  ["config", "get", "*"],
  ["keys", "*"],
  ["scan", "0"],
  ["flushall"],
  ["script", "flush"],
  ["acl", "list"],
  ["get", "other:key"],
  ["publish", "other", "x"],
  ["psubscribe", "*"],
  ["subscribe", "__keyevent@0__:expired"],
])("the documented user may not %s %s", async (name, ...args) => {
  const sent = await client.send([[name, ...args]], performance.now() + 5000);
  expect(sent).toMatchObject({ kind: "answered", replies: [{ ok: false, code: "NOPERM" }] });
});

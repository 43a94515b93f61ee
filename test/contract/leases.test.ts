/** Leases and fences, which every store holds to alike. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createRedisClient } from "../../src/redis/client.ts";
import type { Fence, Leased } from "../../src/state/rules/leases/lease.ts";
import { openFileStore } from "../../src/state/store/file.ts";
import { createMemoryStore } from "../../src/state/store/in-process.ts";
import type { Store } from "../../src/state/store/port.ts";
import { createRedisStore } from "../../src/state/store/redis/store.ts";
import { applyAll, command, setTo, stateOf } from "../support/commands.ts";
import { createManualTime } from "../support/manual-time.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { fileHarness, type Harness, memoryHarness, redisHarness, type StoreUnderTest } from "./harness.ts";

const minute = 60_000;

/** @returns the token; fails when the lease was refused */
async function take(store: Store, holder: string, ttlMs = minute, name = "checkout"): Promise<number> {
  const leased = await store.lease(name, holder, ttlMs);
  if (!leased.granted) throw new Error(`${leased.holder} holds it`);
  return leased.token;
}

function raise(store: Store, percent: number, token: number, lease = "checkout") {
  return store.apply(command("checkout", setTo(percent), { fence: { lease, token } }));
}

describe.each(["memory", "file", "redis"] as const)("the %s store", (kind) => {
  let harness: Harness;
  let tested: StoreUnderTest;
  let store: Store;

  beforeAll(async () => {
    const made = { memory: memoryHarness, file: fileHarness, redis: redisHarness };
    harness = await made[kind]();
  });
  beforeEach(async () => {
    tested = await harness.open();
    store = tested.store;
  });
  afterEach(() => harness.close());
  afterAll(() => harness.end());

  /** Asks for changes with that token: each is refused as fenced and leaves no trace. */
  async function isFenced(token: number, lease = "checkout"): Promise<void> {
    const before = await stateOf(store, "checkout");
    const history = await store.history("checkout", 100);
    expect(await raise(store, 77, token, lease)).toEqual({ accepted: false, code: "fenced", state: before });
    expect(await raise(store, before.percentThousandths / 1000, token, lease)).toMatchObject({
      code: "fenced",
    });
    expect(await stateOf(store, "checkout")).toEqual(before);
    expect(await store.history("checkout", 100)).toEqual(history);
  }

  test("gives a lease to one holder and tells the other who has it", async () => {
    const token = await take(store, "a");
    expect(token).toBeGreaterThan(0);
    expect(await store.lease("checkout", "b", minute)).toEqual({ granted: false, holder: "a" });
  });

  test("gives a lease to one of many who ask at once", async () => {
    const holders = ["a", "b", "c", "d", "e"];
    const asked = await Promise.all(holders.map((holder) => store.lease("checkout", holder, minute)));
    expect(asked.filter(({ granted }) => granted)).toHaveLength(1);
  });

  test("renews the holder's lease for its time from then on, under the same token", async () => {
    const token = await take(store, "a", 400);
    await tested.pass(250);
    expect(await take(store, "a", 400)).toBe(token);
    await tested.pass(250);
    expect(await store.lease("checkout", "b", 400)).toEqual({ granted: false, holder: "a" });
    expect(await raise(store, 10, token)).toMatchObject({ changed: true });
  });

  test("ends a lease that is not renewed; each later grant has a larger token, the same holder's too", async () => {
    const tokens = [await take(store, "a", 100)];
    await tested.pass(150);
    tokens.push(await take(store, "b", 100));
    await tested.pass(150);
    tokens.push(await take(store, "b", 100));
    await tested.pass(150);
    tokens.push(await take(store, "a", minute));
    expect(tokens).toEqual([...new Set(tokens)].sort((one, other) => one - other));
    expect(tokens).toHaveLength(4);
  });

  test("takes a lease back from its holder alone, and grants the next at once", async () => {
    const first = await take(store, "a");
    expect(await store.release("checkout", first - 1)).toBe(false);
    expect(await store.release("checkout", first)).toBe(true);
    expect(await store.release("checkout", first)).toBe(false);
    await isFenced(first);
    const second = await take(store, "b");
    expect(second).toBeGreaterThan(first);
    expect(await store.release("checkout", first)).toBe(false);
    expect(await raise(store, 10, second)).toMatchObject({ changed: true });
  });

  test("makes a change whose fence is the grant in force, as if it had none", async () => {
    const token = await take(store, "a");
    const applied = await raise(store, 10, token);
    expect(applied).toMatchObject({ accepted: true, changed: true, state: { version: 1, updatedBy: "ann" } });
    expect(await raise(store, 10, token)).toEqual({ accepted: true, changed: false, state: applied.state });
    expect(await store.history("checkout", 10)).toHaveLength(1);
    const held = { action: "hold" } as const;
    const fence: Fence = { lease: "checkout", token };
    expect(await store.apply(command("checkout", held, { fence }, "viewer"))).toMatchObject({
      code: "forbidden",
    });
  });

  test("refuses an expired holder that writes late, whether or not another one has taken over", async () => {
    const late = await take(store, "a", 100);
    await applyAll(store, "checkout", [setTo(10)]);
    await tested.pass(150);
    await isFenced(late);
    const token = await take(store, "b");
    await isFenced(late);
    expect(await raise(store, 20, token)).toMatchObject({ changed: true });
    await isFenced(late);
  });

  test("refuses a token that was never granted, before anything the rules refuse", async () => {
    await isFenced(1);
    const token = await take(store, "a");
    await isFenced(token - 1);
    await isFenced(token + 1);
    await applyAll(store, "checkout", [{ action: "rollback" }]);
    const fence: Fence = { lease: "checkout", token: token + 1 };
    const asked = command("checkout", setTo(50), { fence, ifVersion: 99 }, "viewer");
    expect(await store.apply(asked)).toMatchObject({ accepted: false, code: "fenced" });
    expect(await raise(store, 50, token)).toMatchObject({ code: "rolled_back" });
  });

  test("leaves everybody without a fence as free as before", async () => {
    const token = await take(store, "a");
    await applyAll(store, "checkout", [setTo(30), { action: "rollback" }]);
    expect(
      await store.apply(command("checkout", { action: "resume" }, { fence: { lease: "checkout", token } })),
    ).toMatchObject({
      changed: true,
      state: { version: 3 },
    });
  });

  test("keeps a text beside a lease for its next holder, as long as it is the holder's who writes it", async () => {
    const lease = "checkout/watch";
    expect(await store.kept(lease)).toBeUndefined();
    const first = await take(store, "a", 100, lease);
    expect(await store.keep({ lease, token: first }, "one\n\u0000\u{1f600}")).toBe(true);
    expect(await store.keep({ lease, token: first }, "two")).toBe(true);
    expect(await store.keep({ lease, token: first - 1 }, "never granted")).toBe(false);
    await tested.pass(150);
    expect(await store.keep({ lease, token: first }, "too late")).toBe(false);
    const second = await take(store, "b", minute, lease);
    expect(await store.keep({ lease, token: first }, "of one that slept")).toBe(false);
    expect(await store.kept(lease)).toBe("two");
    expect(await store.keep({ lease, token: second }, "three\n\u0000\u{1f600}")).toBe(true);
    await store.release(lease, second);
    expect(await store.keep({ lease, token: second }, "given back")).toBe(false);
    expect(await store.kept(lease)).toBe("three\n\u0000\u{1f600}");
    expect(await store.kept("checkout")).toBeUndefined();
    const token = await take(store, "c", minute);
    await expect(store.keep({ lease: "checkout", token }, "x".repeat(200_001))).rejects.toThrow(RangeError);
    expect(await store.keep({ lease: "checkout", token }, "x".repeat(200_000))).toBe(true);
  });

  test("keeps leases apart by their names; those below a cutover's fence it, too", async () => {
    const guard = await take(store, "a", minute, "checkout/guard");
    const own = await take(store, "b");
    const other = await take(store, "c", minute, "returns");
    expect(await raise(store, 10, guard, "checkout/guard")).toMatchObject({ changed: true });
    expect(await raise(store, 20, own)).toMatchObject({ changed: true });
    if (guard !== own) await isFenced(guard);
    await expect(raise(store, 30, other, "returns")).rejects.toThrow(RangeError);
    await expect(raise(store, 30, own, "checkout2")).rejects.toThrow(RangeError);
  });

  test.each<[string, string, number]>([
    ["", "a", 1000],
    ["{checkout}", "a", 1000],
    ["/guard", "a", 1000],
    ["checkout", "", 1000],
    ["checkout", "a", 0],
    ["checkout", "a", -1],
    ["checkout", "a", 0.5],
    ["checkout", "a", Number.NaN],
  ])("throws for the lease %j of %j for %d ms", async (name, holder, ttlMs) => {
    await expect(store.lease(name, holder, ttlMs)).rejects.toThrow(RangeError);
    if (holder !== "" && ttlMs === 1000) await expect(store.release(name, 1)).rejects.toThrow(RangeError);
  });
});

describe("the clock of a store of one process", () => {
  let folder: string;
  let store: Store;
  let skewMs: number;
  const time = createManualTime();
  const clock = { now: () => time.now() + skewMs, monotonic: time.monotonic };
  const openFile = () => openFileStore({ path: join(folder, "state.json"), clock });

  beforeEach(async () => {
    skewMs = 0;
    folder = await mkdtemp(join(tmpdir(), "cutover-lease-"));
  });
  afterEach(async () => {
    await store.close();
    await rm(folder, { recursive: true });
  });

  test.each([
    ["memory", 3_600_000],
    ["memory", -3_600_000],
    ["file", 3_600_000],
    ["file", -3_600_000],
  ])("(%s) may be set by %d ms: a lease lasts as long as it was given", async (kind, by) => {
    store = kind === "memory" ? createMemoryStore({ clock }) : await openFile();
    const token = await take(store, "a");
    skewMs = by;
    expect(await store.lease("checkout", "b", minute)).toEqual({ granted: false, holder: "a" });
    expect(await raise(store, 10, token)).toMatchObject({ changed: true });
    await time.advance(minute - 1);
    expect(await raise(store, 20, token)).toMatchObject({ changed: true });
    await time.advance(1);
    expect(await raise(store, 30, token)).toMatchObject({ code: "fenced" });
    const next = await take(store, "b");
    expect(next).toBeGreaterThan(token);
    skewMs = 0;
    await store.release("checkout", next);
    expect(await take(store, "a")).toBeGreaterThan(next);
  });

  test("(file) may be set back over a restart: leases are over and tokens go on", async () => {
    store = await openFile();
    const token = await take(store, "a");
    await store.close();
    skewMs = -3_600_000;
    store = await openFile();
    expect(await raise(store, 10, token)).toMatchObject({ code: "fenced" });
    const next = await take(store, "b");
    expect(next).toBeGreaterThan(token);
    expect(await raise(store, 10, token)).toMatchObject({ code: "fenced" });
    expect(await raise(store, 10, next)).toMatchObject({ changed: true });
  });

  test("(file) what was kept outlives a restart, and what does not read is as good as none", async () => {
    store = await openFile();
    const lease = "checkout/watch";
    const token = await take(store, "a", minute, lease);
    expect(await store.keep({ lease, token }, "so far")).toBe(true);
    await store.close();
    store = await openFile();
    expect(await store.kept(lease)).toBe("so far");
    expect(await store.keep({ lease, token }, "of the one before")).toBe(false);
    await store.close();
    await writeFile(join(folder, "state.json.kept"), "[1]");
    store = await openFile();
    expect(await store.kept(lease)).toBeUndefined();
    expect(await take(store, "a", minute, lease)).toBeGreaterThan(token);
  });
});

describe("leases in Redis", () => {
  const key = "cutover:lease:{checkout}";
  let server: RedisServer;
  let store: Store;

  beforeAll(async () => {
    server = await startRedis();
  });
  beforeEach(async () => {
    await server.cli("FLUSHALL");
    store = createRedisStore({ client: createRedisClient(server.url) });
  });
  afterEach(() => store.close());
  afterAll(() => server.stop());

  test("an emptied server fences the holder until it takes the lease anew, under a larger token", async () => {
    const token = await take(store, "a");
    await server.cli("FLUSHALL");
    expect(await raise(store, 10, token)).toMatchObject({ code: "fenced" });
    const next = await take(store, "a");
    expect(next).toBeGreaterThan(token);
    expect(await raise(store, 10, token)).toMatchObject({ code: "fenced" });
    expect(await raise(store, 10, next)).toMatchObject({ changed: true });
  });

  test("a key of another kind, or of nonsense, is nobody's lease", async () => {
    await server.cli("SET", key, "x");
    expect(await raise(store, 10, 1)).toMatchObject({ code: "fenced" });
    const token = await take(store, "a");
    expect(await raise(store, 10, token)).toMatchObject({ changed: true });
    await server.cli("HSET", key, "token", "nan", "ends_at_ms", "-5");
    expect(await raise(store, 20, token)).toMatchObject({ code: "fenced" });
    const next = await take(store, "b");
    expect(next).toBeGreaterThan(token);
  });

  test("a server whose clock was set back gives the lease to the next after its whole time", async () => {
    const token = await take(store, "a", 300);
    const hourLater = Date.now() + 3_600_000;
    await server.cli("HSET", key, "token", hourLater, "ends_at_ms", hourLater + 300);
    expect(await store.lease("checkout", "b", minute)).toEqual({ granted: false, holder: "a" });
    await expect
      .poll(() => store.lease("checkout", "b", minute), { timeout: 2000 })
      .toMatchObject({ granted: true });
    expect(await take(store, "b")).toBe(hourLater + 1);
    expect(hourLater).toBeGreaterThan(token);
  });

  test("a lease is one answer for all stores on the server", async () => {
    const other = createRedisStore({ client: createRedisClient(server.url) });
    const asked: readonly Leased[] = await Promise.all([
      store.lease("checkout", "a", minute),
      other.lease("checkout", "b", minute),
    ]);
    expect(asked.filter(({ granted }) => granted)).toHaveLength(1);
    await other.close();
  });
});

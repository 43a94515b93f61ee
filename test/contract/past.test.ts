/** One suite for every place of past requests: memory, a file, Redis; and random notes, which all of them take alike. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createPastInProcess } from "../../src/ownership/past/in-process.ts";
import {
  type DoubtNote,
  doubtOutcomes,
  type KeyNote,
  keyDigest,
  type PastDecision,
  type PastStore,
} from "../../src/ownership/past/port.ts";
import { createPastInRedis } from "../../src/ownership/past/redis.ts";
import { createRecords, openRecordFile } from "../../src/ownership/stores/records.ts";
import { createRedisClient, type RedisClient } from "../../src/redis/client.ts";
import { sides } from "../../src/state/rules/model.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { addDocumentedUser, refusals } from "../support/redis-user.ts";

const most = 20;
let folder: string;
let redis: RedisServer;
let client: RedisClient;
let opened = 0;
const closings: (() => Promise<void>)[] = [];

beforeAll(async () => {
  [folder, redis] = await Promise.all([mkdtemp(join(tmpdir(), "cutover-past-")), startRedis()]);
  client = createRedisClient(await addDocumentedUser(redis));
});
afterAll(async () => {
  await Promise.all(closings.map((close) => close()));
  await client.close();
  await redis.stop();
  await rm(folder, { recursive: true });
});

const clock = { now: () => Date.now() };
const inMemory = () => createPastInProcess(createRecords({ clock }), clock, most);

interface Place {
  readonly store: PastStore;
  /** The same, as the next process finds it. */
  again(): Promise<PastStore>;
}

const places: Readonly<Record<string, () => Promise<Place>>> = {
  async memory() {
    const store = inMemory();
    return { store, again: async () => store };
  },
  async file() {
    opened += 1;
    const path = join(folder, `${opened}.owners`);
    const open = () => openRecordFile(path, clock);
    const file = await open();
    closings.push(file.close);
    return {
      store: createPastInProcess(file.records, clock, most),
      async again() {
        await file.close();
        const next = await open();
        closings.push(next.close);
        return createPastInProcess(next.records, clock, most);
      },
    };
  },
  async redis() {
    await redis.cli("FLUSHALL");
    const open = () => createPastInRedis({ client, prefix: "cutover", most, deadlineMs: 5000 });
    return { store: open(), again: async () => open() };
  },
};

const hour = 3_600_000;
const cutover = "checkout";
const [k1, k2, order] = ["K-1", "K-2", "77"].map(keyDigest) as [string, string, string];

function decided(atMs: number, change: Partial<PastDecision> = {}): PastDecision {
  return { atMs, side: "new", reason: "bucket", version: 4, route: "checkout", ...change };
}
function seen(digest: string, change: Partial<KeyNote> = {}): KeyNote {
  return { cutover, digest, ttlMs: hour, decisions: [], answered: {}, ...change };
}

describe.each(Object.keys(places))("past requests, in %s", (name) => {
  let place: Place;
  let store: PastStore;
  let now: number;
  beforeEach(async () => {
    const open = places[name];
    if (open === undefined) throw new Error(name);
    place = await open();
    ({ store } = place);
    now = Date.now();
  });

  function doubt(digest: string, sentAgoMs: number, change: Partial<DoubtNote> = {}): DoubtNote {
    const sentAtMs = now - sentAgoMs;
    const told = { side: "new", others: [], route: "pay", outcome: "reset" } as const;
    return { cutover, digest, sentAtMs, sinceMs: sentAtMs + 10, ...told, ...change };
  }
  const note = (keys: readonly KeyNote[], doubts: readonly DoubtNote[] = []) => store.note({ keys, doubts });
  const listed = async (from = store) =>
    (await from.inDoubt(cutover, 100)).map(({ side, digest, outcome }) => `${side} ${digest} ${outcome}`);

  test("keep of a key its first decisions and its last, and none that is as the one before", async () => {
    await note([seen(k1, { decisions: [decided(10), decided(20), decided(30, { reason: "owner" })] })]);
    await note([seen(k1, { decisions: [decided(40, { reason: "owner" })] })]);
    expect((await store.of(cutover, k1))?.decisions).toEqual([decided(10), decided(30, { reason: "owner" })]);
    const many = Array.from({ length: 20 }, (_, i) => decided(100 + i, { version: 10 + i }));
    for (const one of many) await note([seen(k1, { decisions: [one] })]);
    const past = await (await place.again()).of(cutover, k1);
    expect(past?.decisions.map(({ atMs }) => atMs)).toEqual([10, 30, 100, 101, 116, 117, 118, 119]);
    expect(past?.omitted).toBe(14);
    expect(await store.of(cutover, k2)).toBeUndefined();
  });

  test("put a decision that is told late in its place, and take no note twice", async () => {
    const notes = [decided(30, { version: 6 }), decided(10), decided(20, { version: 5 })];
    for (const one of [...notes, ...notes]) await note([seen(k1, { decisions: [one] })]);
    expect((await store.of(cutover, k1))?.decisions.map(({ version }) => version)).toEqual([4, 5, 6]);
  });

  test("keep no record of a key that nobody owns", async () => {
    await note([seen(k1, { ttlMs: 0, decisions: [decided(10)], answered: { new: now } })]);
    expect(await store.of(cutover, k1)).toBeUndefined();
  });

  test("have what was not answered in doubt until an answer of the same side, over a restart", async () => {
    await note([seen(k1, { decisions: [decided(now - 500)] })], [doubt(k1, 500)]);
    store = await place.again();
    expect(await store.inDoubt(cutover, 10)).toEqual([
      {
        ...{ side: "new", digest: k1, others: [], route: "pay", outcome: "reset" },
        ...{ sentAtMs: now - 500, lastSentAtMs: now - 500, sinceMs: now - 490 },
      },
    ]);
    await note([seen(k1, { answered: { legacy: now } }), seen(k2, { answered: { new: now } })]);
    expect(await listed()).toHaveLength(1);
    await note([seen(k1, { answered: { new: now } })]);
    expect(await listed()).toEqual([]);
    expect(await store.counts([cutover])).toEqual([
      { legacy: { count: 0, oldestSinceMs: undefined }, new: { count: 0, oldestSinceMs: undefined } },
    ]);
  });

  test("settle with an answer of any of its keys all that has it", async () => {
    await note(
      [],
      [doubt(k1, 500, { others: [order] }), doubt(k2, 400, { others: [order] }), doubt(order, 300)],
    );
    expect(await listed()).toHaveLength(3);
    await note([seen(order, { answered: { new: now - 350 } })]);
    expect(await listed()).toEqual([`new ${order} reset`]);
    await note([seen(order, { answered: { new: now } })]);
    expect(await listed()).toEqual([]);
  });

  test("have nothing in doubt that was answered before it was noted", async () => {
    await note([seen(k1, { answered: { new: now } })]);
    await note([], [doubt(k1, 500), doubt(k2, 500, { others: [k1] })]);
    expect(await listed()).toEqual([]);
    await note([], [doubt(k1, -1, { sinceMs: now })]);
    expect(await listed()).toEqual([`new ${k1} reset`]);
  });

  test("have what waits in doubt only once its instance says no more of it", async () => {
    const waits = doubt(k1, 5000, { outcome: "instance_gone", sinceMs: now + hour });
    await note([], [waits]);
    expect(await listed()).toEqual([]);
    await note([], [{ ...waits, sinceMs: now - 1 }]);
    // A lease that is renewed does not become shorter.
    expect(await listed()).toEqual([]);
    await note([], [{ ...waits, outcome: "timeout", sinceMs: now - 5 }]);
    expect(await listed()).toEqual([`new ${k1} timeout`]);

    await note([], [doubt(k2, 5000, { outcome: "instance_gone", sinceMs: now - 1 })]);
    expect(await listed()).toEqual([`new ${k1} timeout`, `new ${k2} instance_gone`]);
    await note([], [doubt(k2, 5000, { outcome: null }), doubt(k1, 5000, { outcome: null })]);
    expect(await listed()).toEqual([`new ${k1} timeout`]);
  });

  test("are settled by a person, and do not come back with a note that is told late", async () => {
    await note([], [doubt(k1, 500, { others: [order] }), doubt(k2, 500, { side: "legacy" })]);
    expect(await store.settle(cutover, order, now)).toBe(1);
    expect(await store.settle(cutover, order, now)).toBe(0);
    await note([], [doubt(k1, 500, { others: [order] })]);
    expect(await listed()).toEqual([`legacy ${k2} reset`]);
  });

  test("are listed oldest first, however many, and no more of a side than there is room for", async () => {
    const doubts = Array.from({ length: most + 5 }, (_, i) => doubt(keyDigest(`${i}`), 1000 - i));
    expect(await note([], doubts)).toBe(5);
    expect((await store.counts([cutover, "search"])).map((counts) => counts?.new)).toEqual([
      { count: most, oldestSinceMs: now - 990 },
      { count: 0, oldestSinceMs: undefined },
    ]);
    const first = (await store.inDoubt(cutover, 3)).map(({ digest }) => digest);
    expect(first).toEqual(["0", "1", "2"].map(keyDigest));
    expect(await note([], [doubt(keyDigest("0"), 1)])).toBe(0);
  });
});

test("several pages of what is in doubt since the same moments are read whole, by the documented user", async () => {
  await redis.cli("FLUSHALL");
  const store = createPastInRedis({ client, prefix: "cutover", deadlineMs: 10_000 });
  const now = Date.now();
  const doubts = Array.from({ length: 3300 }, (_, i): DoubtNote => {
    const times = { sentAtMs: now - 9000, sinceMs: now - 5000 + Math.floor(i / 1200) };
    const told = { side: "new", others: [], route: "pay", outcome: "reset" } as const;
    return { cutover, digest: keyDigest(`${i}`), ...times, ...told };
  });
  expect(await store.note({ keys: [], doubts })).toBe(0);
  const all = await store.inDoubt(cutover, 100_000);
  expect(new Set(all.map(({ digest }) => digest)).size).toBe(3300);
  expect(await store.inDoubt(cutover, 1500)).toHaveLength(1500);
  expect(await refusals(redis)).toEqual([]);
});

const digest = fc.constantFrom(k1, k2, order);
const side = fc.constantFrom(...sides);
const time = fc.integer({ min: 1, max: 60 });
const keyNote = fc.record({
  ...{ cutover: fc.constant(cutover), digest, ttlMs: fc.constantFrom(0, hour) },
  decisions: fc.array(
    fc.record({
      ...{
        atMs: time,
        side,
        reason: fc.constantFrom("bucket", "owner"),
        version: fc.integer({ min: 1, max: 9 }),
      },
      route: fc.constantFrom("pay", "cart"),
    }),
    { maxLength: 3 },
  ),
  answered: fc.oneof(fc.constant({}), fc.record({ new: time }), fc.record({ legacy: time, new: time })),
});
const doubtNote = fc.record({
  ...{ cutover: fc.constant(cutover), side, digest, others: fc.uniqueArray(digest, { maxLength: 2 }) },
  ...{ sentAtMs: time, sinceMs: time, route: fc.constantFrom("pay", "cart") },
  outcome: fc.constantFrom(...doubtOutcomes, null),
});
const notes = fc.array(
  fc.record({
    keys: fc.array(keyNote, { maxLength: 3 }),
    doubts: fc.array(doubtNote, { maxLength: 4 }),
  }),
  { minLength: 1, maxLength: 12 },
);

test("random notes leave in Redis what they leave in memory, and no key leads to what is not in doubt", async () => {
  const run = fc.asyncProperty(notes, async (all) => {
    await redis.cli("FLUSHALL");
    const stores = [inMemory(), createPastInRedis({ client, prefix: "cutover", most, deadlineMs: 5000 })];
    for (const each of all) for (const store of stores) await store.note(each);
    const [memory, kept] = await Promise.all(
      stores.map(async (store) => ({
        past: await Promise.all([k1, k2, order].map((one) => store.of(cutover, one))),
        inDoubt: sortedBy(await store.inDoubt(cutover, 100)),
        counts: await store.counts([cutover]),
      })),
    );
    expect(kept).toEqual(memory);
    const leads = await Promise.all(
      sides.map((one) => redis.cli("HLEN", `cutover:{checkout}:doubt:${one}:requests`)),
    );
    if (memory?.inDoubt.length === 0) expect(leads).toEqual([0, 0]);
    // A person settles each of them, and nothing is left.
    for (const { digest: one } of memory?.inDoubt ?? [])
      for (const store of stores) await store.settle(cutover, one, 100);
    expect(await Promise.all(stores.map((store) => store.inDoubt(cutover, 100)))).toEqual([[], []]);
  });
  await fc.assert(run, { numRuns: 150 });
}, 60_000);

function sortedBy<One extends { readonly side: string; readonly digest: string }>(
  all: readonly One[],
): One[] {
  return [...all].sort((one, other) =>
    `${one.side}${one.digest}`.localeCompare(`${other.side}${other.digest}`),
  );
}

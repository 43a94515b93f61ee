/** One suite for every place of what is under way: memory, Redis. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createUnderWayInProcess } from "../../src/ownership/under-way/in-process.ts";
import type {
  UnderWayCount,
  UnderWayKind,
  UnderWayNote,
  UnderWayStore,
} from "../../src/ownership/under-way/port.ts";
import { createUnderWayInRedis } from "../../src/ownership/under-way/redis.ts";
import { createRedisClient, type RedisClient } from "../../src/redis/client.ts";
import type { Side } from "../../src/state/rules/model.ts";
import { createManualTime } from "../support/manual-time.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";

interface Place {
  /** Two instances' views of one place; the same one where a place has a single process. */
  readonly one: UnderWayStore;
  readonly other: UnderWayStore;
  now(): number;
  /** Lets so many ms pass. */
  pass(ms: number): Promise<unknown>;
}

let redis: RedisServer;
let clients: RedisClient[] = [];

beforeAll(async () => {
  redis = await startRedis();
  clients = [createRedisClient(redis.url), createRedisClient(redis.url)];
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await redis.stop();
});

const most = 1200;

const places: Readonly<Record<string, () => Promise<Place>>> = {
  async memory() {
    const time = createManualTime();
    const one = createUnderWayInProcess(time, most);
    return { one, other: one, now: time.now, pass: time.advance };
  },
  async redis() {
    await redis.cli("FLUSHALL");
    const [one, other] = clients.map((client) =>
      createUnderWayInRedis({ client, prefix: "cutover", most, deadlineMs: 5000 }),
    );
    if (one === undefined || other === undefined) throw new Error("no client");
    return { one, other, now: Date.now, pass: sleep };
  },
};

describe.each(Object.keys(places))("what is under way, in %s", (name) => {
  let place: Place;
  /** Seconds since the epoch. */
  let now: number;
  beforeEach(async () => {
    const openPlace = places[name];
    if (openPlace === undefined) throw new Error(name);
    place = await openPlace();
    now = Math.floor(place.now() / 1000);
  });

  /** @param startedAgo and all that follows in seconds */
  function begun(
    id: string,
    side: Side,
    startedAgo: number,
    { epoch = 0, seenAgo = startedAgo, expiresIn = 600, kind = "journeys" as UnderWayKind } = {},
  ): UnderWayNote {
    const underWay = { side, startedAt: now - startedAgo, expiresAt: now + expiresIn };
    return { kind, cutover: "checkout", id, epoch, atMs: (now - seenAgo) * 1000 + 1, underWay };
  }
  function over(id: string, endedAgo: number, epoch = 0, kind: UnderWayKind = "journeys"): UnderWayNote {
    return { kind, cutover: "checkout", id, epoch, atMs: (now - endedAgo) * 1000 };
  }
  /** @returns for each side `how many, age of the oldest in seconds` */
  async function counted(epoch = 0, kind: UnderWayKind = "journeys", from = place.one) {
    const [counts] = await from.count([{ kind, cutover: "checkout", epoch }]);
    if (counts === undefined) return undefined;
    const text = ({ count, oldestStartedAt }: UnderWayCount) =>
      oldestStartedAt === undefined ? `${count}` : `${count}, ${now - oldestStartedAt}`;
    return [text(counts.legacy), text(counts.new)];
  }

  test("counts each side apart, with its oldest start", async () => {
    expect(await counted()).toEqual(["0", "0"]);
    await place.one.note([begun("a", "legacy", 50), begun("b", "legacy", 90), begun("c", "new", 5)]);
    expect(await counted()).toEqual(["2, 90", "1, 5"]);
    expect(await counted(0, "journeys", place.other)).toEqual(["2, 90", "1, 5"]);
  });

  test("counts once what two instances have seen, and what was noted twice", async () => {
    const note = begun("a", "legacy", 50);
    await Promise.all([place.one.note([note]), place.other.note([note]), place.one.note([note])]);
    expect(await counted()).toEqual(["1, 50", "0"]);
  });

  test("counts no more what is over, whoever says so, nor what was seen of it before and noted late", async () => {
    await place.one.note([begun("a", "new", 50), begun("b", "new", 20)]);
    await place.other.note([over("a", 0)]);
    expect(await counted()).toEqual(["0", "1, 20"]);
    await place.one.note([begun("a", "new", 50, { seenAgo: 10 })]);
    // Its pin lives on for the grace; a request of the confirmation page is none of a journey that is under way.
    await place.one.note([{ ...begun("a", "new", 50), atMs: now * 1000 + 500 }]);
    expect(await counted()).toEqual(["0", "1, 20"]);
  });

  test("keeps to an end that was noted before the start", async () => {
    await place.other.note([over("a", 1)]);
    await place.one.note([begun("a", "legacy", 2)]);
    expect(await counted()).toEqual(["0", "0"]);
  });

  test("counts again what begins anew under its id after its end", async () => {
    await place.one.note([begun("a", "legacy", 50)]);
    await place.one.note([over("a", 20)]);
    await place.one.note([begun("a", "legacy", 3)]);
    expect(await counted()).toEqual(["1, 3", "0"]);
  });

  test("takes the later start and does not go back to an older sighting", async () => {
    await place.one.note([begun("a", "legacy", 10)]);
    await place.other.note([begun("a", "legacy", 50)]);
    expect(await counted()).toEqual(["1, 10", "0"]);
  });

  test("does not count what has expired, nor its start as the oldest", async () => {
    await place.one.note([begun("a", "legacy", 50, { expiresIn: 0 }), begun("b", "legacy", 5)]);
    expect(await counted()).toEqual(["1, 5", "0"]);
  });

  test("tells once of what has expired, by side, whoever asks first", async () => {
    const expired: string[] = [];
    const ask = (store: UnderWayStore) =>
      store.count([{ kind: "journeys", cutover: "checkout", epoch: 0 }], ({ kind }, { legacy, new: onNew }) =>
        expired.push(`${kind} ${legacy} ${onNew}`),
      );
    await place.one.note([
      begun("a", "legacy", 50, { expiresIn: 1 }),
      begun("b", "new", 50, { expiresIn: 1 }),
      begun("c", "new", 50, { expiresIn: 1 }),
      begun("d", "new", 50),
      begun("e", "new", 50, { expiresIn: 1 }),
      over("e", 0),
    ]);
    await ask(place.one);
    await place.pass(1100);
    await ask(place.other);
    await ask(place.one);
    expect(expired).toEqual(["journeys 0 0", "journeys 1 2", "journeys 0 0"]);
  });

  test("keeps what is on new apart by epoch, and what is on legacy together", async () => {
    await place.one.note([begun("a", "new", 50), begun("b", "legacy", 40)]);
    expect(await counted(1)).toEqual(["1, 40", "0"]);
    await place.one.note([
      begun("c", "new", 5, { epoch: 1 }),
      begun("d", "legacy", 4, { epoch: 1 }),
      over("b", 0, 0),
    ]);
    expect(await counted(1)).toEqual(["1, 4", "1, 5"]);
    expect(await counted(0)).toEqual(["1, 4", "1, 50"]);
  });

  test("keeps journeys, orders and cutovers apart", async () => {
    await place.one.note([begun("a", "new", 50, { kind: "orders" }), over("a", 0, 0, "journeys")]);
    await place.one.note([{ ...begun("x", "new", 7), cutover: "search" }]);
    expect(await counted(0, "orders")).toEqual(["0", "1, 50"]);
    expect(await counted()).toEqual(["0", "0"]);
    const answers = await place.one.count([
      { kind: "journeys", cutover: "search", epoch: 0 },
      { kind: "orders", cutover: "checkout", epoch: 0 },
    ]);
    expect(answers.map((counts) => counts?.new.oldestStartedAt)).toEqual([now - 7, now - 50]);
  });

  test("counts an order no more once it is over, whichever side owns it", async () => {
    await place.one.note([
      begun("a", "new", 50, { kind: "orders" }),
      begun("b", "legacy", 50, { kind: "orders" }),
    ]);
    await place.other.note([over("a", 0, 0, "orders"), over("b", 0, 0, "orders")]);
    expect(await counted(0, "orders")).toEqual(["0", "0"]);
  });

  test("counts an order once and for all: named again it is no younger, and after its end it stays over", async () => {
    await place.one.note([
      begun("a", "new", 50, { kind: "orders" }),
      begun("b", "new", 40, { kind: "orders" }),
    ]);
    await place.other.note([begun("a", "new", 5, { kind: "orders" })]);
    expect(await counted(0, "orders")).toEqual(["0", "2, 50"]);
    await place.one.note([over("a", 4, 0, "orders")]);
    await place.other.note([begun("a", "new", 3, { kind: "orders" })]);
    expect(await counted(0, "orders")).toEqual(["0", "1, 40"]);
  });

  test("a close listed none of the journeys it gave up: the ten oldest are named, the oldest first", async () => {
    await place.one.note(Array.from({ length: 12 }, (_, i) => begun(`j${i}`, "legacy", 20 + i)));
    const [counts] = await place.one.count([{ kind: "journeys", cutover: "checkout", epoch: 0 }]);
    expect(counts?.legacy.oldest).toEqual(
      Array.from({ length: 10 }, (_, i) => ({ id: `j${11 - i}`, startedAt: now - 31 + i })),
    );
    expect(counts?.new.oldest).toBeUndefined();
  });

  test("says at least so many once as many are kept as may", async () => {
    const some = (count: number) => Array.from({ length: count }, (_, i) => begun(`j${i}`, "new", 50));
    await place.one.note(some(most - 1));
    const question = { kind: "journeys", cutover: "checkout", epoch: 0 } as const;
    const [fits] = await place.one.count([question]);
    expect(fits?.new).toMatchObject({ count: most - 1, atLeast: false, oldestStartedAt: now - 50 });
    expect(await place.one.note(some(most + 100))).toBe(0);
    const [full] = await place.one.count([question]);
    expect(full?.new).toMatchObject({ count: most, atLeast: true });
    expect(full?.legacy).toMatchObject({ count: 0, atLeast: false });
    // Those that are kept can still end.
    await place.one.note(some(most).map(({ underWay: _, ...note }) => ({ ...note, atMs: now * 1000 })));
    expect(await counted()).toEqual(["0", "0"]);
  });
});

describe("in memory", () => {
  test("forgets by its own clock: journeys as they expire, ends when no note of them can come any more", async () => {
    const time = createManualTime();
    const store = createUnderWayInProcess(time);
    const question = { kind: "journeys", cutover: "checkout", epoch: 0 } as const;
    const start = Math.floor(time.now() / 1000);
    const note = (id: string, expiresAt: number): UnderWayNote => ({
      ...question,
      id,
      atMs: time.now(),
      underWay: { side: "legacy", startedAt: start, expiresAt },
    });
    await store.note([note("a", start + 60), note("b", start + 90)]);
    await time.advance(59_999);
    expect((await store.count([question]))[0]?.legacy.count).toBe(2);
    await time.advance(1);
    expect((await store.count([question]))[0]?.legacy.count).toBe(1);
    await time.advance(30_000);
    expect((await store.count([question]))[0]?.legacy).toEqual({
      count: 0,
      atLeast: false,
      oldestStartedAt: undefined,
    });
  });
});

describe("in Redis", () => {
  const question = { kind: "journeys", cutover: "checkout", epoch: 0 } as const;
  const store = () => {
    const [client] = clients;
    if (client === undefined) throw new Error("no client");
    return createUnderWayInRedis({ client, prefix: "cutover", deadlineMs: 5000 });
  };
  const note = (id: string, expiresIn: number): UnderWayNote => {
    const now = Math.floor(Date.now() / 1000);
    const underWay = { side: "new", startedAt: now, expiresAt: now + expiresIn } as const;
    return { ...question, id, epoch: 2, atMs: Date.now(), underWay };
  };
  beforeEach(async () => void (await redis.cli("FLUSHALL")));

  test("everything goes by itself: the sets with their last journey, the ends ten minutes later", async () => {
    await store().note([
      note("a", 100),
      note("b", 7200),
      { ...question, id: "c", epoch: 2, atMs: Date.now() },
    ]);
    const keys = await redis.cli("KEYS", "*");
    const names = Array.isArray(keys) ? keys.map(String).sort() : [];
    expect(names).toEqual([
      "cutover:{checkout}:journeys:new:2",
      "cutover:{checkout}:journeys:new:2:started",
      "cutover:{checkout}:journeys:over",
    ]);
    const left = await Promise.all(names.map(async (key) => Number(await redis.cli("TTL", key))));
    expect(left[0]).toBeGreaterThan(7790);
    expect(left[1]).toBe(left[0]);
    expect(left[2]).toBeGreaterThan(590);
    expect(left[2]).toBeLessThanOrEqual(600);
  });

  test("a great many that have expired together go a part at a time, and it tells no number meanwhile", async () => {
    const members = Array.from({ length: 5000 }, (_, i) => ["1", `x${i}`]).flat();
    for (let round = 0; round < 5; round++) {
      const other = members.map((text) => (text === "1" ? text : `${text}-${round}`));
      await redis.cli("ZADD", "cutover:{checkout}:journeys:legacy", ...other);
      await redis.cli("ZADD", "cutover:{checkout}:journeys:legacy:started", ...other);
    }
    const expired: number[] = [];
    const count = () => store().count([question], (_, { legacy }) => expired.push(legacy));
    expect(await count()).toEqual([undefined]);
    expect((await count())[0]?.legacy.count).toBe(0);
    expect(expired).toEqual([20_000, 5000]);
  });

  test("what is of another kind, or was half taken away, tells no number and troubles no other cutover", async () => {
    await redis.cli("SET", "cutover:{checkout}:journeys:legacy", "x");
    const other = { ...question, cutover: "search" };
    await store().note([{ ...note("a", 60), cutover: "search", epoch: 0 }]);
    expect(await store().note([{ ...note("a", 60), epoch: 0 }])).toBe(1);
    const [broken, sound] = await store().count([question, other]);
    expect(broken).toBeUndefined();
    expect(sound?.new.count).toBe(1);
    await redis.cli("DEL", "cutover:{search}:journeys:new:started");
    expect(await store().count([other])).toEqual([undefined]);
  });

  test("a store out of reach is an error, not a zero", async () => {
    const away = createRedisClient("redis://127.0.0.1:1");
    const far = createUnderWayInRedis({ client: away, prefix: "cutover", deadlineMs: 50 });
    await expect(far.count([question])).rejects.toThrow("did not answer");
    await expect(far.note([note("a", 60)])).rejects.toThrow("did not answer");
    await away.close();
  });
});

/** One suite for every place of owners and pins: memory, file, Redis. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { JourneyPin } from "../../src/decide/pin.ts";
import { createMemoryStores, openFileStores } from "../../src/ownership/in-process.ts";
import { createRedisStores } from "../../src/ownership/redis.ts";
import type { OwnershipStores } from "../../src/ownership/store.ts";
import { createRedisClient, type RedisClient } from "../../src/state/redis/client.ts";
import { createManualTime } from "../support/manual-time.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";

interface Place {
  /** Two instances' views of one place; the same one where a place has a single process. */
  readonly one: OwnershipStores;
  readonly other: OwnershipStores;
  passTime(ms: number): Promise<void>;
}

let redis: RedisServer;
let clients: RedisClient[] = [];
let folder: string;
let count = 0;

beforeAll(async () => {
  redis = await startRedis();
  clients = [createRedisClient(redis.url), createRedisClient(redis.url)];
  folder = await mkdtemp(join(tmpdir(), "cutover-owners-"));
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await redis.stop();
  await rm(folder, { recursive: true, force: true });
});

const hour = 3_600_000;
const maxTtl = 14_400;

const places: Readonly<Record<string, () => Promise<Place>>> = {
  async memory() {
    const time = createManualTime();
    const one = createMemoryStores(time);
    return { one, other: one, passTime: time.advance };
  },
  async file() {
    const time = createManualTime();
    const one = await openFileStores(join(folder, `${count++}.owners`), time);
    return { one, other: one, passTime: time.advance };
  },
  async redis() {
    await redis.cli("FLUSHALL");
    const [one, other] = clients.map((client) =>
      createRedisStores({ client, prefix: "cutover", deadlineMs: 5000 }),
    );
    if (one === undefined || other === undefined) throw new Error("no client");
    return { one, other, passTime: async (ms) => void (await sleep(ms)) };
  },
};

describe.each(Object.keys(places))("owners and pins in %s", (kind) => {
  let place: Place;
  afterEach(() => place.one.close());
  beforeEach(async () => {
    const open = places[kind];
    if (open === undefined) throw new Error(kind);
    place = await open();
  });

  describe("owners", () => {
    test("a key has no owner before it is claimed, and then the one that claimed it", async () => {
      const { owners } = place.one;
      expect(await owners.lookup("checkout", ["a", "b"])).toEqual([undefined, undefined]);
      expect(await owners.claim("checkout", "a", "new", hour)).toBeUndefined();
      expect(await owners.claim("checkout", "a", "legacy", hour)).toBe("new");
      expect(await place.other.owners.lookup("checkout", ["b", "a"])).toEqual([undefined, "new"]);
    });

    test("a claim of one's own again changes nothing", async () => {
      const { owners } = place.one;
      await owners.claim("checkout", "a", "new", hour);
      expect(await owners.claim("checkout", "a", "new", hour)).toBe("new");
    });

    test("the same key of two cutovers is two keys", async () => {
      const { owners } = place.one;
      await owners.claim("checkout", "a", "new", hour);
      expect(await owners.claim("wallet", "a", "legacy", hour)).toBeUndefined();
      expect(await owners.lookup("checkout", ["a"])).toEqual(["new"]);
      expect(await owners.lookup("wallet", ["a"])).toEqual(["legacy"]);
    });

    test("of many claims at once from two instances one wins, and all the others hear of it", async () => {
      const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
      for (const key of keys) {
        const claims = await Promise.all(
          Array.from({ length: 20 }, async (_, i) => {
            const side = i % 2 === 0 ? ("new" as const) : ("legacy" as const);
            const { owners } = i % 4 < 2 ? place.one : place.other;
            return { side, before: await owners.claim("checkout", key, side, hour) };
          }),
        );
        const winners = claims.filter(({ before }) => before === undefined);
        expect(winners).toHaveLength(1);
        const [owner] = await place.one.owners.lookup("checkout", [key]);
        expect(winners[0]?.side).toBe(owner);
        expect(claims.every(({ before }) => before === undefined || before === owner)).toBe(true);
      }
    });

    test("an owner is forgotten after its time, and the key can be claimed anew", async () => {
      const { owners } = place.one;
      await owners.claim("checkout", "a", "new", 50);
      await owners.claim("checkout", "b", "new", hour);
      await place.passTime(60);
      expect(await owners.lookup("checkout", ["a", "b"])).toEqual([undefined, "new"]);
      expect(await owners.claim("checkout", "a", "legacy", hour)).toBeUndefined();
    });

    test.each([
      ["text in UTF-8", Buffer.from("Bestellung-ß-注文", "utf8").toString("latin1")],
      ["bytes that are no UTF-8", "\xe9\xff\x80"],
      ["control characters and quotes", 'a\r\n"\\\0b'],
      ["what looks like another key", "x}:owner:y"],
      ["the longest there is", "k".repeat(512)],
    ])("a key is its bytes: %s", async (_, key) => {
      await place.one.owners.claim("checkout", key, "new", hour);
      expect(await place.other.owners.lookup("checkout", [key, `${key}x`])).toEqual(["new", undefined]);
    });

    test("a byte and its UTF-8 form are two keys", async () => {
      const { owners } = place.one;
      await owners.claim("checkout", "\xe9", "new", hour);
      expect(await owners.lookup("checkout", ["\xc3\xa9"])).toEqual([undefined]);
    });
  });

  describe("pins", () => {
    const pin = (id: string, more: Partial<JourneyPin> = {}): JourneyPin => {
      const { startedAt = 1_700_000_000 } = more;
      return { id: id.repeat(12), side: "new", epoch: 0, startedAt, expiresAt: startedAt + maxTtl, ...more };
    };
    const start = (offer: JourneyPin, shopper = "s") =>
      place.one.pins.start("checkout", shopper, offer, maxTtl);
    const find = (shopper = "s") => place.other.pins.find("checkout", shopper, maxTtl);

    test("begin with the first start and are found by every instance", async () => {
      expect(await find()).toBeUndefined();
      expect(await start(pin("a"))).toEqual(pin("a"));
      expect(await find()).toEqual(pin("a"));
      expect(await find("another")).toBeUndefined();
      expect(await place.one.pins.find("wallet", "s", maxTtl)).toBeUndefined();
    });

    test("a start on the other side meets the journey there is, unchanged", async () => {
      await start(pin("a"));
      const later = pin("b", { side: "legacy", startedAt: 1_700_000_100 });
      expect(await start(later)).toEqual(pin("a"));
      expect(await find()).toEqual(pin("a"));
    });

    test("a start on the same side renews the journey under its own id", async () => {
      await start(pin("a"));
      const later = pin("b", { startedAt: 1_700_000_100, epoch: 1 });
      // The pin's epoch is older: on legacy that does not matter.
      await start(pin("c", { side: "legacy" }), "t");
      const renewed = await start(pin("d", { side: "legacy", startedAt: 1_700_000_100, epoch: 1 }), "t");
      expect(renewed).toEqual(pin("c", { side: "legacy", startedAt: 1_700_000_100, epoch: 1 }));
      const again = pin("b", { startedAt: 1_700_000_100 });
      expect(await start(again)).toEqual({ ...again, id: pin("a").id });
      expect(await find()).toEqual({ ...again, id: pin("a").id });
      expect(later.epoch).toBe(1);
    });

    test("a journey on new from before a hard rollback gives way", async () => {
      await start(pin("a"));
      const after = pin("b", { side: "legacy", epoch: 1, startedAt: 1_700_000_100 });
      expect(await start(after)).toEqual(after);
      expect(await find()).toEqual(after);
    });

    test("whoever began a journey may move it", async () => {
      await start(pin("a"));
      const moved = pin("a", { side: "legacy" });
      expect(await start(moved)).toEqual(moved);
      expect(await find()).toEqual(moved);
    });

    test("of many starts at once from two instances all get one journey", async () => {
      const offers = Array.from({ length: 20 }, (_, i) =>
        pin(String.fromCharCode(97 + i), { side: i % 2 === 0 ? "new" : "legacy" }),
      );
      const met = await Promise.all(
        offers.map((offer, i) =>
          (i % 4 < 2 ? place.one : place.other).pins.start("checkout", "s", offer, maxTtl),
        ),
      );
      expect(new Set(met.map(({ id, side }) => `${id} ${side}`)).size).toBe(1);
    });

    test("an ended journey keeps its side for the grace only, and a start within it goes on there", async () => {
      await start(pin("a"));
      expect(await place.one.pins.end("checkout", "s", 1, maxTtl)).toEqual(pin("a"));
      expect(await find()).toEqual(pin("a"));
      await place.passTime(1100);
      expect(await find()).toBeUndefined();
      await start(pin("b"), "t");
      await place.one.pins.end("checkout", "t", 1, maxTtl);
      await start(pin("c", { side: "legacy", startedAt: 1_700_000_100 }), "t");
      await place.passTime(1100);
      expect(await find("t")).toEqual(pin("b"));
    });

    test("ending where there is none is nothing", async () => {
      expect(await place.one.pins.end("checkout", "s", 60, maxTtl)).toBeUndefined();
      expect(await find()).toBeUndefined();
    });

    test("a start past the maximum of a pin on the other side begins anew", async () => {
      await start(pin("a"));
      const late = pin("b", { side: "legacy", startedAt: 1_700_000_000 + maxTtl });
      expect(await start(late)).toEqual(late);
    });
  });
});

describe("owners and pins in redis, as people find and leave them", () => {
  const stores = () => {
    const [client] = clients;
    if (client === undefined) throw new Error("no client");
    return createRedisStores({ client, prefix: "cutover", deadlineMs: 5000 });
  };
  beforeEach(async () => void (await redis.cli("FLUSHALL")));

  test("an owner stands under its key as it is written, with a TTL", async () => {
    await stores().owners.claim("checkout", Buffer.from("INV-ß-7").toString("latin1"), "new", 86_400_000);
    const key = "cutover:{checkout}:owner:INV-ß-7";
    expect(await redis.cli("GET", key)).toBe("new");
    const ttl = Number(await redis.cli("PTTL", key));
    expect(ttl).toBeGreaterThan(86_390_000);
    expect(ttl).toBeLessThanOrEqual(86_400_000);
  });

  test("an owner that somebody wrote by hand is one", async () => {
    await redis.cli("SET", "cutover:{checkout}:owner:INV-7", "legacy");
    expect(await stores().owners.lookup("checkout", ["INV-7"])).toEqual(["legacy"]);
    expect(await stores().owners.claim("checkout", "INV-7", "new", hour)).toBe("legacy");
  });

  test.each([
    ["a hash", ["HSET", "f", "v"]],
    ["a list", ["RPUSH", "v"]],
    ["garbage", ["SET", "both"]],
    ["nothing", ["SET", ""]],
  ])(
    "%s in an owner's place counts as none and gives way to the next claim",
    async (_, [command = "", ...rest]) => {
      const { owners } = stores();
      await redis.cli(command, "cutover:{checkout}:owner:a", ...rest);
      await redis.cli("SET", "cutover:{checkout}:owner:b", "new");
      expect(await owners.lookup("checkout", ["a", "b"])).toEqual([undefined, "new"]);
      expect(await owners.claim("checkout", "a", "legacy", hour)).toBeUndefined();
      expect(await owners.lookup("checkout", ["a"])).toEqual(["legacy"]);
      expect(Number(await redis.cli("PTTL", "cutover:{checkout}:owner:a"))).toBeGreaterThan(0);
    },
  );

  test("every instance hears of a new owner, whatever bytes its key has, and of nothing else", async () => {
    const { owners, watch } = stores();
    const heard: string[] = [];
    const stop = watch?.((cutover, key, side) => heard.push(`${cutover} ${key} ${side}`));
    await expect.poll(() => redis.cli("PUBSUB", "NUMSUB", "cutover:owners")).toEqual(["cutover:owners", 1]);
    await redis.cli("PUBLISH", "cutover:owners", "nonsense");
    await owners.claim("checkout", "\xe9:\n1", "new", hour);
    await owners.claim("checkout", "\xe9:\n1", "legacy", hour);
    await owners.claim("wallet", "O2", "legacy", hour);
    await expect.poll(() => heard).toEqual(["checkout \xe9:\n1 new", "wallet O2 legacy"]);
    stop?.();
  });

  const pinKey = `cutover:{checkout}:pin:${"03ac674216f3e15c761ee1a5e255f067"}`;
  const offer: JourneyPin = {
    id: "abcdefghijkl",
    side: "new",
    epoch: 2,
    startedAt: 1_700_000_000,
    expiresAt: 1_700_000_000 + maxTtl,
  };

  test("a pin stands under a digest of its shopper for the journey's maximum", async () => {
    // SHA-256 of 1234 begins with 03ac674216f3e15c761ee1a5e255f067.
    await stores().pins.start("checkout", "1234", offer, maxTtl);
    expect(await redis.cli("GET", pinKey)).toBe("new.2.1700000000.abcdefghijkl");
    expect(Number(await redis.cli("TTL", pinKey))).toBe(maxTtl);
    expect(await redis.cli("KEYS", "*1234*")).toEqual([]);
  });

  test.each([
    ["a hash", ["HSET", "f", "v"]],
    ["garbage", ["SET", "new.x.1.abcdefghijkl"]],
    ["an id cut short", ["SET", "new.2.1700000000.abc"]],
  ])("%s in a pin's place is none and gives way to the next start", async (_, [command = "", ...rest]) => {
    const { pins } = stores();
    await redis.cli(command, pinKey, ...rest);
    expect(await pins.find("checkout", "1234", maxTtl)).toBeUndefined();
    expect(await pins.end("checkout", "1234", 60, maxTtl)).toBeUndefined();
    expect(await pins.start("checkout", "1234", offer, maxTtl)).toEqual(offer);
    expect(await pins.find("checkout", "1234", maxTtl)).toEqual(offer);
  });
});

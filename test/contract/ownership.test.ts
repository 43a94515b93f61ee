/** One suite for every place of owners and pins: memory, file, Redis. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { JourneyPin } from "../../src/decide/pin.ts";
import { createMemoryStores, openFileStores } from "../../src/ownership/stores/in-process.ts";
import { type NamedKey, type OwnershipStores, pinDigest } from "../../src/ownership/stores/port.ts";
import { createRedisStores } from "../../src/ownership/stores/redis.ts";
import { createRedisClient, type RedisClient } from "../../src/redis/client.ts";
import { type Side, sides } from "../../src/state/rules/model.ts";
import { createManualTime } from "../support/manual-time.ts";
import { claim, fact } from "../support/named-keys.ts";
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
    const openPlace = places[kind];
    if (openPlace === undefined) throw new Error(kind);
    place = await openPlace();
  });

  test("a cart's key is released by the side that has it, by nobody else, and by none twice", async () => {
    const { owners } = place.one;
    await owners.record("checkout", fact("cart"), "new", hour);
    expect(await place.other.owners.release("checkout", "cart", "legacy")).toBe(false);
    expect(await owners.release("wallet", "cart", "new")).toBe(false);
    expect(await owners.lookup("checkout", [fact("cart")])).toEqual(["new"]);
    expect(await place.other.owners.release("checkout", "cart", "new")).toBe(true);
    expect(await owners.lookup("checkout", [fact("cart")])).toEqual([undefined]);
    expect(await owners.release("checkout", "cart", "new")).toBe(false);
    // The next cart of the key is the other side's, and stays so though the first one's payment is told again.
    expect(await owners.record("checkout", fact("cart"), "legacy", hour)).toBeUndefined();
    expect(await owners.release("checkout", "cart", "new")).toBe(false);
    expect(await owners.lookup("checkout", [fact("cart")])).toEqual(["legacy"]);
  });

  test("an idempotency key with the text of a cart that is released stays claimed, tentatively or not", async () => {
    const { owners } = place.one;
    const tentative = [hour, false, "token"] as const;
    await owners.record("checkout", claim("first"), "new", hour);
    expect(await owners.release("checkout", "first", "new")).toBe(false);
    await owners.record("checkout", claim("met"), "new", ...tentative);
    expect(await owners.release("checkout", "met", "new")).toBe(false);
    for (const key of ["first", "met"]) await owners.record("checkout", fact(key), "new", hour);
    await owners.record("checkout", fact("second"), "new", hour);
    await owners.record("checkout", claim("second"), "legacy", hour);
    for (const key of ["first", "met", "second"]) {
      expect(await owners.release("checkout", key, "new")).toBe(true);
      expect((await owners.lookup("checkout", [fact(key)]))[0]).toBeUndefined();
      expect(await owners.record("checkout", claim(key), "legacy", hour)).toBe("new");
    }
  });

  describe.each([
    ["facts", fact],
    ["claims", claim],
  ] as const)("owners by %s", (_, named) => {
    test("a key has no owner before it is recorded, and then the one that it was recorded for", async () => {
      const { owners } = place.one;
      expect(await owners.lookup("checkout", [named("a"), named("b")])).toEqual([undefined, undefined]);
      expect(await owners.record("checkout", named("a"), "new", hour)).toBeUndefined();
      expect(await owners.record("checkout", named("a"), "legacy", hour)).toBe("new");
      expect(await place.other.owners.lookup("checkout", [named("b"), named("a")])).toEqual([
        undefined,
        "new",
      ]);
    });

    test("recording the same again changes nothing", async () => {
      const { owners } = place.one;
      await owners.record("checkout", named("a"), "new", hour);
      expect(await owners.record("checkout", named("a"), "new", hour)).toBe("new");
    });

    test("the same key of two cutovers is two keys", async () => {
      const { owners } = place.one;
      await owners.record("checkout", named("a"), "new", hour);
      expect(await owners.record("wallet", named("a"), "legacy", hour)).toBeUndefined();
      expect(await owners.lookup("checkout", [named("a")])).toEqual(["new"]);
      expect(await owners.lookup("wallet", [named("a")])).toEqual(["legacy"]);
    });

    test("of many records at once from two instances one wins, and all the others hear of it", async () => {
      const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
      for (const key of keys) {
        const claims = await Promise.all(
          Array.from({ length: 20 }, async (_, i) => {
            const side = i % 2 === 0 ? ("new" as const) : ("legacy" as const);
            const { owners } = i % 4 < 2 ? place.one : place.other;
            return { side, before: await owners.record("checkout", named(key), side, hour) };
          }),
        );
        const winners = claims.filter(({ before }) => before === undefined);
        expect(winners).toHaveLength(1);
        const [owner] = await place.one.owners.lookup("checkout", [named(key)]);
        expect(winners[0]?.side).toBe(owner);
        expect(claims.every(({ before }) => before === undefined || before === owner)).toBe(true);
      }
    });

    test("an owner is forgotten after its time, and the key can be recorded anew", async () => {
      const { owners } = place.one;
      await owners.record("checkout", named("a"), "new", 50);
      await owners.record("checkout", named("b"), "new", hour);
      await place.passTime(60);
      expect(await owners.lookup("checkout", [named("a"), named("b")])).toEqual([undefined, "new"]);
      expect(await owners.record("checkout", named("a"), "legacy", hour)).toBeUndefined();
    });

    test.each([
      ["text in UTF-8", Buffer.from("Bestellung-ß-注文", "utf8").toString("latin1")],
      ["bytes that are no UTF-8", "\xe9\xff\x80"],
      ["control characters and quotes", 'a\r\n"\\\0b'],
      ["what looks like another key", "x}:owner:y"],
      ["the longest there is", "k".repeat(512)],
    ])("a key is its bytes: %s", async (__, key) => {
      await place.one.owners.record("checkout", named(key), "new", hour);
      expect(await place.other.owners.lookup("checkout", [named(key), named(`${key}x`)])).toEqual([
        "new",
        undefined,
      ]);
    });

    test("a byte and its UTF-8 form are two keys", async () => {
      const { owners } = place.one;
      await owners.record("checkout", named("\xe9"), "new", hour);
      expect(await owners.lookup("checkout", [named("\xc3\xa9")])).toEqual([undefined]);
    });
  });

  describe("a key that is both", () => {
    const record = (key: NamedKey, side: Side, ttlMs = hour, { owners } = place.one) =>
      owners.record("checkout", key, side, ttlMs);
    const lookup = () => place.other.owners.lookup("checkout", [fact("O1"), claim("O1")]);

    test("a client that names its request as an order to come gives that order no owner", async () => {
      await record(claim("O1"), "new");
      expect(await lookup()).toEqual([undefined, "new"]);
      expect(await record(fact("O1"), "legacy", hour, place.other)).toBeUndefined();
      expect(await lookup()).toEqual(["legacy", "new"]);
    });

    test.each(sides)(
      "a request that %s has had in an outage stays there, though an order of that name was made elsewhere since",
      async (side) => {
        const { owners } = place.one;
        const elsewhere = side === "new" ? "legacy" : "new";
        await record(fact("O1"), elsewhere);
        expect(await owners.record("checkout", claim("O1"), side, hour, true)).toBeUndefined();
        expect(await lookup()).toEqual([elsewhere, side]);
        expect(await owners.record("checkout", claim("O1"), elsewhere, hour, true)).toBe(side);
        expect(await record(claim("O1"), elsewhere)).toBe(side);
      },
    );

    test.each(sides)(
      "the request keeps its side when the order is made on %s, and the order its own",
      async (side) => {
        await record(claim("O1"), "new");
        await record(fact("O1"), side);
        for (let again = 0; again < 2; again++) {
          expect(await record(claim("O1"), "legacy", hour, place.other)).toBe("new");
          expect(await record(fact("O1"), side === "new" ? "legacy" : "new", hour, place.other)).toBe(side);
        }
        expect(await lookup()).toEqual([side, "new"]);
      },
    );

    test("a request that is named as an order there is begins where the order is, and stays", async () => {
      await record(fact("O1"), "legacy", 300);
      expect(await record(claim("O1"), "new", hour, place.other)).toBe("legacy");
      expect(await lookup()).toEqual(["legacy", "legacy"]);
      await place.passTime(310);
      expect(await lookup()).toEqual([undefined, "legacy"]);
      expect(await record(claim("O1"), "new")).toBe("legacy");
    });

    test.each(sides)("each is kept for its own time, with the order on %s", async (side) => {
      await record(claim("O1"), "new", 300);
      await record(fact("O1"), side);
      await place.passTime(310);
      expect(await lookup()).toEqual([side, side]);
      await record(claim("O2"), "new");
      await record(fact("O2"), side, 300);
      await place.passTime(310);
      expect(await place.one.owners.lookup("checkout", [fact("O2"), claim("O2")])).toEqual([
        undefined,
        "new",
      ]);
    });

    test("of a claim and a fact at once from two instances both count, whichever is first", async () => {
      for (let i = 0; i < 50; i++) {
        const key = `both${i}`;
        const [before] = await Promise.all([
          record(claim(key), "new"),
          record(fact(key), "legacy", hour, place.other),
        ]);
        expect(await place.one.owners.lookup("checkout", [fact(key), claim(key)])).toEqual([
          "legacy",
          before ?? "new",
        ]);
      }
    });
  });

  describe("tentative claims", () => {
    const record = (side: Side, token?: string, at: OwnershipStores = place.one) =>
      at.owners.record("checkout", claim("k"), side, hour, false, token);
    const settle = (token: string, isKept: boolean) =>
      place.one.owners.settle("checkout", claim("k"), token, isKept);
    const told = () => place.other.owners.lookup("checkout", [claim("k"), fact("k")]);

    test("are told to nobody, and gone when they are given back", async () => {
      expect(await record("new", "t1")).toBeUndefined();
      expect(await told()).toEqual([undefined, undefined]);
      await settle("another", false);
      await settle("t1", false);
      expect(await record("legacy", undefined, place.other)).toBeUndefined();
      expect(await told()).toEqual(["legacy", undefined]);
    });

    test("last once their request was sent", async () => {
      await record("new", "t1");
      await settle("t1", true);
      await settle("t1", false);
      expect(await told()).toEqual(["new", undefined]);
      expect(await record("legacy", "t2")).toBe("new");
    });

    test("last once another request has met them, whatever becomes of the first", async () => {
      await record("new", "t1");
      expect(await record("legacy", "t2", place.other)).toBe("new");
      await settle("t1", false);
      await settle("t2", false);
      expect(await told()).toEqual(["new", undefined]);
    });

    test("that are another's by now are not given back", async () => {
      await record("new", "t1");
      await settle("t1", false);
      await record("legacy", "t2");
      await settle("t1", false);
      expect(await record("new")).toBe("legacy");
    });

    test("and facts leave each other as they are", async () => {
      await record("new", "t1");
      expect(await place.one.owners.record("checkout", fact("k"), "legacy", hour)).toBeUndefined();
      expect(await told()).toEqual(["legacy", "legacy"]);
      await settle("t1", false);
      expect(await told()).toEqual(["legacy", "legacy"]);
      expect(await record("new", "t2")).toBe("legacy");
    });
  });

  describe("pins", () => {
    const pin = (id: string, more: Partial<JourneyPin> = {}): JourneyPin => {
      const { startedAt = 1_700_000_000 } = more;
      return { id: id.repeat(12), side: "new", epoch: 0, startedAt, expiresAt: startedAt + maxTtl, ...more };
    };
    const start = (offer: JourneyPin, shopper = "s") =>
      place.one.pins.start("checkout", shopper, offer, maxTtl);
    const reserve = (offer: JourneyPin, shopper = "s", reserveTtl = 300) =>
      place.other.pins.reserve("checkout", shopper, offer, maxTtl, reserveTtl);
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

    test("an ended journey keeps its side for the grace only, and a start within it begins anew", async () => {
      await start(pin("a"));
      expect(await place.one.pins.end("checkout", "s", 1, maxTtl)).toEqual(pin("a"));
      expect(await find()).toEqual(pin("a", { ended: true }));
      expect(await place.one.pins.end("checkout", "s", 60, maxTtl)).toBeUndefined();
      await place.passTime(1100);
      expect(await find()).toBeUndefined();
      await start(pin("b"), "t");
      await place.one.pins.end("checkout", "t", 1, maxTtl);
      const next = pin("c", { side: "legacy", startedAt: 1_700_000_100 });
      expect(await reserve(next, "t")).toEqual({ ...next, reserved: 1 });
      expect(await start(next, "t")).toEqual(next);
      await place.passTime(1100);
      expect(await find("t")).toEqual(next);
    });

    test("starts under way hold one side, until one is answered and it is kept", async () => {
      expect(await reserve(pin("a"))).toEqual(pin("a", { reserved: 1 }));
      expect(await reserve(pin("b", { side: "legacy" }))).toEqual(pin("a", { reserved: 2 }));
      expect(await find()).toEqual(pin("a", { reserved: 2 }));
      expect(await place.one.pins.end("checkout", "s", 60, maxTtl)).toBeUndefined();
      expect(await start(pin("a"))).toEqual(pin("a"));
      await place.one.pins.release("checkout", "s", pin("a").id);
      expect(await find()).toEqual(pin("a"));
      expect(await reserve(pin("c", { side: "legacy" }))).toEqual(pin("a"));
    });

    test("nothing is left of starts that failed, and others' holds stay", async () => {
      await reserve(pin("a"));
      await reserve(pin("b", { side: "legacy" }));
      await place.one.pins.release("checkout", "s", pin("z").id);
      await place.one.pins.release("checkout", "s", pin("a").id);
      expect(await find()).toEqual(pin("a", { reserved: 1 }));
      await place.other.pins.release("checkout", "s", pin("a").id);
      expect(await find()).toBeUndefined();
      expect(await reserve(pin("c", { side: "legacy" }))).toEqual(pin("c", { side: "legacy", reserved: 1 }));
    });

    test("a start that is never heard of again holds nothing when its time is over", async () => {
      await reserve(pin("a"), "s", 1);
      await reserve(pin("b"), "s", 1);
      await place.one.pins.release("checkout", "s", pin("a").id);
      await place.passTime(1100);
      expect(await find()).toBeUndefined();
    });

    test("the first to hold may move it, and a hard rollback voids what is reserved on new", async () => {
      await reserve(pin("a"));
      expect(await reserve(pin("a", { side: "legacy" }))).toEqual(pin("a", { side: "legacy", reserved: 1 }));
      await reserve(pin("b"), "t");
      const after = pin("c", { side: "legacy", epoch: 1 });
      expect(await reserve(after, "t")).toEqual({ ...after, reserved: 1 });
    });

    test("ending where there is none is nothing", async () => {
      expect(await place.one.pins.end("checkout", "s", 60, maxTtl)).toBeUndefined();
      expect(await find()).toBeUndefined();
    });

    test("what its cookie tells is kept of a journey under way, and of no other", async () => {
      await start(pin("a"));
      const later = pin("a", { startedAt: 1_700_000_100 });
      await place.one.pins.keep("checkout", "s", pin("b", { side: "legacy" }), 1);
      await place.one.pins.keep("checkout", "t", pin("b"), 60);
      expect(await find()).toEqual(pin("a"));
      expect(await find("t")).toBeUndefined();
      await place.one.pins.keep("checkout", "s", later, 1);
      expect(await find()).toEqual(later);
      await place.passTime(1100);
      expect(await find()).toBeUndefined();
      await reserve(pin("c"));
      await place.one.pins.keep("checkout", "s", pin("c"), 60);
      expect(await find()).toEqual(pin("c", { reserved: 1 }));
    });

    test("is ended by what tells it alone, where that is asked for: its id, or an order that is tied to it", async () => {
      const { pins } = place.one;
      await start(pin("a"));
      await pins.tie("checkout", ["O 1", "O:2"], pin("a").id, 60);
      await pins.tie("checkout", ["O3"], pin("b").id, 60);
      for (const by of [{ id: pin("b").id }, { orders: [] }, { orders: ["O3", "O4"] }]) {
        expect(await pins.end("checkout", "s", 60, maxTtl, by)).toBeUndefined();
      }
      expect(await pins.end("wallet", "s", 60, maxTtl, { orders: ["O:2"] })).toBeUndefined();
      expect(await find()).toEqual(pin("a"));
      expect(await place.other.pins.end("checkout", "s", 60, maxTtl, { orders: ["O3", "O:2"] })).toEqual(
        pin("a"),
      );
      expect(await find()).toEqual(pin("a", { ended: true }));
      await start(pin("b"), "t");
      expect(await pins.end("checkout", "t", 60, maxTtl, { id: pin("b").id })).toEqual(pin("b"));
    });

    test("is told of everywhere as it is made or held, and listed from then on", async () => {
      const heard: string[] = [];
      let hears = false;
      const leave = place.other.pinNews.watch(
        (cutover, digest) => heard.push(`${cutover} ${digest}`),
        (isHearing) => {
          hears = isHearing;
        },
      );
      await expect.poll(() => hears).toBe(true);
      await start(pin("a"));
      await reserve(pin("b"), "t");
      await place.one.pins.start("wallet", "s", pin("c"), maxTtl);
      const told = [`checkout ${pinDigest("s")}`, `checkout ${pinDigest("t")}`, `wallet ${pinDigest("s")}`];
      await expect.poll(() => heard).toEqual(told);
      leave();
      const listed: string[] = [];
      const from = await place.other.pinNews.list("checkout", maxTtl, (digests) => listed.push(...digests));
      expect(from).toBe(0);
      expect(listed.toSorted()).toEqual([pinDigest("s"), pinDigest("t")].toSorted());
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

  test.each([
    ["learned", fact],
    ["claimed", claim],
  ] as const)("an owner that was %s stands under its key as it is written, with a TTL", async (_, each) => {
    const named = each(Buffer.from("INV-ß-7").toString("latin1"));
    await stores().owners.record("checkout", named, "new", 86_400_000);
    const key = "cutover:{checkout}:owner:INV-ß-7";
    expect(await redis.cli("GET", key)).toBe("new");
    const ttl = Number(await redis.cli("PTTL", key));
    expect(ttl).toBeGreaterThan(86_390_000);
    expect(ttl).toBeLessThanOrEqual(86_400_000);
  });

  test("an owner that somebody wrote by hand, or that was recorded before claims were told apart, is a fact", async () => {
    const { owners } = stores();
    await redis.cli("SET", "cutover:{checkout}:owner:INV-7", "legacy");
    expect(await owners.lookup("checkout", [fact("INV-7"), claim("INV-7")])).toEqual(["legacy", "legacy"]);
    expect(await owners.record("checkout", claim("INV-7"), "new", hour)).toBe("legacy");
    expect(await owners.record("checkout", fact("INV-7"), "new", hour)).toBe("legacy");
    expect(await redis.cli("GET", "cutover:{checkout}:owner:INV-7")).toBe("legacy");
    expect(await redis.cli("PTTL", "cutover:{checkout}:owner:INV-7")).toBe(-1);
  });

  test("an owner that somebody wrote by hand over a claim is a fact; the claim stays", async () => {
    const { owners } = stores();
    await owners.record("checkout", claim("K1"), "new", hour);
    await redis.cli("SET", "cutover:{checkout}:owner:K1", "legacy");
    expect(await owners.lookup("checkout", [fact("K1"), claim("K1")])).toEqual(["legacy", "new"]);
    expect(await owners.record("checkout", fact("K1"), "new", hour)).toBe("legacy");
    expect(await owners.record("checkout", claim("K1"), "legacy", hour)).toBe("new");
  });

  test("a fact and a claim stand apart once they meet, each with its own TTL", async () => {
    const { owners } = stores();
    const [owner, claimed] = ["cutover:{checkout}:owner:O1", "cutover:{checkout}:claim:O1"];
    await owners.record("checkout", claim("O1"), "new", hour);
    expect(await redis.cli("MGET", owner, claimed)).toEqual(["new", "new"]);
    await owners.record("checkout", fact("O1"), "new", 10 * hour);
    expect(await redis.cli("MGET", owner, claimed)).toEqual(["new", "new apart"]);
    expect(Number(await redis.cli("PTTL", owner))).toBeGreaterThan(9 * hour);
    expect(Number(await redis.cli("PTTL", claimed))).toBeLessThanOrEqual(hour);
    expect(Number(await redis.cli("PTTL", claimed))).toBeGreaterThan(hour - 60_000);
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
      for (const place of ["owner:a", "owner:c", "claim:c"])
        await redis.cli(command, `cutover:{checkout}:${place}`, ...rest);
      await redis.cli("SET", "cutover:{checkout}:owner:b", "new");
      expect(await owners.lookup("checkout", [fact("a"), fact("b"), claim("c")])).toEqual([
        undefined,
        "new",
        undefined,
      ]);
      expect(await owners.record("checkout", fact("a"), "legacy", hour)).toBeUndefined();
      expect(await owners.record("checkout", claim("c"), "legacy", hour)).toBeUndefined();
      expect(await owners.lookup("checkout", [fact("a"), claim("c")])).toEqual(["legacy", "legacy"]);
      expect(Number(await redis.cli("PTTL", "cutover:{checkout}:owner:a"))).toBeGreaterThan(0);
    },
  );

  test("every instance hears of a new owner, whatever bytes its key has, and of nothing else", async () => {
    const { owners, watch } = stores();
    const heard: string[] = [];
    const stop = watch?.((cutover, { key, claimed }, side) =>
      heard.push(`${cutover} ${key} ${claimed ? "claimed" : "learned"} ${side}`),
    );
    await expect.poll(() => redis.cli("PUBSUB", "NUMSUB", "cutover:owners")).toEqual(["cutover:owners", 1]);
    await redis.cli("PUBLISH", "cutover:owners", "nonsense");
    await owners.record("checkout", claim("\xe9:\n1"), "new", hour);
    await owners.record("checkout", claim("\xe9:\n1"), "legacy", hour);
    await owners.record("wallet", fact("O2"), "legacy", hour);
    await expect.poll(() => heard).toEqual(["checkout \xe9:\n1 claimed new", "wallet O2 learned legacy"]);
    stop?.();
  });

  test("every instance hears of a cart that is released, whatever bytes its key has", async () => {
    const { owners, watch } = stores();
    const heard: string[] = [];
    const stop = watch?.((_, { key }, side) => heard.push(`${key} ${side}`), {
      released: (...of) => heard.push(`released ${of.join(" ")}`),
    });
    await expect.poll(() => redis.cli("PUBSUB", "NUMSUB", "cutover:owners")).toEqual(["cutover:owners", 1]);
    await owners.record("checkout", fact("\xe9:\n1"), "new", hour);
    await owners.release("checkout", "\xe9:\n1", "legacy");
    await owners.release("checkout", "\xe9:\n1", "new");
    await owners.record("checkout", fact("last"), "legacy", hour);
    await expect.poll(() => heard).toEqual(["\xe9:\n1 new", "released checkout \xe9:\n1 new", "last legacy"]);
    stop?.();
  });

  test("every instance hears of a journey that is over, that a key was not recorded, and of what it may have missed", async () => {
    const { pins, watch, tellDoubt } = stores();
    const heard: string[] = [];
    const news = {
      doubt: (forMs: number) => heard.push(`doubt ${forMs}`),
      over: (cutover: string, id: string) => heard.push(`over ${cutover} ${id}`),
      missed: () => heard.push("missed"),
    };
    const one = watch?.(() => heard.push("owner"), news);
    const two = watch?.(() => undefined);
    await expect.poll(() => heard).toEqual(["missed"]);
    expect(await redis.cli("PUBSUB", "NUMSUB", "cutover:owners")).toEqual(["cutover:owners", 1]);
    await pins.start("checkout", "ann", offer, maxTtl);
    await pins.end("checkout", "ann", 60, maxTtl);
    const next = { ...offer, id: "nextnextnext", startedAt: offer.startedAt + 1 };
    await pins.start("checkout", "ann", next, maxTtl);
    await pins.start("checkout", "ann", { ...next, id: "afterafterxx", side: "legacy", epoch: 3 }, maxTtl);
    await tellDoubt?.(1234.5);
    await expect
      .poll(() => heard)
      .toEqual(["missed", "over checkout abcdefghijkl", "over checkout nextnextnext", "doubt 1235"]);
    one?.();
    two?.();
    await expect.poll(() => redis.cli("PUBSUB", "NUMSUB", "cutover:owners")).toEqual(["cutover:owners", 0]);
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

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

test(`a pin becomes the same in Redis as in memory, whatever starts, fails, is answered and ends (SEED=${seed})`, async () => {
  const at = 1_700_000_000;
  const offer = fc.record({
    id: fc.constantFrom("a", "b", "c").map((id) => id.repeat(12)),
    side: fc.constantFrom(...sides),
    epoch: fc.nat(1),
    startedAt: fc.constantFrom(at, at + 1, at + 599, at + 600, at + 601),
  });
  const step = fc.oneof(
    fc.record({ call: fc.constantFrom("reserve", "start"), offer }),
    fc.record({ call: fc.constantFrom("release", "end", "find"), offer }),
  );
  const [client] = clients;
  if (client === undefined) throw new Error("no client");
  const ours = createRedisStores({ client, prefix: "pins", deadlineMs: 5000 }).pins;
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const shopper = `s${runs++}`;
      const model = createMemoryStores({ now: () => at * 1000 }).pins;
      for (const { call, offer } of steps) {
        const pin = { ...offer, expiresAt: offer.startedAt + 600 };
        const told = await Promise.all(
          [model, ours].map((pins) => {
            if (call === "reserve") return pins.reserve("checkout", shopper, pin, 600, 600);
            if (call === "start") return pins.start("checkout", shopper, pin, 600);
            if (call === "release") return pins.release("checkout", shopper, pin.id);
            if (call === "end") return pins.end("checkout", shopper, 600, 600);
            return pins.find("checkout", shopper, 600);
          }),
        );
        expect(told[1]).toEqual(told[0]);
      }
    }),
    { seed, numRuns: 200, verbose: 1 },
  );
});

describe("the list of pins in redis", () => {
  const list = async (stores: OwnershipStores, ttl = 600) => {
    const listed: string[] = [];
    const from = await stores.pinNews.list("checkout", ttl, (digests) => listed.push(...digests));
    return { from, listed };
  };
  const open = async () => {
    await redis.cli("FLUSHALL");
    const [client] = clients;
    if (client === undefined) throw new Error("no client");
    return createRedisStores({ client, prefix: "cutover", deadlineMs: 5000 });
  };
  const offer = { id: "abcdefghijkl", side: "new", epoch: 0, startedAt: 1, expiresAt: 601 } as const;

  test("is whole however long it is, and drops what is over", async () => {
    const stores = await open();
    const digests = Array.from({ length: 4100 }, (_, i) => pinDigest(`s${i}`));
    const ends = Math.floor(Date.now() / 1000) + 600;
    for (let at = 0; at < digests.length; at += 500) {
      const members = digests.slice(at, at + 500).flatMap((digest) => [`${ends}`, digest]);
      await redis.cli("ZADD", "cutover:{checkout}:pins", ...members);
    }
    await redis.cli("ZADD", "cutover:{checkout}:pins", "1", pinDigest("over"), "2", "no digest");
    await stores.pins.start("checkout", "ann", offer, 600);
    const { listed } = await list(stores);
    expect(listed.toSorted()).toEqual([...digests, pinDigest("ann")].toSorted());
    expect(Number(await redis.cli("TTL", "cutover:{checkout}:pins"))).toBeGreaterThan(600);
  });

  test("is complete for all only once no pin of a release that kept none can be left", async () => {
    const stores = await open();
    await redis.cli("HSET", "cutover:{checkout}", "percent", "10");
    const { from } = await list(stores);
    expect(from - Date.now() / 1000).toBeGreaterThan(590);
    await redis.cli("DEL", "cutover:{checkout}");
    expect((await list(stores)).from).toBe(from);
    await redis.cli("FLUSHALL");
    expect((await list(stores)).from).toBe(0);
    await redis.cli("HSET", "cutover:{checkout}", "percent", "10");
    expect((await list(stores)).from).toBe(0);
  });

  test("takes the place of what is none, and renewals are not told one by one", async () => {
    const stores = await open();
    await redis.cli("SET", "cutover:{checkout}:pins", "x");
    await redis.cli("SET", "cutover:{checkout}:pins:since", "x");
    expect((await list(stores)).listed).toEqual([]);
    const heard: string[] = [];
    let hears = false;
    const leave = stores.pinNews.watch(
      (_, digest) => heard.push(digest),
      (isHearing) => {
        hears = isHearing;
      },
    );
    await expect.poll(() => hears).toBe(true);
    for (let i = 0; i < 5; i++)
      await stores.pins.start("checkout", "ann", { ...offer, startedAt: 1 + i }, 600);
    await stores.pins.start("checkout", "bob", offer, 600);
    await expect.poll(() => heard).toEqual([pinDigest("ann"), pinDigest("bob")]);
    leave();
  });
});

test("whoever hears of pins is told when the connection is lost, and when it is back", async () => {
  const server = await startRedis();
  const client = createRedisClient(server.url);
  const { pinNews } = createRedisStores({ client, prefix: "cutover" });
  const hearing: boolean[] = [];
  pinNews.watch(
    () => undefined,
    (isHearing) => hearing.push(isHearing),
  );
  await expect.poll(() => hearing).toEqual([true]);
  await server.cli("CLIENT", "KILL", "TYPE", "pubsub");
  await expect.poll(() => hearing).toEqual([true, false, true]);
  await client.close();
  await server.stop();
});

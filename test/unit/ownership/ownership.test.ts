import { describe, expect, test } from "vitest";
import { StoreUnavailable } from "../../../src/base/errors.ts";
import { recoveryMs } from "../../../src/ownership/doubt.ts";
import { createOwnerMemory } from "../../../src/ownership/owner-memory.ts";
import { createOwnership } from "../../../src/ownership/ownership.ts";
import type { OwnerKey } from "../../../src/ownership/port.ts";
import { createMemoryStores } from "../../../src/ownership/stores/in-process.ts";
import type { OwnerStore, OwnershipStores } from "../../../src/ownership/stores/port.ts";
import { type Side, sides } from "../../../src/state/rules/model.ts";
import { createManualTime } from "../../support/manual-time.ts";
import { turn } from "../../support/until.ts";

const ttlMs = 3_600_000;
const claimed = (key: string): OwnerKey => ({ key, ttlMs, claimed: true });
const learned = (key: string): OwnerKey => ({ key, ttlMs, claimed: false });

interface RigOptions {
  readonly remembered?: number;
  readonly backSinceMs?: () => number;
  readonly watch?: OwnershipStores["watch"];
  readonly onLearned?: (cutover: string, key: OwnerKey, side: Side) => void;
}

function rig({ remembered, ...options }: RigOptions = {}) {
  const time = createManualTime();
  const { owners } = createMemoryStores(time);
  const counted: string[] = [];
  const spooled: string[] = [];
  /** Round trips, by their kind. */
  const trips: string[] = [];
  const state = { up: true };
  /** Happens before the next refusal arrives. */
  const refusing: (() => void)[] = [];
  const reach = () => {
    if (!state.up) refusing.shift()?.();
    if (!state.up) throw new StoreUnavailable("off");
  };
  const store: OwnerStore = {
    async lookup(cutover, keys) {
      trips.push(`lookup ${keys.map(({ key }) => key).join(" ")}`);
      reach();
      return owners.lookup(cutover, keys);
    },
    async record(cutover, key, side, ttl, late, token) {
      trips.push(`${key.claimed ? "claim" : "learn"} ${key.key}`);
      reach();
      return owners.record(cutover, key, side, ttl, late, token);
    },
    async settle(...args) {
      reach();
      return owners.settle(...args);
    },
    async release(...args) {
      reach();
      return owners.release(...args);
    },
  };
  const ownership = createOwnership({
    owners: store,
    memory: createOwnerMemory(remembered),
    spool: { add: async ({ key, side }) => void spooled.push(`${key} ${side}`) },
    counts: {
      conflict: () => counted.push("conflict"),
      unknown: () => counted.push("unknown"),
      unrecorded: () => counted.push("unrecorded"),
      disputed: () => counted.push("disputed"),
    },
    clock: time,
    ...options,
  });
  const find = async (...keys: OwnerKey[]) => ownership.find("checkout", keys);
  /** Claims for a request that is sent. */
  const claim = async (side: Side, ...keys: OwnerKey[]) => {
    const { settle, ...claimed } = await ownership.claim("checkout", await find(...keys), side, false);
    settle?.(true);
    await turn();
    return claimed;
  };
  return { time, owners, counted, spooled, trips, state, refusing, ownership, find, claim };
}

describe("an owner", () => {
  test("is asked for once and then remembered, answered without waiting", async () => {
    const { owners, ownership, find, trips } = rig();
    await owners.record("checkout", learned("O1"), "new", ttlMs);
    expect(await find(learned("O1"))).toMatchObject({ owner: "new", unknown: false });
    const again = ownership.find("checkout", [learned("O1")]);
    expect(again).toMatchObject({ owner: "new" });
    expect(trips).toEqual(["lookup O1"]);
  });

  test("of several keys is asked for in one round trip, only where it is not remembered", async () => {
    const { find, claim, trips } = rig();
    await claim("new", claimed("K1"));
    await find(claimed("K1"), learned("O1"), learned("O2"));
    expect(trips).toEqual(["claim K1", "lookup O1 O2"]);
  });

  test("that nobody has is not remembered as such", async () => {
    const { owners, find } = rig();
    expect(await find(learned("O1"))).toMatchObject({ owner: undefined, unknown: false, claimable: false });
    await owners.record("checkout", learned("O1"), "new", ttlMs);
    expect((await find(learned("O1"))).owner).toBe("new");
  });

  test("that is released is nobody's: the store is asked anew, and the next to make it has it", async () => {
    const { ownership, find, trips } = rig();
    await ownership.learn("checkout", [learned("cart"), learned("other")], "new");
    await ownership.release("checkout", [learned("cart")], "new");
    expect((await find(learned("cart"))).owner).toBeUndefined();
    expect((await find(learned("other"))).owner).toBe("new");
    await ownership.learn("checkout", [learned("cart")], "legacy");
    expect((await find(learned("cart"))).owner).toBe("legacy");
    expect(trips.filter((trip) => trip.startsWith("lookup"))).toEqual(["lookup cart", "lookup cart"]);
  });

  test("that the other side has is not released, nor one while the store is away, nor what waits to be handed in", async () => {
    const { ownership, find, state, spooled } = rig();
    await ownership.learn("checkout", [learned("cart")], "new");
    await ownership.release("checkout", [learned("cart")], "legacy");
    expect((await find(learned("cart"))).owner).toBe("new");
    state.up = false;
    await ownership.learn("checkout", [learned("late")], "new");
    await ownership.release("checkout", [learned("cart"), learned("late")], "new");
    state.up = true;
    await ownership.release("checkout", [learned("late")], "new");
    expect((await find(learned("cart"))).owner).toBe("new");
    expect((await find(learned("late"))).owner).toBe("new");
    expect(spooled).toEqual(["late new"]);
  });

  test("that another process has released is forgotten here; what a client has claimed is not, nor what the other side has", async () => {
    let hear: Parameters<NonNullable<OwnershipStores["watch"]>> | undefined;
    const { ownership, find, trips } = rig({
      watch: (...listeners) => {
        hear = listeners;
        return () => undefined;
      },
    });
    for (const key of [learned("cart"), claimed("cart"), learned("kept")]) hear?.[0]("checkout", key, "new");
    // Asked before it was released, and answered after.
    const before = find(learned("asked"));
    for (const key of ["cart", "asked"]) hear?.[1]?.released?.("checkout", key, "new");
    hear?.[1]?.released?.("checkout", "kept", "legacy");
    await before;
    hear?.[0]("checkout", learned("asked"), "new");
    await ownership.find("checkout", [claimed("cart"), learned("kept")]);
    expect(trips.splice(0)).toEqual(["lookup asked"]);
    await find(learned("cart"), learned("asked"));
    expect(trips).toEqual(["lookup cart asked"]);
  });

  test("told by the key's form needs no store and no memory", async () => {
    const { ownership, trips } = rig();
    const key: OwnerKey = { ...learned("SS-1"), side: "legacy" };
    expect(ownership.find("checkout", [key])).toMatchObject({ owner: "legacy", claimable: false });
    await ownership.learn("checkout", [key], "legacy");
    expect(trips).toEqual([]);
  });

  test("that another instance has recorded is known here as soon as it is heard of, also in an outage", async () => {
    const hear: Parameters<NonNullable<OwnershipStores["watch"]>>[0][] = [];
    const { find, state, trips } = rig({
      watch: (onOwner) => {
        hear.push(onOwner);
        return () => undefined;
      },
    });
    state.up = false;
    hear[0]?.("checkout", learned("O1"), "new");
    hear[0]?.("wallet", learned("O2"), "new");
    expect((await find(learned("O1"))).owner).toBe("new");
    expect(trips).toEqual([]);
    expect((await find(learned("O2"))).owner).toBeUndefined();
  });

  test("of the first key in config order wins, and the conflict is counted", async () => {
    const { owners, find, counted } = rig();
    await owners.record("checkout", learned("O1"), "new", ttlMs);
    await owners.record("checkout", learned("O2"), "legacy", ttlMs);
    expect((await find(learned("O1"), learned("O2"))).owner).toBe("new");
    expect((await find(learned("O2"), learned("O1"))).owner).toBe("legacy");
    expect(counted).toEqual(["conflict", "conflict"]);
  });

  test("is forgotten when more are remembered than there is room for, and asked for again", async () => {
    const { ownership, find, trips } = rig({ remembered: 2 });
    for (const key of ["O1", "O2", "O3"]) await ownership.learn("checkout", [learned(key)], "new");
    trips.length = 0;
    await find(learned("O1"));
    await find(learned("O3"));
    expect(trips).toEqual(["lookup O1"]);
  });
});

describe("a claim", () => {
  test("of a key not seen before is one round trip", async () => {
    const { claim, trips } = rig();
    expect(await claim("new", claimed("K1"))).toEqual({ owner: undefined, unknown: false });
    expect(trips).toEqual(["claim K1"]);
  });

  test("tells the owner that another instance made first", async () => {
    const { owners, claim } = rig();
    await owners.record("checkout", claimed("K1"), "legacy", ttlMs);
    expect((await claim("new", claimed("K1"))).owner).toBe("legacy");
    expect((await claim("new", claimed("K1"))).owner).toBe("legacy");
  });

  test("touches only keys that are claimed by use", async () => {
    const { claim, owners } = rig();
    await claim("new", learned("O1"), claimed("K1"));
    expect(await owners.lookup("checkout", [learned("O1"), claimed("K1")])).toEqual([undefined, "new"]);
  });

  test.each(sides)("that cannot be recorded counts here, for %s, and waits in the spool", async (side) => {
    const { claim, find, counted, spooled, state } = rig();
    state.up = false;
    expect(await claim(side, claimed("K1"))).toEqual({ owner: undefined, unknown: true });
    expect((await find(claimed("K1"))).owner).toBe(side);
    expect(spooled).toEqual([`K1 ${side}`]);
    expect(counted).toEqual(["unrecorded", "unknown"]);
  });

  test("that must be recorded and cannot be leaves no trace", async () => {
    const { ownership, find, spooled, state } = rig();
    state.up = false;
    const found = await find(claimed("K1"));
    expect(await ownership.claim("checkout", found, "new", true)).toMatchObject({ unknown: true });
    expect(spooled).toEqual([]);
    state.up = true;
    expect((await find(claimed("K1"))).owner).toBeUndefined();
  });

  test("of the same key by two requests at once during an outage gives both one side", async () => {
    const { ownership, find, state } = rig();
    const found = await find(claimed("K1"));
    state.up = false;
    const [one, other] = await Promise.all([
      ownership.claim("checkout", found, "new", false),
      ownership.claim("checkout", found, "legacy", false),
    ]);
    expect([one.owner ?? "new", other.owner ?? "legacy"]).toEqual(["new", "new"]);
  });
});

describe("a client that names its request as an order to come", () => {
  test("gives the order no owner: not in memory, not in the store, nor by what is heard of", async () => {
    const hear: Parameters<NonNullable<OwnershipStores["watch"]>>[0][] = [];
    const { ownership, claim, find, counted } = rig({
      watch: (onOwner) => {
        hear.push(onOwner);
        return () => undefined;
      },
    });
    await claim("new", claimed("O1"));
    hear[0]?.("checkout", claimed("O2"), "new");
    expect((await find(learned("O1"))).owner).toBeUndefined();
    expect((await find(learned("O2"))).owner).toBeUndefined();
    await ownership.learn("checkout", [learned("O1")], "legacy");
    expect((await find(learned("O1"))).owner).toBe("legacy");
    expect((await find(claimed("O1"))).owner).toBe("new");
    expect(counted).toEqual([]);
  });

  test("has no order forgotten by using many keys", async () => {
    const { ownership, claim, find, trips } = rig({ remembered: 10 });
    await ownership.learn("checkout", [learned("O1")], "legacy");
    for (let i = 0; i < 100; i++) await claim("new", claimed(`K${i}`));
    trips.length = 0;
    expect((await find(learned("O1"))).owner).toBe("legacy");
    expect(trips).toEqual([]);
  });

  test("keeps its side in an outage, and the order its own", async () => {
    const { ownership, claim, find, spooled, state } = rig();
    state.up = false;
    await claim("new", claimed("O1"));
    await ownership.learn("checkout", [learned("O1")], "legacy");
    expect((await find(claimed("O1"))).owner).toBe("new");
    expect((await find(learned("O1"))).owner).toBe("legacy");
    expect(spooled).toEqual(["O1 new", "O1 legacy"]);
  });

  test("is told of the order's side first when somebody asks who owns the key", async () => {
    const { ownership, claim, state } = rig();
    await claim("new", claimed("O1"));
    expect(await ownership.ownerOf("checkout", "O1")).toBe("new");
    await ownership.learn("checkout", [learned("O1")], "legacy");
    expect(await ownership.ownerOf("checkout", "O1")).toBe("legacy");
    await claim("new", claimed("K1"));
    state.up = false;
    expect(await ownership.ownerOf("checkout", "K1")).toBe("new");
    expect(await ownership.ownerOf("checkout", "K2")).toBe("unknown");
  });
});

describe("what a side has made", () => {
  test("is recorded in one round trip, and not again", async () => {
    const { ownership, owners, trips } = rig();
    await ownership.learn("checkout", [learned("O1")], "new");
    await ownership.learn("checkout", [learned("O1")], "new");
    expect(trips).toEqual(["learn O1"]);
    expect(await owners.lookup("checkout", [learned("O1")])).toEqual(["new"]);
  });

  test("is counted as disputed when the other side owns it already; the first owner stays", async () => {
    const { ownership, owners, counted, find } = rig();
    await owners.record("checkout", learned("O1"), "legacy", ttlMs);
    await ownership.learn("checkout", [learned("O1")], "new");
    await ownership.learn("checkout", [learned("O1")], "new");
    expect(counted).toEqual(["disputed", "disputed"]);
    expect((await find(learned("O1"))).owner).toBe("legacy");
  });

  test("is told of once, whoever owns it by then: not when it is named again, nor what was claimed by use", async () => {
    const told: string[] = [];
    const { ownership, owners, state, claim } = rig({
      onLearned: (_, { key }, side) => told.push(`${key} ${side}`),
    });
    await owners.record("checkout", learned("O2"), "legacy", ttlMs);
    for (let again = 0; again < 2; again++) {
      await ownership.learn("checkout", [learned("O1"), learned("O2")], "new");
      await ownership.learn("checkout", [{ ...learned("SS-1"), side: "legacy" }], "legacy");
      await claim("new", claimed("K1"));
    }
    expect(told.sort()).toEqual(["O1 new", "SS-1 legacy"]);
    state.up = false;
    await ownership.learn("checkout", [learned("O3")], "new");
    expect(told.at(-1)).toBe("O3 new");
  });

  test("waits in the spool also where the store's word of it is heard before its refusal to record it", async () => {
    let hear: ((cutover: string, key: OwnerKey, side: Side) => void) | undefined;
    const told: string[] = [];
    const { ownership, state, spooled, counted, find, refusing } = rig({
      watch: (onOwner) => {
        hear = onOwner;
        return () => {};
      },
      onLearned: (_, { key }, side) => told.push(`${key} ${side}`),
    });
    state.up = false;
    refusing.push(() => hear?.("checkout", learned("O1"), "new"));
    await ownership.learn("checkout", [learned("O1")], "new");
    expect(spooled).toEqual(["O1 new"]);
    expect(told).toEqual(["O1 new"]);
    expect(counted).toEqual(["unrecorded"]);
    expect((await find(learned("O1"))).owner).toBe("new");

    // What the other side has made meanwhile is its own to hand in.
    refusing.push(() => hear?.("checkout", learned("O2"), "legacy"));
    await ownership.learn("checkout", [learned("O2")], "new");
    expect(spooled).toEqual(["O1 new"]);
    expect(counted).toEqual(["unrecorded", "disputed"]);
  });

  test("waits in the spool when it cannot be recorded, and counts here at once", async () => {
    const { ownership, find, spooled, state } = rig();
    state.up = false;
    await ownership.learn("checkout", [learned("O1"), learned("O2")], "new");
    expect(spooled).toEqual(["O1 new", "O2 new"]);
    expect((await find(learned("O1"))).owner).toBe("new");
  });
});

describe("an owner that cannot be told", () => {
  test("is unknown while the store is out of reach, and for a while after: others may know what it does not", async () => {
    const { find, time, state, counted } = rig();
    state.up = false;
    expect(await find(learned("O1"))).toMatchObject({ owner: undefined, unknown: true });
    state.up = true;
    await time.advance(recoveryMs - 1);
    expect(await find(learned("O1"))).toMatchObject({ owner: undefined, unknown: true });
    await time.advance(1);
    expect(await find(learned("O1"))).toMatchObject({ owner: undefined, unknown: false });
    expect(counted).toEqual(["unknown", "unknown"]);
  });

  test("is unknown after an outage also to those who asked nothing meanwhile", async () => {
    const { find, time } = rig({ backSinceMs: () => 1000 });
    await time.advance(1000 + recoveryMs - 1);
    expect((await find(learned("O1"))).unknown).toBe(true);
    expect((await find(claimed("K1"))).unknown).toBe(true);
    await time.advance(1);
    expect((await find(learned("O1"))).unknown).toBe(false);
  });

  test("does not matter where another key's owner is known", async () => {
    const { find, claim, state, counted } = rig();
    await claim("new", claimed("K1"));
    state.up = false;
    expect(await find(claimed("K1"), learned("O1"))).toMatchObject({ owner: "new", unknown: false });
    expect(counted).toEqual([]);
  });

  test("is counted once a request, whether the question or the claim failed", async () => {
    const { claim, state, counted } = rig();
    state.up = false;
    await claim("new", learned("O1"), claimed("K1"));
    expect(counted.filter((count) => count === "unknown")).toHaveLength(1);
  });
});

import { expect, test } from "vitest";
import { createKeyDesk, knownOfAll } from "../../../src/ownership/key-desk.ts";
import { createOwnerMemory } from "../../../src/ownership/owner-memory.ts";

function create(spooled: readonly string[] = []) {
  const time = { ms: 0 };
  const clock = { monotonic: () => time.ms };
  const memory = createOwnerMemory(100, clock);
  const desk = createKeyDesk({ memory, clock, spool: { has: (_, key) => spooled.includes(key) } });
  const look = (key: string, forget = false) => desk.look({ cutover: "shop", key, forget });
  return { time, memory, desk, look };
}

const nothing = { fact: null, claim: null, inFlight: 0, inDoubt: false };
const keys = (...names: string[]) => names.map((key) => ({ key, claimed: true, ttlMs: 1 }));

test("a request with the key is in flight until it ends, however often its side is decided", () => {
  const { desk, look } = create();
  const [one, other] = [{}, {}];
  desk.began(one, "shop", keys("a", "b"));
  desk.began(one, "shop", keys("a", "b"));
  desk.began(other, "shop", keys("a"));
  desk.began({}, "another", keys("a"));
  expect(look("a").inFlight).toBe(2);
  expect(look("b").inFlight).toBe(1);
  desk.ended(one, true);
  desk.ended({}, true);
  expect(look("a")).toEqual({ ...nothing, inFlight: 1 });
  expect(look("b")).toEqual(nothing);
});

test("a request that was not answered leaves its keys in doubt for ten minutes", () => {
  const { time, desk, look } = create();
  const request = {};
  desk.began(request, "shop", keys("a"));
  desk.ended(request, false);
  expect(look("a").inDoubt).toBe(true);
  expect(look("b").inDoubt).toBe(false);
  time.ms += 600_000;
  expect(look("a").inDoubt).toBe(false);
});

test("an owner that waits to be recorded is in doubt", () => {
  expect(create(["a"]).look("a")).toEqual({ ...nothing, inDoubt: true });
});

test("what is remembered is told, and forgotten; an answer that was on its way then is not remembered", () => {
  const { time, memory, look } = create();
  memory.remember("shop", { key: "a", claimed: false }, "new");
  memory.remember("shop", { key: "a", claimed: true }, "legacy");
  expect(look("a")).toEqual({ ...nothing, fact: "new", claim: "legacy" });
  expect(look("a", true)).toEqual(nothing);
  memory.remember("shop", { key: "a", claimed: false }, "new");
  memory.remember("shop", { key: "b", claimed: false }, "new");
  expect([look("a").fact, look("b").fact]).toEqual([null, "new"]);
  time.ms += 1001;
  memory.remember("shop", { key: "a", claimed: false }, "legacy");
  expect(look("a").fact).toBe("legacy");
});

test("of several processes one that does not say leaves unknown what the instance knows", () => {
  const one = { fact: null, claim: "new", inFlight: 1, inDoubt: false } as const;
  expect(knownOfAll([one, { ...one, inFlight: 2 }])).toEqual({ ...one, inFlight: 3 });
  expect(knownOfAll([one, undefined])).toBeUndefined();
  expect(knownOfAll([])).toEqual(nothing);
});

import { expect, test } from "vitest";
import { z } from "zod";
import { cutoverView } from "../../../src/admin/api/cutover-view.ts";
import { warningsOf } from "../../../src/admin/warnings.ts";

const [example] = z.array(z.unknown()).parse(cutoverView.meta()?.examples);
const nowMs = Date.parse("2025-03-01T12:00:00Z");
const at = (seconds: number) => new Date(nowMs + seconds * 1000).toISOString();
const record = (name: string, more = {}) => ({
  ...{ id: name, name, startedAt: "", seenAt: "", versions: { checkout: 42 }, traffic: {} },
  ...more,
});

type Facts = Parameters<typeof warningsOf>[0];

function facts(more: Partial<Facts> = {}, view: Partial<Facts["view"]> = {}): Facts {
  return {
    view: { ...cutoverView.parse(example), ...view },
    nowMs,
    storeNowMs: nowMs,
    records: [record("one")],
    self: "one",
    rejection: undefined,
    isStray: false,
    prefix: "cutover",
    isStoreUp: true,
    ...more,
  };
}

const silent = { id: "c", name: "shop-3:8080", address: "10.0.0.3:9900", pid: 77, version: 41 };

test("nothing is said of what is well", () => {
  expect(warningsOf(facts())).toEqual([]);
});

test("after a partition: applied on 2 of 3, one silent for 12 s, starts new journeys on new until its lease ends", () => {
  const one = { ...silent, since: at(-12), until: at(18) };
  expect(warningsOf(facts({}, { instances: { live: 2, applied: 2, silent: [one] } }))).toEqual([
    {
      code: "instances_silent",
      text: `applied on 2 of 3, one silent for 12 s, starts new journeys on new until ${at(18)}: shop-3:8080 at 10.0.0.3:9900, pid 77`,
    },
  ]);
});

test.each([
  [{ version: 41, until: null }, "goes on by version 41"],
  [{ version: 42, until: null }, "goes on by this version"],
  [{ version: 41, until: at(-1) }, `has started none on new since ${at(-1)}`],
  [{ version: 42, until: at(9) }, `goes on by this version until ${at(9)}, then starts none on new`],
])("what a silent instance does meanwhile: %o", (more, said) => {
  const one = { ...silent, since: at(-12), ...more };
  const [warning] = warningsOf(facts({}, { instances: { live: 1, applied: 1, silent: [one] } }));
  expect(warning?.text).toContain(`one silent for 12 s, ${said}: shop-3:8080`);
});

test("several silent instances are each named, those above five counted", () => {
  const many = Array.from({ length: 7 }, (_, n) => ({
    ...silent,
    name: `n${n}`,
    since: at(-70),
    until: null,
  }));
  const [warning] = warningsOf(facts({}, { instances: { live: 1, applied: 1, silent: many } }));
  expect(warning?.text).toMatch(/^applied on 1 of 8, 7 silent: n0 .* for 1 min, .*; n4 .*; 2 more$/);
});

test("without the store the others are not heard of, which is not their silence", () => {
  const store = { reachable: false, writable: false, since: at(-12), word: null };
  const one = { ...silent, version: 42, since: at(-12), until: null };
  const given = facts({ isStoreUp: false }, { store, instances: { live: 1, applied: 1, silent: [one] } });
  expect(warningsOf(given).map(({ text }) => text)).toEqual([
    "the store is out of reach for 12 s: changes and owners cannot be recorded",
    "applied on 1 of 2, one not heard of without the store for 12 s, goes on by this version: shop-3:8080 at 10.0.0.3:9900, pid 77",
  ]);
});

test("a store that answers and refuses is quoted, that of the owners named apart", () => {
  const store = { reachable: true, writable: false, since: at(-70), word: "WRONGPASS" };
  expect(warningsOf(facts({}, { store, ownerStore: { ...store, word: "OOM" } }))).toEqual([
    {
      code: "store_refuses",
      text: "the store answers WRONGPASS for 1 min: changes and owners cannot be recorded",
    },
    {
      code: "owner_store_refuses",
      text: "the store of checkout's owners answers OOM for 1 min: its owners cannot be recorded",
    },
  ]);
});

test("an instance that lives and decides by an older version, and one that drains, are named", () => {
  const records = [
    record("one"),
    record("two", { versions: { checkout: 40 } }),
    record("three", { phase: "draining" }),
  ];
  expect(warningsOf(facts({ records }, { instances: { live: 3, applied: 2, silent: [] } }))).toEqual([
    { code: "not_applied", text: "applied on 2 of 3 that are heard of: two at version 40" },
    { code: "draining", text: "three drains: it takes no new connections" },
  ]);
});

test("one that does not hear of a rollback told here alone does not seem to go by it: both call it version 42", () => {
  const one = { ...silent, version: 42, since: at(-12), until: null };
  const view = { scope: "local" as const, instances: { live: 1, applied: 1, silent: [one] } };
  const text = warningsOf(facts({ isStoreUp: false }, view)).at(-1)?.text;
  expect(text).toContain("for 12 s, goes on by version 42 as it was before the change here: shop-3:8080");
});

test("on a read-only store every other instance was called silent, as if it were frozen: none can tell of itself", () => {
  const store = { reachable: true, writable: false, since: at(-9), word: "READONLY" };
  const one = { ...silent, version: 42, since: at(-9), until: null };
  const found = warningsOf(facts({}, { store, instances: { live: 1, applied: 1, silent: [one] } }));
  expect(found).toMatchObject([{ code: "store_refuses" }, { code: "instances_unheard" }]);
  expect(found[1]?.text).toContain(
    "one not heard of while the store takes no writes for 9 s, goes on by this version",
  );
});

test("what was changed on this instance alone is said to be that", () => {
  expect(warningsOf(facts({}, { scope: "local" }))).toMatchObject([{ code: "local_only" }]);
});

test("a hand edit that nobody follows is quoted, whatever stands there", () => {
  const rejection = {
    name: "checkout",
    fields: ["percent"],
    fingerprint: "",
    found: { percent: "ten\n" },
  } as const;
  expect(warningsOf(facts({ rejection }))).toEqual([
    { code: "hand_edit_refused", text: 'the store holds percent "ten\\n", which nobody follows' },
  ]);
  const kind = { name: "checkout", fields: ["type"], fingerprint: "" } as const;
  expect(warningsOf(facts({ rejection: kind }))[0]?.text).toBe(
    "the store holds a key cutover:{checkout} that is no hash, which nobody follows",
  );
});

test("percent 0 by hand in an open state is followed and does not latch", () => {
  const byHand = { percent: 0, state: "open", updatedBy: "by hand" } as const;
  expect(warningsOf(facts({}, byHand))).toMatchObject([{ code: "not_latched" }]);
  expect(warningsOf(facts({}, { ...byHand, updatedBy: "ana" }))).toEqual([]);
  expect(warningsOf(facts({}, { ...byHand, state: "rolled_back" }))).toEqual([]);
});

test("a hash that was written without braces is named with the key that is read", () => {
  expect(warningsOf(facts({ isStray: true }))).toEqual([
    {
      code: "stray_key",
      text: "the store holds cutover:checkout, which nobody reads: the key has braces, cutover:{checkout}",
    },
  ]);
});

test("configurations that differ are told by hash and time, and a reload that was refused", () => {
  const config = { hash: "aaaaaaaaaaaa", loadedAt: at(-100) };
  const records = [
    record("one", { config }),
    record("two", { config: { hash: "bbbbbbbbbbbb", loadedAt: at(-5) } }),
    record("three", { config: { ...config, refusedAt: at(-9) } }),
    record("of an older program"),
  ];
  expect(warningsOf(facts({ records })).map(({ text }) => text)).toEqual([
    `the instances go by different configurations: this one by aaaaaaaaaaaa, loaded at ${at(-100)}; two by bbbbbbbbbbbb, loaded at ${at(-5)}`,
    `a reload was refused, and the configuration of before is in force: three at ${at(-9)}, its log says why`,
  ]);
});

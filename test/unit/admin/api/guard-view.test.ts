import { expect, test } from "vitest";
import { type GuardKnownHere, guardViewOf } from "../../../../src/admin/api/guard/guard-view.ts";
import type { InstanceRecord } from "../../../../src/state/rules/completion.ts";

const judged = {
  verdict: "worse",
  because: ["failures"],
  action: "hold",
  sentence: "why",
  at: "2026-01-01T00:00:00.000Z",
  silent: ["shop-3"],
  differing: [],
  metrics: [{ name: "stock", state: "no data", action: "hold", sentence: "stock: no data (no series)" }],
  tests: { failures: { odds: 1200, actsAt: 1000, hasFired: true } },
  sides: { legacy: { units: 90, failed: 1 }, new: { units: 10, failed: 6 } },
  difference: { estimate: 0.59, least: 0.2, most: 0.9 },
};
const here = {
  fleet: undefined,
  own: undefined,
  isAlone: false,
  leader: "b",
  isJudged: true,
} satisfies GuardKnownHere;
const record = (id: string, told: unknown): InstanceRecord => ({
  ...{ id, name: `shop-${id}`, startedAt: "", seenAt: "", versions: {}, traffic: {} },
  guard: { checkout: told },
});
const view = (known: GuardKnownHere | undefined, told: unknown = { judged }) =>
  guardViewOf("checkout", known, [record("a", {}), record("b", told)]);

test("a cutover without a guard is said to have it off", () => {
  expect(view(undefined)).toMatchObject({
    guarded: false,
    verdict: null,
    sentence: "the guard is off: nobody watches the sides",
  });
});

test("whoever is asked tells what the leader's record says, and who leads", () => {
  const told = { verdict: "worse", because: ["failures"], action: "hold", sentence: "why", by: "fleet" };
  const { tests, sides, difference } = judged;
  const { metrics } = judged;
  const whole = { ...told, leader: { id: "b", name: "shop-b" }, silent: ["shop-3"], metrics };
  expect(view(here)).toMatchObject({ guarded: true, ...whole, evidence: { tests, sides, difference } });
});

test("what a leader of a release before tells has no metrics in it, and reads", () => {
  const { metrics: _, ...before } = judged;
  expect(view(here, { judged: before })).toMatchObject({ verdict: "worse", metrics: [] });
});

test("the leader tells what it knows itself, which is newer than its record", () => {
  expect(view({ ...here, fleet: { ...judged, sentence: "now" } })).toMatchObject({ sentence: "now" });
});

test.each([{}, { judged: { verdict: 1 } }, null])(
  "of a leader that tells %j nothing is judged now",
  (told) => {
    const said = { verdict: null, by: null, sentence: "not judged yet" };
    expect(view(here, told)).toMatchObject({ guarded: true, ...said, leader: { id: "b" } });
  },
);

test.each([{}, { leader: undefined }, { isAlone: true }])(
  "at 0% and rolled back it is said why nothing is judged, with or without a leader or a store: %j",
  (known) => {
    const sentence = "nothing to judge, no new checkout goes to new";
    expect(view({ ...here, ...known, isJudged: false }, {})).toMatchObject({ verdict: null, sentence });
  },
);

test("that nobody leads is said", () => {
  expect(view({ ...here, leader: undefined })).toMatchObject({ verdict: null, leader: null });
  expect(view({ ...here, leader: undefined }).sentence).toContain("no instance leads");
});

test("without the store an instance tells its own judgement, and that it is its own", () => {
  const own = { verdict: "healthy", because: [], sentence: "so far so good" };
  const alone = view({ ...here, isAlone: true, own });
  expect(alone).toMatchObject({ verdict: "healthy", by: "instance", leader: null, evidence: null });
  expect(alone.sentence).toMatch(/^so far so good .*this instance alone/);
  expect(view({ ...here, isAlone: true })).toMatchObject({ verdict: null, guarded: true });
});

import { describe, expect, test } from "vitest";
import { decide, type Facts } from "../../../src/decide/decide.ts";
import { type CutoverState, initialState } from "../../../src/state/rules/model.ts";

const nobody: Facts = {
  owner: undefined,
  journey: undefined,
  forced: undefined,
  bucket: undefined,
  stale: false,
};
const at = (state: Partial<CutoverState>): CutoverState => ({ ...initialState(), ...state });
const everything: Facts = {
  owner: "legacy",
  journey: { side: "legacy", epoch: 0 },
  forced: "legacy",
  bucket: 0,
  stale: true,
  visit: "legacy",
};

describe("decide, the first line that applies", () => {
  test("1 owner: over a closed legacy and all else", () => {
    expect(decide(at({ state: "closed", percentThousandths: 100_000 }), everything)).toEqual({
      side: "legacy",
      reason: "owner",
    });
  });

  test("2 closed: over a journey pinned to legacy", () => {
    expect(
      decide(at({ state: "closed", percentThousandths: 100_000 }), { ...everything, owner: undefined }),
    ).toEqual({ side: "new", reason: "closed" });
  });

  test("3 journey: over a rollback", () => {
    const facts = { ...nobody, journey: { side: "new", epoch: 0 } as const, bucket: 99_999 };
    expect(decide(at({ state: "rolled_back" }), facts)).toEqual({ side: "new", reason: "journey" });
  });

  test("3 journey: void on new when its epoch is older than the cutover's (hard rollback)", () => {
    const state = at({ state: "rolled_back", pinEpoch: 1 });
    expect(decide(state, { ...nobody, journey: { side: "new", epoch: 0 } }).reason).toBe("rolled_back");
    expect(decide(state, { ...nobody, journey: { side: "new", epoch: 1 } }).reason).toBe("journey");
    expect(decide(state, { ...nobody, journey: { side: "legacy", epoch: 0 } }).reason).toBe("journey");
  });

  test("4 rolled_back: over an override", () => {
    expect(decide(at({ state: "rolled_back" }), { ...nobody, forced: "new", bucket: 0 })).toEqual({
      side: "legacy",
      reason: "rolled_back",
    });
  });

  test("4 rolled_back: routes nothing to new even if a percent stood there", () => {
    const state = at({ state: "rolled_back", percentThousandths: 100_000 });
    expect(decide(state, { ...nobody, bucket: 0 }).side).toBe("legacy");
  });

  test("5 exposure: over all that follows, and under a rollback, an owner and a journey", () => {
    const exposed: Facts = { ...nobody, exposed: true, bucket: 0, visit: "new", forced: "new" };
    const open = at({ percentThousandths: 100_000 });
    const cohort = { name: "staff", side: "new", startThousandths: 0 } as const;
    expect(decide(open, { ...exposed, cohort })).toEqual({ side: "legacy", reason: "exposure" });
    expect(decide(at({ state: "rolled_back" }), exposed).reason).toBe("rolled_back");
    expect(decide(at({ state: "closed", percentThousandths: 100_000 }), exposed).reason).toBe("closed");
    expect(decide(open, { ...exposed, journey: { side: "new", epoch: 0 } }).reason).toBe("journey");
    expect(decide(open, { ...exposed, owner: "new" }).reason).toBe("owner");
    expect(decide(open, { ...exposed, forcedWhileRolledBack: true }).reason).toBe("forced");
    expect(decide(open, { ...exposed, exposed: false }).reason).toBe("forced");
  });

  test("6 forced: over the bucket and for nobody in particular", () => {
    expect(decide(at({}), { ...nobody, forced: "new" })).toEqual({ side: "new", reason: "forced" });
  });

  test("8 anonymous: legacy, never bucket 0", () => {
    expect(decide(at({ percentThousandths: 100_000 }), nobody)).toEqual({
      side: "legacy",
      reason: "anonymous",
    });
  });

  test("stale: legacy for whom the bucket would decide", () => {
    expect(decide(at({ percentThousandths: 100_000 }), { ...nobody, bucket: 0, stale: true })).toEqual({
      side: "legacy",
      reason: "stale",
    });
  });

  test("8 anonymous: to new at 100 percent and not before, where that is configured, but not while stale", () => {
    const moves = { ...nobody, anonymousMoves: true };
    const all = at({ percentThousandths: 100_000 });
    expect(decide(all, moves)).toEqual({ side: "new", reason: "anonymous" });
    expect(decide(at({ ...all, state: "held" }), moves).side).toBe("new");
    expect(decide(at({ percentThousandths: 99_999 }), moves)).toEqual({
      side: "legacy",
      reason: "anonymous",
    });
    expect(decide(all, { ...moves, stale: true }).side).toBe("legacy");
    expect(decide(at({ state: "rolled_back" }), moves).reason).toBe("rolled_back");
  });

  test("9 visit: over the bucket on either side, and under all else", () => {
    const legacy = { ...nobody, bucket: 0, visit: "legacy" } as const;
    const onNew = { ...nobody, bucket: 99_999, visit: "new" } as const;
    const tenth = at({ percentThousandths: 10_000 });
    expect(decide(tenth, legacy)).toEqual({ side: "legacy", reason: "visit" });
    expect(decide(tenth, onNew)).toEqual({ side: "new", reason: "visit" });
    expect(decide(tenth, { ...onNew, forced: "legacy" }).reason).toBe("forced");
    expect(decide(tenth, { ...onNew, stale: true })).toEqual({ side: "legacy", reason: "stale" });
    expect(decide(tenth, { ...onNew, bucket: undefined })).toEqual({ side: "legacy", reason: "anonymous" });
    expect(decide(tenth, { ...onNew, journey: { side: "legacy", epoch: 0 } }).reason).toBe("journey");
    expect(decide(at({ state: "rolled_back" }), onNew).reason).toBe("rolled_back");
    expect(decide(at({ state: "closed", percentThousandths: 100_000 }), legacy).reason).toBe("closed");
  });

  test("9 visit: none is on new at percent 0", () => {
    const onNew = { ...nobody, bucket: 0, visit: "new" } as const;
    expect(decide(at({ percentThousandths: 0 }), onNew)).toEqual({ side: "legacy", reason: "bucket" });
    expect(decide(at({ percentThousandths: 0 }), { ...onNew, visit: "legacy" }).reason).toBe("visit");
  });

  test("10 bucket: new exactly below percent × 1000", () => {
    const state = at({ percentThousandths: 4035 });
    expect(decide(state, { ...nobody, bucket: 4034 })).toEqual({ side: "new", reason: "bucket" });
    expect(decide(state, { ...nobody, bucket: 4035 })).toEqual({ side: "legacy", reason: "bucket" });
    expect(decide(at({ percentThousandths: 0 }), { ...nobody, bucket: 0 }).side).toBe("legacy");
    expect(decide(at({ percentThousandths: 100_000 }), { ...nobody, bucket: 99_999 }).side).toBe("new");
  });

  test("held: still splits by its percent", () => {
    expect(decide(at({ state: "held", percentThousandths: 10 }), { ...nobody, bucket: 9 }).side).toBe("new");
  });
});

describe("cohorts", () => {
  const sent = (side: "legacy" | "new") => ({ name: "staff", side, startThousandths: 0 });
  const own = { name: "jakarta", side: undefined, startThousandths: 40_000 };

  test("one with a side goes there, whatever the percent and the bucket, and without a shopper, too", () => {
    expect(decide(at({}), { ...nobody, cohort: sent("new") })).toEqual({ side: "new", reason: "cohort" });
    const full = at({ percentThousandths: 100_000 });
    expect(decide(full, { ...nobody, bucket: 0, cohort: sent("legacy") })).toEqual({
      side: "legacy",
      reason: "cohort",
    });
  });

  test("a rollback, an override, a journey and an owner outrank it", () => {
    const facts = { ...nobody, bucket: 0, cohort: sent("new") };
    expect(decide(at({ state: "rolled_back" }), facts)).toEqual({ side: "legacy", reason: "rolled_back" });
    expect(decide(at({}), { ...facts, forced: "legacy" }).reason).toBe("forced");
    expect(decide(at({}), { ...facts, journey: { side: "legacy", epoch: 0 } }).reason).toBe("journey");
    expect(decide(at({}), { ...facts, owner: "legacy" }).reason).toBe("owner");
  });

  test("while stale none goes to new for its cohort's sake", () => {
    const stale = { ...nobody, bucket: 0, stale: true };
    expect(decide(at({}), { ...stale, cohort: sent("new") })).toEqual({ side: "legacy", reason: "stale" });
    expect(decide(at({}), { ...stale, cohort: sent("legacy") }).reason).toBe("cohort");
  });

  test("one with a percent of its own is held against that: where it begins, until the state has it", () => {
    const decided = (state: Partial<CutoverState>, bucket: number) =>
      decide(at(state), { ...nobody, bucket, cohort: own }).side;
    expect([decided({}, 39_999), decided({}, 40_000)]).toEqual(["new", "legacy"]);
    const set = { percentThousandths: 100_000, cohorts: { jakarta: 10_000 } };
    expect([decided(set, 9999), decided(set, 10_000)]).toEqual(["new", "legacy"]);
  });

  test("one that is called like what every object has, has no percent by that", () => {
    const cohort = { name: "constructor", side: undefined, startThousandths: 0 };
    expect(decide(at({ cohorts: {} }), { ...nobody, bucket: 0, cohort }).side).toBe("legacy");
  });
});

test("testers reach new while it is rolled back only where that is configured", () => {
  const facts = { ...nobody, forced: "new", bucket: 99_999 } as const;
  const state = at({ state: "rolled_back" });
  expect(decide(state, facts).reason).toBe("rolled_back");
  expect(decide(state, { ...facts, forcedWhileRolledBack: true })).toEqual({ side: "new", reason: "forced" });
});

import { describe, expect, test } from "vitest";
import {
  begunReturn,
  isReturning,
  nextOfReturn,
  partAt,
  type ReturnRecord,
  readReturn,
  reasonOfReturn,
  stepsOfReturn,
} from "../../../../src/plan/returning/return.ts";
import { stateAt } from "../support.ts";

const part = { from: 50_000, to: 10_000 };
const record = (over: Partial<ReturnRecord> = {}): ReturnRecord => ({
  ...{ id: "r1", kind: "lower", by: "ana", reason: "errors up", startedAt: "", overMs: 60_000 },
  ...{ parts: [part], made: 3, version: 7, status: "running", because: "" },
  ...over,
});
const at = (made: number, over = {}) => stateAt(partAt(part, made), over);

test("a part falls with each step, by a twelfth of the whole, and reaches its target with the last", () => {
  const path = Array.from({ length: stepsOfReturn + 2 }, (_, made) => partAt(part, made));
  expect(path[0]).toBe(50_000);
  expect(path.slice(-3)).toEqual([13_333, 10_000, 10_000]);
  for (const [step, percent] of path.entries()) {
    if (step > 0) expect((path[step - 1] ?? 0) - percent).toBeLessThanOrEqual(40_000 / stepsOfReturn + 1);
  }
});

describe("what is next", () => {
  test("is a step once its time has come, and nothing before", () => {
    expect(nextOfReturn(record(), at(3), false)).toEqual({ kind: "rest" });
    expect(nextOfReturn(record(), at(3), true)).toMatchObject({
      kind: "step",
      lower: [{ to: partAt(part, 4) }],
      record: { made: 4, status: "running" },
    });
  });

  test("is nothing to lower where it stands lower already, and the record goes on", () => {
    const next = nextOfReturn(record(), stateAt(20_000), true);
    expect(next).toMatchObject({ kind: "step", lower: [], record: { made: 4 } });
  });

  test("with the last step it is done, and a rollback is made", () => {
    expect(nextOfReturn(record({ made: 11 }), at(11), true)).toMatchObject({
      lower: [{ to: 10_000 }],
      record: { status: "done" },
    });
    const gradual = record({ kind: "rollback", parts: [{ from: 50_000, to: 0 }], made: 11 });
    expect(nextOfReturn(gradual, stateAt(4166, { state: "held" }), true)).toMatchObject({
      kind: "rollback",
      record: { status: "done" },
    });
  });

  test("is nothing for who knows an older version than the record's", () => {
    expect(nextOfReturn(record(), stateAt(50_000, { version: 6 }), true)).toEqual({ kind: "rest" });
  });

  test.each([
    ["somebody raises it", record(), at(2, { updatedBy: "budi" }), "set to 43.333% by budi"],
    ["it is rolled back", record(), stateAt(0, { state: "rolled_back" }), "rolled back by budi"],
    ["legacy is closed", record(), stateAt(100_000, { state: "closed" }), "legacy is closed"],
    ["a gradual rollback is resumed", record({ kind: "rollback" }), at(3), "resumed by budi"],
  ])("it ends where %s", (_, from, state, because) => {
    const next = nextOfReturn(from, state, true);
    expect(next).toMatchObject({ kind: "became", record: { status: "ended", because } });
  });

  test("a hold lets it go on: what is held may be lowered", () => {
    expect(nextOfReturn(record(), at(3, { state: "held" }), true)).toMatchObject({ kind: "step" });
  });
});

test("what stands where it was going, or was rolled back, is under way no more, though its record says so still", () => {
  expect(isReturning(record(), at(3))).toBe(true);
  expect(isReturning(record({ made: 11 }), stateAt(10_000))).toBe(false);
  const gradual = record({ kind: "rollback", parts: [{ from: 50_000, to: 0 }] });
  expect(isReturning(gradual, stateAt(0, { state: "held" }))).toBe(true);
  expect(isReturning(gradual, stateAt(0, { state: "rolled_back" }))).toBe(false);
  expect(isReturning(record({ version: 9 }), stateAt(50_000))).toBe(true);
});

test("what was returning goes on beside what is lowered now, from where it stands and never above it", () => {
  const before = record({ parts: [part, { cohort: "jakarta", from: 80_000, to: 20_000 }], made: 6 });
  const state = stateAt(29_000, { cohorts: { jakarta: 50_000 } });
  const asked = { id: "r2", kind: "lower", by: "budi", reason: "", at: "", overMs: 60_000 } as const;
  const next = begunReturn(before, {
    ...asked,
    parts: [{ from: 30_000, to: 0 }],
    made: 1,
    version: 8,
    state,
  });
  expect(next.parts).toHaveLength(2);
  const [, jakarta] = next.parts;
  expect(jakarta).toMatchObject({ cohort: "jakarta", to: 20_000 });
  if (jakarta === undefined) throw new Error("nobody");
  expect(partAt(jakarta, 1)).toBeGreaterThanOrEqual(50_000);
  expect(partAt(jakarta, 2)).toBeLessThan(50_000);
});

test("a text that is no return is none", () => {
  expect(readReturn("")).toBeUndefined();
  expect(readReturn('{"id":1}')).toBeUndefined();
  expect(readReturn(JSON.stringify(record()))).toEqual(record());
});

test("each step says in the history where it goes, and how long that takes", () => {
  expect(reasonOfReturn(record())).toBe("errors up (returning to 10% over 60 s)");
  expect(reasonOfReturn(record({ reason: "", kind: "rollback" }))).toBe(
    "returning to 0%, to be rolled back over 60 s",
  );
});

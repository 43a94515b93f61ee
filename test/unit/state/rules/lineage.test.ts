import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ceilingOf, regressionOf } from "../../../../src/state/rules/lineage.ts";
import {
  type CutoverState,
  initialState,
  type StateName,
  stateNames,
} from "../../../../src/state/rules/model.ts";
import { lowered } from "../../../../src/state/rules/routing.ts";

function state(version: number, percentThousandths: number, more: Partial<CutoverState> = {}): CutoverState {
  return { ...initialState(), version, percentThousandths, updatedAt: `at ${version}`, ...more };
}

const followed = state(43, 0, { state: "rolled_back" });
const from = ({ percentThousandths, state: name, updatedAt }: CutoverState) => ({
  percentThousandths,
  state: name,
  updatedAt,
});

describe("regressionOf", () => {
  test.each<[string, CutoverState, Parameters<typeof regressionOf>[2], ReturnType<typeof regressionOf>]>([
    ["the same", followed, {}, undefined],
    ["a later version the audit says nothing of", state(50, 50_000), {}, undefined],
    ["a later version whose audit has the followed one", state(50, 50_000), { own: followed }, undefined],
    ["the next version, made from the followed one", state(44, 0), { next: from(followed) }, undefined],
    ["a lower version", state(42, 50_000), {}, "older"],
    ["the same version with another percent", state(43, 60_000), {}, "other"],
    ["the same version with another author", { ...followed, updatedBy: "bob" }, {}, "other"],
    ["a later version whose audit has another one", state(45, 70_000), { own: state(43, 60_000) }, "other"],
    [
      "the next version, made from another one",
      state(44, 70_000),
      { next: from(state(43, 60_000)) },
      "replaced",
    ],
  ])("finds of %s: %s", (_, stored, lineage, kind) => {
    expect(regressionOf(followed, stored, lineage)).toBe(kind);
  });

  test("finds a pin epoch that went back under a later version", () => {
    expect(regressionOf({ ...followed, pinEpoch: 2 }, state(44, 0, { pinEpoch: 1 }), {})).toBe("epoch");
  });
});

const anyState = fc
  .record({
    percentThousandths: fc.integer({ min: 0, max: 100_000 }),
    state: fc.constantFrom<StateName>("open", "held", "rolled_back"),
    pinEpoch: fc.integer({ min: 0, max: 5 }),
    version: fc.integer({ min: 1, max: 50 }),
  })
  .map((fields) => ({
    ...initialState(),
    ...fields,
    percentThousandths: fields.state === "rolled_back" ? 0 : fields.percentThousandths,
  }));

describe("ceilingOf", () => {
  test("is at least held and above none of the states, in any order", () => {
    const seed = Number(process.env.CUTOVER_SEED ?? Date.now() % 2 ** 31);
    fc.assert(
      fc.property(anyState, anyState, anyState, (one, other, now) => {
        const ceiling = ceilingOf([one, other]);
        expect(ceilingOf([other, one]), `seed ${seed}`).toEqual(ceiling);
        if (ceiling === undefined) throw new Error("none");
        const after = lowered(now, ceiling);
        for (const each of [one, other, now]) {
          expect(after.percentThousandths, `seed ${seed}`).toBeLessThanOrEqual(each.percentThousandths);
          expect(after.pinEpoch, `seed ${seed}`).toBeGreaterThanOrEqual(each.pinEpoch);
          const firmness = stateNames.indexOf(after.state);
          expect(firmness, `seed ${seed}`).toBeGreaterThanOrEqual(
            Math.max(1, stateNames.indexOf(each.state)),
          );
        }
        expect(lowered(after, ceiling), `seed ${seed}`).toEqual(after);
      }),
      { seed, verbose: 1 },
    );
  });

  test("is not limited by what is closed", () => {
    const closed = state(9, 100_000, { state: "closed" });
    expect(ceilingOf([closed])).toBeUndefined();
    expect(ceilingOf([closed, state(8, 5000)])).toEqual({
      percentThousandths: 5000,
      state: "held",
      pinEpoch: 0,
    });
  });
});

import { expect, test } from "vitest";
import { differenceOf } from "../../../../src/guard/evidence/difference.ts";
import { createChance } from "../../../../src/guard/simulate/chance.ts";

test("before anything is counted, every difference is possible", () => {
  const nobody = { units: 0, failed: 0 };
  expect(differenceOf(nobody, nobody, 0.95)).toEqual({ estimate: 0, least: -1, most: 1 });
});

test("the interval lies around the estimate and narrows with the counts", () => {
  const few = differenceOf({ units: 100, failed: 1 }, { units: 100, failed: 4 }, 0.95);
  const many = differenceOf({ units: 1e5, failed: 1000 }, { units: 1e5, failed: 4000 }, 0.95);
  for (const { least, estimate, most } of [few, many]) {
    expect(least).toBeLessThan(estimate);
    expect(most).toBeGreaterThan(estimate);
    expect(estimate).toBeCloseTo(0.03, 12);
  }
  expect(few.least).toBeLessThan(0);
  expect(many.least).toBeGreaterThan(0.025);
  expect(many.most).toBeLessThan(0.035);
});

test("looked at ten times, with risks that change, it covers the truth in at least 95 of 100 runs", () => {
  let missed = 0;
  const runs = 100;
  for (let seed = 1; seed <= runs; seed += 1) {
    const chance = createChance(seed);
    const legacy = { units: 0, failed: 0 };
    const onNew = { units: 0, failed: 0 };
    let risks = 0;
    let isMissed = false;
    for (let look = 1; look <= 10; look += 1) {
      const risk = look % 5 === 0 ? 0.3 : 0.02;
      for (let unit = 0; unit < 100; unit += 1) {
        legacy.units += 1;
        onNew.units += 1;
        if (chance.uniform() < 0.02) legacy.failed += 1;
        if (chance.uniform() < risk) onNew.failed += 1;
        risks += risk;
      }
      const { least, most } = differenceOf(legacy, onNew, 0.95);
      const truth = risks / onNew.units - 0.02;
      if (truth < least || truth > most) isMissed = true;
    }
    if (isMissed) missed += 1;
  }
  expect(missed / runs).toBeLessThanOrEqual(0.05);
});

import { expect, test } from "vitest";
import { logGamma } from "../../../../src/guard/evidence/log-gamma.ts";
import {
  createShareCheck,
  logShareEvidence,
  shareAlertOdds,
} from "../../../../src/guard/evidence/share-check.ts";
import { createChance } from "../../../../src/guard/simulate/chance.ts";

/** The highest odds against the share within so many assignments by a splitter. */
function highest(seed: number, configured: number, actual: number, assignments: number): number {
  const chance = createChance(seed);
  let onNew = 0;
  let most = 0;
  for (let n = 1; n <= assignments; n += 1) {
    if (chance.uniform() < actual) onNew += 1;
    most = Math.max(most, logShareEvidence(configured, n, onNew));
  }
  return most;
}

const alert = Math.log(shareAlertOdds);

test("of shares that nothing speaks against, the one that most were counted by is told", () => {
  const check = createShareCheck();
  const rows = [
    [0, 29, 0],
    [50_000, 211, 205],
  ] as const;
  check.block([{ of: "", rows }], true);
  expect(check.finding()).toMatchObject({ configured: 0.5, assigned: 416, isOff: false });
});

test("Γ is that of whole numbers and of a half", () => {
  expect(logGamma(1)).toBeCloseTo(0, 12);
  expect(logGamma(11)).toBeCloseTo(Math.log(3_628_800), 12);
  expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.sqrt(Math.PI)), 12);
});

test("the ratio's mean is 1 after every number of assignments", () => {
  for (const share of [0.01, 0.25, 0.5, 0.9]) {
    for (const n of [1, 7, 60]) {
      let mean = 0;
      for (let k = 0; k <= n; k += 1) {
        const logChoose = logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1);
        const logP = logChoose + k * Math.log(share) + (n - k) * Math.log1p(-share);
        mean += Math.exp(logP + logShareEvidence(share, n, k));
      }
      expect(Math.abs(mean - 1)).toBeLessThan(1e-9);
    }
  }
});

test("a splitter that keeps to its share is left alone, and a biased one is found", () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    expect(highest(seed, 0.05, 0.05, 5000)).toBeLessThan(alert);
    expect(highest(seed, 0.05, 0.08, 5000)).toBeGreaterThan(alert);
  }
});

test("where nobody or everybody is to go to new, one who does not is enough", () => {
  expect(logShareEvidence(0, 100, 0)).toBe(0);
  expect(logShareEvidence(0, 100, 1)).toBe(Number.POSITIVE_INFINITY);
  expect(logShareEvidence(1, 100, 99)).toBe(Number.POSITIVE_INFINITY);
  expect(logShareEvidence(1, 100, 100)).toBe(0);
});

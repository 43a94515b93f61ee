/** What the guard's bounds rest on: a block's likelihood ratio has mean 1 under what it refutes, and at most 1 below. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BlockCounts, oddsLikelihood, shareLikelihood } from "../../../src/guard/evidence/likelihood.ts";

const alternatives = [1.5, 2, 3, 6, 15, 60];
const smaller = [0.9, 0.75, 0.5, 0.25, 0.05];

/** C(n, k) by Pascal's triangle, apart from the code under test. */
const pascal: number[][] = [[1]];
for (let n = 1; n <= 40; n += 1) {
  const above = pascal[n - 1] ?? [];
  pascal.push(Array.from({ length: n + 1 }, (_, k) => (above[k - 1] ?? 0) + (above[k] ?? 0)));
}
const choose = (n: number, k: number) => pascal[n]?.[k] ?? 0;

/** Σ P_ψ(x)·L_k(x) for each alternative, x running over all that is possible. */
function means(a: number, b: number, m: number, psi: number, atMost: number, odds: readonly number[]) {
  const likelihood = oddsLikelihood(atMost, odds);
  const possible = Array.from({ length: m + 1 }, (_, x) => x).filter((x) => x <= b && m - x <= a);
  const weights = possible.map((x) => choose(b, x) * choose(a, m - x) * psi ** x);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const sums = odds.map(() => 0);
  possible.forEach((x, at) => {
    const logs = new Float64Array(odds.length);
    likelihood.add(logs, { legacy: a, onNew: b, events: m, eventsOnNew: x });
    logs.forEach((log, k) => {
      sums[k] = (sums[k] ?? 0) + ((weights[at] ?? 0) / total) * Math.exp(log);
    });
  });
  return sums;
}

/** The means of every small block. @param psi the true odds ratio */
function everyMean(psi: number, atMost: number, odds: readonly number[]): number[] {
  const found: number[] = [];
  for (let a = 0; a <= 8; a += 1) {
    for (let b = 0; b <= 8; b += 1) {
      for (let m = 0; m <= a + b; m += 1) found.push(...means(a, b, m, psi, atMost, odds));
    }
  }
  return found;
}

describe("an odds ratio", () => {
  test.each([
    ["worse than legacy", 1, alternatives],
    ["worse than a tolerance", 1.5, alternatives.map((psi) => 1.5 * psi)],
    ["paid less", 1, smaller],
    ["a gate of 2", 2, [1.25, 1.5, 2, 3].map((margin) => 2 / margin)],
  ] as const)("%s has mean 1 in every small block", (_, atMost, odds) => {
    const found = everyMean(atMost, atMost, odds);
    expect(Math.max(...found.map((mean) => Math.abs(mean - 1)))).toBeLessThan(1e-9);
  });

  test.each([
    [[0.1, 0.5, 0.8, 0.99], alternatives],
    [[1.01, 2, 10], smaller],
  ])("its mean is at most 1 wherever new is not so bad: %j", (truths, odds) => {
    for (const psi of truths) expect(Math.max(...everyMean(psi, 1, odds))).toBeLessThan(1 + 1e-9);
  });

  test("its mean under an alternative is above 1, or it could find nothing", () => {
    for (const mean of means(5, 5, 3, 6, 1, alternatives)) expect(mean).toBeGreaterThan(1.05);
  });

  test("it says nothing of a block without a side or without an event", () => {
    fc.assert(
      fc.property(fc.nat(500), fc.boolean(), (units, isNew) => {
        const logs = new Float64Array(alternatives.length);
        const alone: BlockCounts = {
          legacy: isNew ? 0 : units,
          onNew: isNew ? units : 0,
          events: units,
          eventsOnNew: isNew ? units : 0,
        };
        const still: BlockCounts = { legacy: units, onNew: units, events: 0, eventsOnNew: 0 };
        const likelihood = oddsLikelihood(1, alternatives);
        expect(likelihood.add(logs, alone) || likelihood.add(logs, still)).toBe(false);
        expect([...logs]).toEqual(alternatives.map(() => 0));
      }),
    );
  });

  test("it stays a number for large blocks, and grows with the events on new", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 1, max: 20_000 }), (a, b) => {
        const m = Math.max(1, Math.floor((a + b) / 7));
        const least = Math.max(0, m - a);
        const most = Math.min(m, b);
        const found = [least, most].map((x) => {
          const logs = new Float64Array(alternatives.length);
          oddsLikelihood(1, alternatives).add(logs, { legacy: a, onNew: b, events: m, eventsOnNew: x });
          return logs;
        });
        alternatives.forEach((_, k) => {
          const [low = Number.NaN, high = Number.NaN] = found.map((logs) => logs[k] ?? Number.NaN);
          expect(Number.isFinite(low) && Number.isFinite(high)).toBe(true);
          expect(high).toBeGreaterThanOrEqual(low);
        });
      }),
      { numRuns: 50 },
    );
  });
});

test("a share's ratio has mean 1 at the share that is refuted, and less below it", () => {
  const shares = [0.2, 0.4, 0.8, 0.97];
  for (const p of [0.02, 0.05, 0.1]) {
    for (let b = 1; b <= 12; b += 1) {
      const sums = shares.map(() => 0);
      for (let x = 0; x <= b; x += 1) {
        const logs = new Float64Array(shares.length);
        shareLikelihood(0.1, shares).add(logs, { legacy: 0, onNew: b, events: 0, eventsOnNew: x });
        logs.forEach((log, k) => {
          sums[k] = (sums[k] ?? 0) + choose(b, x) * p ** x * (1 - p) ** (b - x) * Math.exp(log);
        });
      }
      for (const mean of sums) {
        if (p === 0.1) expect(Math.abs(mean - 1)).toBeLessThan(1e-9);
        else expect(mean).toBeLessThan(1);
      }
    }
  }
});

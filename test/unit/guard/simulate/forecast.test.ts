import { expect, test } from "vitest";
import { createChance } from "../../../../src/guard/simulate/chance.ts";
import { type ForecastQuestion, forecast } from "../../../../src/guard/simulate/forecast.ts";
import { linesOf, minutesText, pictureOf } from "../../../../src/guard/simulate/told.ts";

const question: ForecastQuestion = {
  seed: 1,
  perSecond: 10,
  failing: 0.01,
  steps: [5, 50],
  dwellMs: 600_000,
  alpha: 0.01,
  notWorseThan: 2,
  paidNotWorseThan: 1.5,
  confidence: 0.95,
  days: 10,
};

test("draws have the means and spreads of their distributions", () => {
  const chance = createChance(3);
  for (const mean of [0.3, 4, 12, 180]) {
    const counts = Array.from({ length: 20_000 }, () => chance.poisson(mean));
    const average = counts.reduce((sum, count) => sum + count, 0) / counts.length;
    const variance = counts.reduce((sum, count) => sum + (count - average) ** 2, 0) / counts.length;
    expect(Math.abs(average - mean)).toBeLessThan(4 * Math.sqrt(mean / counts.length));
    expect(variance / mean).toBeGreaterThan(0.93);
    expect(variance / mean).toBeLessThan(1.07);
  }
  const normals = Array.from({ length: 20_000 }, () => chance.normal());
  expect(Math.abs(normals.reduce((sum, each) => sum + each, 0) / normals.length)).toBeLessThan(0.03);
  expect(normals.filter((each) => Math.abs(each) < 1).length / normals.length).toBeCloseTo(0.683, 1);
});

test("a forecast is the same for the same seed, tells its progress, and puts worse before slightly worse", () => {
  const told: number[] = [];
  const found = forecast(question, (done) => told.push(done));
  expect(forecast(question, () => {})).toEqual(found);
  expect(told).toEqual([...told].sort((a, b) => a - b));
  expect(told.at(-1)).toBe(1);
  const [first, last] = found.steps;
  expect(first?.toPass?.median).toBeGreaterThanOrEqual(10);
  expect(last?.toPass).toBeUndefined();
  expect(found.finish.median).toBe(first?.toPass?.median);
  for (const { toCatch } of found.steps) {
    expect(toCatch.all.median).toBeLessThan(toCatch.tenPercent.median ?? 0);
    expect(toCatch.tenPercent.median).toBeLessThan(toCatch.twice.median ?? 0);
  }
  expect(found.falseRollbacks).toEqual({ days: 10, acted: 0 });
});

test("payments are forecast where journeys are paid, and more are lost the later they are missed", () => {
  const found = forecast(
    { ...question, steps: [20], days: 1, paying: { share: 0.6, medianMs: 180_000 } },
    () => {},
  );
  const [step] = found.steps;
  expect(step?.unpaid?.none.median).toBeLessThan(step?.unpaid?.half.median ?? 0);
  expect(step?.unpaid?.lostOfNone).toBeGreaterThan(0);
  const lines = linesOf(found);
  expect(lines.join("\n")).toContain("half unpaid");
  expect(lines.at(-2)).toMatch(/^False rollbacks: \d+ in 1 days/);
  expect(lines.at(-1)).toMatch(
    /^At 20%, when a tenth fails: new fails .*, rolled back .* after the first failure$/,
  );
  expect(pictureOf(found)).toMatch(/^<svg [\s\S]*half unpaid[\s\S]*<\/svg>\n$/);
});

test.each([
  [undefined, "-"],
  [0.5, "30 s"],
  [2.04, "2.0 min"],
  [30, "30 min"],
  [246, "4.1 h"],
  [5000, "3.5 d"],
])("%s minutes are %s", (minutes, text) => {
  expect(minutesText(minutes)).toBe(text);
});

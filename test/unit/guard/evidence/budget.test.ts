import { expect, test } from "vitest";
import { alphaOf, createDay, shares, thresholdsOf } from "../../../../src/guard/evidence/budget.ts";
import { testNames } from "../../../../src/guard/evidence/tests.ts";

test("the parts of the budget are the whole of it", () => {
  expect(testNames.reduce((sum, name) => sum + shares[name], 0)).toBeCloseTo(1, 12);
  const parts = { failures: 4, tooMany: 4, paid: 2, slow: 2 };
  const spent = testNames.reduce((sum, name) => sum + parts[name] * alphaOf(name, 0.01), 0);
  expect(spent).toBeCloseTo(0.01, 12);
});

test("a form acts at odds of 1 to its part, and the endless one at a day's blocks as many", () => {
  expect(alphaOf("failures", 0.01)).toBeCloseTo(0.001, 12);
  expect(thresholdsOf(0.001, 8640)).toEqual({ mixture: 1000, endless: 8_640_000 });
});

test.each(["one", "many"] as const)("onset weights of a day (%s) are at most 1 in all", (steps) => {
  const day = createDay({ blocksADay: 500, steps, isRenewed: true });
  let spent = 0;
  for (let n = 0; n < 500; n += 1) spent += day.block(n % 9 === 0).onset;
  expect(spent).toBeLessThanOrEqual(1 + 1e-12);
  expect(spent).toBeGreaterThan(0.99);
});

test("a step renews no day; 24 hours do, also after what was written down", () => {
  const options = { blocksADay: 10, steps: "many", isRenewed: true } as const;
  const first = createDay(options);
  expect(first.block(true)).toEqual({ onset: 0.3, dayBegins: true });
  expect(first.block(true)).toEqual({ onset: 0.05 + 0.125, dayBegins: false });
  for (let n = 0; n < 7; n += 1) first.block(false);
  const second = createDay(options, JSON.parse(JSON.stringify(first.state())));
  expect(second.block(false)).toEqual({ onset: 0.05, dayBegins: false });
  expect(second.block(false)).toEqual({ onset: 0.3, dayBegins: true });
});

test("a day that is not renewed has nothing left to give after it", () => {
  const day = createDay({ blocksADay: 2, steps: "one", isRenewed: false });
  expect([1, 2, 3, 4].map(() => day.block(false).onset)).toEqual([0.75, 0.25, 0, 0]);
});

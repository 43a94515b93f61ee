import { expect, test } from "vitest";
import { besideMetrics, type MetricFinding } from "../../../../src/guard/verdict/metrics.ts";
import type { Judgement } from "../../../../src/guard/verdict/verdict.ts";

const healthy: Judgement = { verdict: "healthy", because: [], sentence: "new fails 0.1%: healthy" };
const finding = (more: Partial<MetricFinding>): MetricFinding => ({
  ...{ name: "stock", state: "worse", action: "hold", sentence: "stock: new 9, above 2 for 5 min" },
  ...more,
});

test("metrics that are fine add nothing", () => {
  expect(besideMetrics(healthy, [finding({ state: "fine" })], false)).toBe(healthy);
});

test("one that is worse makes the verdict worse, does what it says, and is told before the counts", () => {
  expect(besideMetrics(healthy, [finding({})], false)).toEqual({
    verdict: "worse",
    action: "hold",
    because: ["metric stock"],
    sentence: "stock: new 9, above 2 for 5 min: worse, held; by counts, new fails 0.1%: healthy",
  });
});

test("of several that are worse the strongest action counts, that of the evidence among them", () => {
  const alert = finding({ action: "alert" });
  expect(besideMetrics(healthy, [alert, finding({ action: "rollback" })], false).action).toBe("rollback");
  const held: Judgement = { ...healthy, verdict: "worse", because: ["failures"], action: "hold" };
  expect(besideMetrics(held, [alert], false)).toMatchObject({
    action: "hold",
    because: ["failures", "metric stock"],
  });
});

test("nothing is rolled back onto a legacy that is sick or half of the way there", () => {
  const back = finding({ action: "rollback" });
  expect(besideMetrics(healthy, [back], true)).toMatchObject({ verdict: "both sick", action: "hold" });
  const sick: Judgement = { ...healthy, verdict: "legacy sick", action: "hold" };
  expect(besideMetrics(sick, [back], false)).toMatchObject({ verdict: "both sick", action: "hold" });
});

test("one that is worse and not for so long yet is watched, and changes no verdict that says more", () => {
  const pending = finding({ state: "pending", sentence: "stock: new 9, not yet for 5 min" });
  expect(besideMetrics(healthy, [pending], false)).toEqual({
    ...healthy,
    verdict: "watching",
    sentence: "new fails 0.1%: healthy; stock: new 9, not yet for 5 min",
  });
  expect(besideMetrics({ ...healthy, verdict: "blind" }, [pending], false).verdict).toBe("blind");
});

test("no data is said, and decides nothing", () => {
  const missing = finding({ state: "no data", sentence: "stock: no data (ECONNREFUSED)" });
  expect(besideMetrics(healthy, [missing], false)).toEqual({
    ...healthy,
    sentence: "new fails 0.1%: healthy; stock: no data (ECONNREFUSED)",
  });
});

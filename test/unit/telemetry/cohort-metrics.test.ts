import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { initialState } from "../../../src/state/rules/model.ts";
import { addCohortMetrics } from "../../../src/telemetry/cohort-metrics.ts";

test("the percents of cohorts are shown as they stand at the scrape, and those that the configuration has no more are not", async () => {
  const registry = new Registry();
  const cohorts = { jakarta: 12_500, bandung: 0, gone: 7000 };
  const states = new Map([["checkout", { ...initialState(), cohorts }]]);
  let starts: Record<string, number> = { jakarta: 40_000, bandung: 0 };
  addCohortMetrics(registry, { current: () => ({ states }) }, () => starts);
  const first = await registry.metrics();
  expect(first).toContain('cutover_cohort_percent{cutover="checkout",cohort="jakarta"} 12.5');
  expect(first).toContain('cutover_cohort_percent{cutover="checkout",cohort="bandung"} 0');
  expect(first).not.toContain("gone");
  starts = { jakarta: 40_000 };
  expect(await registry.metrics()).not.toContain("bandung");
});

import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { initialState } from "../../../src/state/rules/model.ts";
import { addStandingMetrics } from "../../../src/telemetry/standing-metrics.ts";

test("the percents of cohorts are shown as they stand at the scrape, and those that the configuration has no more are not", async () => {
  const registry = new Registry();
  const cohorts = { jakarta: 12_500, bandung: 0, gone: 7000 };
  const states = new Map([["checkout", { ...initialState(), cohorts }]]);
  let starts: Record<string, number> = { jakarta: 40_000, bandung: 0 };
  const following = { current: () => ({ states }) };
  addStandingMetrics(registry, { following, starts: () => starts, clock: { now: () => 0 } });
  const first = await registry.metrics();
  expect(first).toContain('cutover_cohort_percent{cutover="checkout",cohort="jakarta"} 12.5');
  expect(first).toContain('cutover_cohort_percent{cutover="checkout",cohort="bandung"} 0');
  expect(first).not.toContain("gone");
  starts = { jakarta: 40_000 };
  expect(await registry.metrics()).not.toContain("bandung");
});

test("a side is in maintenance until its moment, and every other one is not", async () => {
  const registry = new Registry();
  const maintenance = `new ${new Date(1000).toISOString()}`;
  const states = new Map([
    ["checkout", { ...initialState(), maintenance }],
    ["search", initialState()],
  ]);
  let nowMs = 999;
  const following = { current: () => ({ states }) };
  addStandingMetrics(registry, { following, starts: () => undefined, clock: { now: () => nowMs } });
  const shown = async () => (await registry.metrics()).match(/^cutover_maintenance\{.*$/gm);
  const none = (cutover: string, side: string) =>
    `cutover_maintenance{cutover="${cutover}",side="${side}"} 0`;
  const others = [none("search", "legacy"), none("search", "new")];
  expect(await shown()).toEqual([
    none("checkout", "legacy"),
    'cutover_maintenance{cutover="checkout",side="new"} 1',
    ...others,
  ]);
  nowMs = 1000;
  expect(await shown()).toEqual([none("checkout", "legacy"), none("checkout", "new"), ...others]);
});

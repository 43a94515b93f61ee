import { Registry } from "prom-client";
import { expect, test } from "vitest";
import type { RaiseView } from "../../../../src/admin/api/plan/raise-view.ts";
import { showRaises } from "../../../../src/instance/plans/metrics.ts";

test("a scrape reads the plans once, and shows each by its status, gates, finish and date, and what is against a raise", async () => {
  const registry = new Registry();
  const view: RaiseView = {
    plan: {
      ...{ status: "running", percent: 5, next: 10, sentence: "" },
      waiting: [{ gate: "window", text: "weekend", secondsLeft: 60 }],
      finish: "2026-01-02T00:00:00.000Z",
    },
    deadline: { at: "2026-01-03T00:00:00.000Z", reason: "the law", against: "on time" },
    window: { until: "2026-01-01T00:00:00.000Z", reason: "weekend" },
  };
  const reads: string[] = [];
  const raises = {
    read: async () => void reads.push("read"),
    known: (name: string): RaiseView => (name === "checkout" ? view : {}),
  };
  showRaises(registry, raises, () => ["checkout", "search"]);
  const lines = (await registry.metrics()).split("\n");
  expect(reads).toEqual(["read"]);
  const shown = lines.filter((line) => line !== "" && !line.startsWith("#"));
  expect(shown.filter((line) => line.endsWith(" 1"))).toEqual([
    'cutover_plan_status{cutover="checkout",status="running"} 1',
    'cutover_plan_waits{cutover="checkout",gate="window"} 1',
    'cutover_raise_refused{cutover="checkout",by="window"} 1',
  ]);
  expect(shown).toContain(
    `cutover_plan_finish_timestamp_seconds{cutover="checkout"} ${Date.UTC(2026, 0, 2) / 1000}`,
  );
  expect(shown).toContain(
    `cutover_deadline_timestamp_seconds{cutover="checkout"} ${Date.UTC(2026, 0, 3) / 1000}`,
  );
  // Of a cutover without a plan nothing but what is against a raise.
  expect(shown.filter((line) => line.includes("search"))).toEqual([
    'cutover_raise_refused{cutover="search",by="window"} 0',
    'cutover_raise_refused{cutover="search",by="freeze"} 0',
  ]);
});

import { Registry } from "prom-client";
import { expect, it } from "vitest";
import type { OpenFigures } from "../../../src/admin/api/open-view.ts";
import { createOpenGauges } from "../../../src/telemetry/open.ts";

const now = Date.parse("2026-01-01T00:10:00Z");
const open = (count: number, oldestStartedAt: string | null) => ({
  open: count,
  atLeast: false,
  oldestStartedAt,
});

it("tells what is open and how old, and nothing of what is not known", async () => {
  const registry = new Registry();
  let figures: OpenFigures = new Map([
    [
      "checkout",
      {
        journeys: { legacy: open(12, "2026-01-01T00:00:00.000Z"), new: open(0, null) },
        unfinished: { legacy: open(3, "2026-01-01T00:09:59.000Z"), new: open(1, "2026-01-01T00:10:05.000Z") },
      },
    ],
    ["search", { journeys: null, unfinished: null }],
  ]);
  createOpenGauges(
    registry,
    async () => figures,
    () => now,
  );
  const samples = async () =>
    (await registry.metrics()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  expect(await samples()).toEqual([
    'cutover_open_journeys{cutover="checkout",side="legacy"} 12',
    'cutover_open_journeys{cutover="checkout",side="new"} 0',
    'cutover_oldest_journey_seconds{cutover="checkout",side="legacy"} 600',
    'cutover_oldest_journey_seconds{cutover="checkout",side="new"} 0',
    'cutover_unfinished_orders{cutover="checkout",side="legacy"} 3',
    'cutover_unfinished_orders{cutover="checkout",side="new"} 1',
    'cutover_oldest_unfinished_order_seconds{cutover="checkout",side="legacy"} 1',
    // Clocks of two hosts may be apart: no age is below 0.
    'cutover_oldest_unfinished_order_seconds{cutover="checkout",side="new"} 0',
  ]);
  figures = new Map();
  expect(await samples()).toEqual([]);
});

it("says of each figure that it is the fleet's", async () => {
  const registry = new Registry();
  createOpenGauges(
    registry,
    async () => new Map(),
    () => now,
  );
  const helps = (await registry.metrics()).split("\n").filter((line) => line.startsWith("# HELP"));
  expect(helps).toHaveLength(4);
  for (const help of helps) expect(help).toContain("take the max, not the sum");
});

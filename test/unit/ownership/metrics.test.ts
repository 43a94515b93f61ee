import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { createUnderWayGauges } from "../../../src/ownership/metrics.ts";
import type { FiguresUnderWay } from "../../../src/ownership/under-way/figures.ts";

const now = Date.parse("2026-01-01T00:10:00Z");
const counted = (count: number, oldest?: string) => ({
  count,
  atLeast: false,
  oldestStartedAt: oldest === undefined ? undefined : Date.parse(oldest) / 1000,
});

test("the page tells what is under way and how old, and nothing of what is not known", async () => {
  const registry = new Registry();
  let figures: FiguresUnderWay = new Map([
    [
      "checkout",
      {
        journeys: { legacy: counted(12, "2026-01-01T00:00:00.000Z"), new: counted(0) },
        orders: {
          legacy: counted(3, "2026-01-01T00:09:59.000Z"),
          new: counted(1, "2026-01-01T00:10:05.000Z"),
        },
      },
    ],
    ["search", {}],
  ]);
  createUnderWayGauges(
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

test("the page says of each figure that it is the fleet's", async () => {
  const registry = new Registry();
  createUnderWayGauges(
    registry,
    async () => new Map(),
    () => now,
  );
  const helps = (await registry.metrics()).split("\n").filter((line) => line.startsWith("# HELP"));
  expect(helps).toHaveLength(4);
  for (const help of helps) expect(help).toContain("take the max, not the sum");
});

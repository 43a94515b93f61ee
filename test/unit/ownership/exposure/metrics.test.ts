import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { showExposure } from "../../../../src/ownership/exposure/metrics.ts";

test("a scrape shows how each cutover with a cap stands now, and none without", async () => {
  const registry = new Registry();
  let isOver = false;
  const capped = new Set(["checkout"]);
  const standing = () => ({ openAmount: isOver ? 1001 : 7, maxOpenAmount: 1000, reopensAt: 800, isOver });
  showExposure(registry, { standing }, () => capped);
  const shown = async () =>
    (await registry.metrics()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  expect(await shown()).toEqual([
    'cutover_exposure_open_amount{cutover="checkout"} 7',
    'cutover_exposure_max_open_amount{cutover="checkout"} 1000',
    'cutover_exposure_over{cutover="checkout"} 0',
  ]);
  isOver = true;
  expect(await shown()).toContain('cutover_exposure_over{cutover="checkout"} 1');
  capped.clear();
  expect(await shown()).toEqual([]);
});

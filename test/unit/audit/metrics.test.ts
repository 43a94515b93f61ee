import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { createAuditMetrics } from "../../../src/audit/metrics.ts";
import { samplesOf } from "../telemetry/page.ts";

test("how the file stands is told as it is at the scrape, and what was left out never goes back", async () => {
  const registry = new Registry();
  let status = { up: true, waiting: 0, omitted: 0 };
  createAuditMetrics(registry, () => status);
  const told = async () => [...samplesOf(await registry.metrics()).values()];
  expect(await told()).toEqual([1, 0, 0]);
  status = { up: false, waiting: 3, omitted: 2 };
  expect(await told()).toEqual([0, 3, 2]);
  expect(await told()).toEqual([0, 3, 2]);
});

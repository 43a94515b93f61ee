import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { createCheckoutCounts } from "../../../src/telemetry/checkouts.ts";
import { recordOf } from "../../support/exchange-record.ts";

const pin = { id: "j", side: "new", epoch: 0, startedAt: 0, expiresAt: 1 } as const;

test("journeys that begin and payments that are made are counted by side, from 0, and only where there is something to pay", async () => {
  const registry = new Registry();
  const { started, paid, configure } = createCheckoutCounts(registry, ["checkout"]);
  configure(["checkout"]);
  const record = (cutover: string, status = 200) => recordOf({ cutover, side: "new", status });
  for (const event of ["start", "seen", "end"] as const) started.journeyed?.(record("checkout"), pin, event);
  started.journeyed?.(record("search"), pin, "start");
  for (const status of [200, 303]) paid.settled?.(record("checkout", status), "ok");
  paid.settled?.(record("checkout", 402), "ok");
  paid.settled?.(record("checkout", 200), "failed");
  paid.settled?.(record("checkout", 500), "server_error");
  const page = (await registry.metrics()).split("\n").filter((line) => line.startsWith("cutover_"));
  expect(page).toEqual([
    'cutover_journeys_started_total{cutover="checkout",side="legacy"} 0',
    'cutover_journeys_started_total{cutover="checkout",side="new"} 1',
    'cutover_payments_total{cutover="checkout",side="legacy"} 0',
    'cutover_payments_total{cutover="checkout",side="new"} 2',
  ]);
});

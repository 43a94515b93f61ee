import { afterAll, beforeAll, expect, test } from "vitest";
import { historyView } from "../../../src/cli/history.ts";

const zone = process.env.TZ;
beforeAll(() => {
  process.env.TZ = "UTC";
});
afterAll(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

const entry = {
  version: 12,
  at: "2026-04-30T19:14:09Z",
  by: "ana",
  action: "set",
  from: { percent: 10, state: "open" },
  to: { percent: 25, state: "open" },
  reason: "errors level for a day",
} as const;

test("an entry tells version, time, action, change, by whom, and why under it", () => {
  expect(historyView([entry, { ...entry, version: 9, reason: "" }], 80)).toEqual([
    "v12  2026-04-30 19:14:09 +00:00  set  10% → 25%  by ana",
    "     errors level for a day",
    "v9   2026-04-30 19:14:09 +00:00  set  10% → 25%  by ana",
  ]);
});

test("tells a change of state, a change that moved neither, and one made by hand", () => {
  const rollback = { ...entry, action: "rollback_hard", to: { percent: 0, state: "rolled_back" } } as const;
  expect(historyView([rollback], 120)[0]).toContain("rollback --hard  10% → 0%, open → ROLLED BACK  by ana");
  const again = { ...rollback, from: rollback.to };
  expect(historyView([again], 120)[0]).toContain("rollback --hard  at 0%  by ana");
  expect(historyView([{ ...entry, action: "out_of_band" }], 120)[0]).toContain("by hand in the store");
});

test("shows an action it has no word for as it is, made harmless", () => {
  expect(historyView([{ ...entry, action: "plan_step\u001b" }], 120)[0]).toContain("plan_step\\x1b");
});

test("says that nothing has been changed yet", () => {
  expect(historyView([], 80)).toEqual(["never changed"]);
});

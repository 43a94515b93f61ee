import { afterAll, beforeAll, expect, test } from "vitest";
import type { AnyHistoryEntry } from "../../../../../src/cli/client.ts";
import { historyView } from "../../../../../src/cli/commands/read/history.ts";

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
  via: null,
  requestId: null,
  annotations: [],
  action: "set",
  from: { percent: 10, state: "open" },
  to: { percent: 25, state: "open" },
  reason: "errors level for a day",
} satisfies AnyHistoryEntry;

test("an entry tells version, time, action, change, by whom, and why under it", () => {
  expect(historyView([entry, { ...entry, version: 9, reason: "" }], 80)).toEqual([
    "v12  2026-04-30 19:14:09 +00:00  set  10% → 25%  by ana",
    "     errors level for a day",
    "v9   2026-04-30 19:14:09 +00:00  set  10% → 25%  by ana",
  ]);
});

test("the history tells a change of state, a change that moved neither, and one made by hand", () => {
  const rollback = { ...entry, action: "rollback_hard", to: { percent: 0, state: "rolled_back" } } as const;
  expect(historyView([rollback], 120)[0]).toContain("rollback --hard  10% → 0%, open → ROLLED BACK  by ana");
  const again = { ...rollback, from: rollback.to };
  expect(historyView([again], 120)[0]).toContain("rollback --hard  at 0%  by ana");
  const byHand = { ...entry, action: "out_of_band", by: "by hand", via: "by hand", reason: "" } as const;
  expect(historyView([byHand], 120)).toEqual([
    "v12  2026-04-30 19:14:09 +00:00  out_of_band  10% → 25%  by hand",
  ]);
});

test("the history shows an action it has no word for as it is, made harmless", () => {
  expect(historyView([{ ...entry, action: "plan_step\u001b" }], 120)[0]).toContain("plan_step\\u{1b}");
});

test("the history of a store that was emptied at version 38 does not say that nothing was ever changed", () => {
  expect(historyView([], 80)).toEqual(["no change on record"]);
});

test("an entry tells by which way it came, unless the action says so, and reasons given later under it", () => {
  expect(historyView([{ ...entry, via: "console" }], 120)[0]).toMatch(/by ana {2}via console$/);
  expect(historyView([{ ...entry, action: "out_of_band", via: "by hand" }], 120)[0]).not.toContain("via");
  expect(historyView([{ ...entry, action: "reconciled", via: "reconciled" }], 120)[0]).not.toContain("via");
  const at = "2026-04-30T20:00:00Z";
  const later = { at, by: "bob", reason: "double\u001b charges", via: "cli", requestId: null };
  expect(historyView([{ ...entry, reason: "", annotations: [later] }], 120)).toEqual([
    "v12  2026-04-30 19:14:09 +00:00  set  10% → 25%  by ana",
    "     later, 2026-04-30 20:00:00 +00:00, by bob: double\\u{1b} charges",
  ]);
});

test("the history says that nothing was changed since", () => {
  expect(historyView([], 80, true)).toEqual(["not changed since"]);
});

import { expect, test } from "vitest";
import type { CutoverView } from "../../../../src/admin/api/cutover-view.ts";
import type { Drift } from "../../../../src/cli/commands/apply/drift.ts";
import { foreseeDrift, foreseenText } from "../../../../src/cli/commands/apply/foresight.ts";

const view = (over: Partial<CutoverView> = {}) =>
  ({
    ...{ name: "a", percent: 10, state: "open", version: 3, pinEpoch: 0 },
    ...{ updatedAt: "", updatedBy: "", reason: "" },
    ...over,
  }) as CutoverView;
const to = (percent: number): Drift => ({ kind: "percent", name: "a", from: 10, to: percent, version: 3 });
const freeze = { until: "2026-01-01T00:00:00Z", since: "", by: "ana", reason: "" };

test.each([
  ["nothing is against it", view(), "operator", "", ""],
  ["held", view({ state: "held" }), "operator", "held", ""],
  ["rolled back", view({ state: "rolled_back", percent: 0 }), "operator", "rolled_back", "rolled_back"],
  ["frozen", view({ freeze }), "operator", "frozen", ""],
  ["in a window", view({ window: { until: "", reason: "night" } }), "operator", "in_window", ""],
  ["by a responder", view(), "responder", "forbidden", ""],
  ["by a viewer", view(), "viewer", "forbidden", "forbidden"],
] as const)(
  "%s: a raise and a lower are foreseen as the rule book has them",
  (_, stands, role, raise, lower) => {
    const text = (code: string) => (code === "" ? "" : ` (would be refused: ${code})`);
    expect(foreseenText(foreseeDrift([to(20)], [stands], role)[0])).toBe(text(raise));
    if (stands.percent === 10)
      expect(foreseenText(foreseeDrift([to(5)], [stands], role)[0])).toBe(text(lower));
  },
);

test("what is lifted before it is not against a raise, and a plan starts only where it is open", () => {
  const lift: Drift = { kind: "unfreeze", from: freeze.until };
  expect(foreseeDrift([lift, to(20)], [view({ freeze })], "operator")).toEqual([undefined, undefined]);
  const byResponder = [{ refused: "forbidden" }, { refused: "forbidden" }];
  expect(foreseeDrift([lift, to(20)], [view({ freeze })], "responder")).toEqual(byResponder);
  const start: Drift = { kind: "plan", name: "a", to: "start", from: "paused" };
  expect(foreseeDrift([start], [view({ state: "held" })], "operator")).toEqual([{ refused: "held" }]);
});

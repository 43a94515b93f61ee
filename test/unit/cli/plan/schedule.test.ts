import { expect, test } from "vitest";
import { scheduleLines } from "../../../../src/cli/commands/plan/schedule.ts";

test("what is to be set at a time is listed with its time, its author and what became of it", () => {
  const entry = { id: "0f3a9c1e", percent: 25, at: "2025-03-01T14:00:00.000Z", by: "ana", reason: "step 3" };
  const outcome = { kind: "refused" as const, at: entry.at, because: "window: weekend" };
  const [waits, over] = scheduleLines("checkout", [entry, { ...entry, cohort: "jakarta", outcome }]);
  expect(waits).toMatch(/^0f3a9c1e {2}25% at 2025-03-01 .* by ana, step 3 {2}waits$/);
  expect(over).toMatch(/jakarta 25% at .* refused: window: weekend$/);
  expect(scheduleLines("checkout", [])).toEqual(["checkout: nothing is to be set at a time"]);
});

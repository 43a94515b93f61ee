/** A plan as it is shown: the plan's own desk on a store. */
import { expect, test } from "vitest";
import { occurrences } from "../../../src/config/plan/cron.ts";
import { type PlanRecord, planText } from "../../../src/plan/plan.ts";
import { createDesk } from "../../../src/plan/steward/desk.ts";
import { createWindows } from "../../../src/plan/windows.ts";
import type { CutoverState } from "../../../src/state/rules/model.ts";
import { createMemoryStore } from "../../../src/state/store/in-process.ts";
import { createManualTime } from "../../support/manual-time.ts";
import { minuteMs, planAt, spec, stateAt } from "./support.ts";

async function shown(record: PlanRecord, state: CutoverState) {
  const time = createManualTime();
  const store = createMemoryStore({ clock: time });
  const desk = createDesk({
    ...{ name: "checkout", store, clock: time },
    configured: () => spec(),
    windows: () => createWindows([], occurrences),
    deadline: () => undefined,
    state: () => state,
    guard: async () => "unguarded",
    legacy: async () => undefined,
    closed: async () => ({ window: undefined, freeze: undefined }),
  });
  await store.writeNote("checkout", "plan", { text: planText(record), ifRevision: 0 });
  return await desk.show();
}

const paused = planAt(5000, { status: "paused", because: "paused by ana: lunch", dweltMs: 3 * minuteMs });

test("a plan that is paused stands where the cutover does once that was rolled back, and its next step is from there", async () => {
  expect(await shown(paused, stateAt(0, { state: "rolled_back" }))).toMatchObject({
    ...{ status: "paused", because: "paused by ana: lunch", percent: 0, next: 1, stoodSeconds: 0 },
    projection: { steps: [{ percent: 1 }, { percent: 5 }, { percent: 99 }, { percent: 100 }] },
  });
});

test("one whose cutover has not moved shows what has stood", async () => {
  expect(await shown(paused, stateAt(5000))).toMatchObject({ percent: 5, next: 99, stoodSeconds: 180 });
});

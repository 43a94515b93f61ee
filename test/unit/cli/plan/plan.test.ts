import { expect, test } from "vitest";
import type { PlanView } from "../../../../src/admin/api/plan/plan-view.ts";
import { planLines } from "../../../../src/cli/commands/plan/plan.ts";

const nowMs = Date.parse("2025-03-01T12:05:00Z");
const running = {
  ...{ name: "checkout", status: "running", because: "", by: "ana", reason: "as agreed on Monday" },
  ...{ startedAt: "2025-03-01T12:00:00.000Z", percent: 5, next: 100, advance: "auto", steps: [5, 100] },
  done: [{ percent: 5, at: "2025-03-01T12:00:01.000Z", by: "plan", because: "the first step" }],
  ...{ dwellSeconds: 600, stoodSeconds: 300, evidence: null, legacy: null, deadline: null, projection: null },
  waiting: [{ gate: "dwell", text: "the step has not stood for its time", secondsLeft: 300 }],
} as const satisfies PlanView;
const step = { percent: 100, at: "2025-03-01T12:10:00.000Z", takesSeconds: 600, costs: "dwell" } as const;

test("the plan says what is done, where it stands, and what the next step waits for", () => {
  const text = planLines(running, nowMs).join("\n");
  expect(text).toContain("checkout: the plan is running, started by ana: as agreed on Monday");
  expect(text).toMatch(/done +5% at .* by plan: the first step/);
  expect(text).toMatch(/now +5%, stood for 5 min/);
  expect(text).toContain("no evidence is asked for");
  expect(text).toMatch(/waits +dwell: the step has not stood for its time, 5 min left/);
});

test("at 0% it does not say that no evidence is asked for: there is nothing to compare yet", () => {
  const text = planLines({ ...running, percent: 0, next: 5, done: [] }, nowMs).join("\n");
  expect(text).not.toContain("evidence");
});

test("a deadline that cannot be met is said before the first step, with what costs the most", () => {
  const projection = {
    ...{ finish: step.at, isMeasured: false, against: "cannot be met" as const },
    ...{ steps: [step], costliest: step },
  };
  const deadline = { at: "2025-03-01T12:06:00.000Z", reason: "the law" };
  const view = { ...running, status: "not started" as const, by: null, done: [], deadline, projection };
  const text = planLines(view, nowMs).join("\n");
  expect(text).toContain("the plan is not started");
  expect(text).toMatch(/finish .* at the soonest/);
  expect(text).toMatch(/deadline .*, the law: cannot be met/);
  expect(text).toMatch(/costs +most: the step to 100%, 10 min for its dwell/);
});

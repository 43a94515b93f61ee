import { expect, test } from "vitest";
import { occurrences } from "../../../src/config/plan/cron.ts";
import { project, type ToFinish } from "../../../src/plan/deadline.ts";
import { createWindows as createWindowsBy } from "../../../src/plan/windows.ts";

const createWindows = (specs: Parameters<typeof createWindowsBy>[0]) => createWindowsBy(specs, occurrences);
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const startMs = Date.parse("2024-01-01T00:00:00Z");

const asked = (over: Partial<ToFinish> = {}): ToFinish => ({
  steps: [1000, 50_000, 99_000, 100_000],
  standsThousandths: 0,
  dwellMs: hourMs,
  dweltMs: 0,
  asksEvidence: false,
  windows: createWindows([]),
  nowMs: startMs,
  ...over,
});

test("each step costs its dwell; the first costs nothing", () => {
  const { steps, finishMs, against, isMeasured } = project(asked());
  expect(steps.map(({ atMs }) => (atMs - startMs) / hourMs)).toEqual([0, 1, 2, 3]);
  expect(finishMs).toBe(startMs + 3 * hourMs);
  expect([against, isMeasured]).toEqual([undefined, true]);
});

test("what has stood already is not waited for again", () => {
  const { finishMs } = project(asked({ standsThousandths: 99_000, dweltMs: hourMs / 4 }));
  expect(finishMs).toBe(startMs + 0.75 * hourMs);
});

test("evidence at other percents takes as long as both sides' shares make it", () => {
  const evidence = { leftMs: 2 * hourMs, wholeMs: 10 * hourMs };
  const { steps, costliest } = project(asked({ standsThousandths: 50_000, evidence, asksEvidence: true }));
  // 10 h at .5 × .5 are 252.5 h at .99 × .01.
  expect(steps.map(({ takesMs }) => Math.round(takesMs / hourMs))).toEqual([2, 253]);
  expect(costliest).toMatchObject({ percentThousandths: 100_000, costs: "evidence" });
});

test("evidence that was not measured yet makes it the soonest finish, and says so", () => {
  expect(project(asked({ asksEvidence: true }))).toMatchObject({
    isMeasured: false,
    finishMs: startMs + 3 * hourMs,
  });
});

test("a freeze and windows put a step off", () => {
  const nights = {
    deny: "raise",
    cron: "0 0 * * *",
    for: 20 * hourMs,
    timezone: "UTC",
    reason: "night",
  } as const;
  const { steps, costliest } = project(
    asked({ windows: createWindows([nights]), frozenUntilMs: startMs + 2 * dayMs, dwellMs: 2 * hourMs }),
  );
  expect(steps.map(({ atMs }) => new Date(atMs).toISOString().slice(5, 16))).toEqual([
    "01-03T20:00",
    "01-03T22:00",
    "01-04T20:00",
    "01-04T22:00",
  ]);
  expect(costliest?.costs).toBe("windows");
});

test.each([
  [2 * hourMs, "cannot be met"],
  [3 * hourMs, "tight"],
  [30 * hourMs, "on time"],
])("against a deadline in %i ms it is %s, before the first step", (ms, against) => {
  expect(project(asked({ deadlineMs: startMs + ms })).against).toBe(against);
});

test("steps that end below 100 meet no deadline", () => {
  const projection = project(asked({ steps: [1000, 50_000], deadlineMs: startMs + dayMs }));
  expect(projection).toMatchObject({ against: "cannot be met" });
  expect(projection.finishMs).toBeUndefined();
});

test("a window that never ends leaves no moment", () => {
  const always = {
    deny: "raise",
    cron: "0 0 * * *",
    for: 25 * hourMs,
    timezone: "UTC",
    reason: "x",
  } as const;
  expect(project(asked({ windows: createWindows([always]) })).steps).toEqual([]);
});

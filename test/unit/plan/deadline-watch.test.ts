/** How a plan stands against its deadline, as it is told: the plan's own desk on a store, over fake time. */
import { expect, test } from "vitest";
import { StoreUnavailable } from "../../../src/base/errors.ts";
import { occurrences } from "../../../src/config/plan/cron.ts";
import { planText, startedPlan } from "../../../src/plan/plan.ts";
import { watchDeadlines } from "../../../src/plan/steward/deadline-watch.ts";
import { createDesk } from "../../../src/plan/steward/desk.ts";
import { createWindows } from "../../../src/plan/windows.ts";
import { initialState } from "../../../src/state/rules/model.ts";
import { createMemoryStore } from "../../../src/state/store/in-process.ts";
import { createManualTime, epoch } from "../../support/manual-time.ts";
import { createRecordedLog } from "../../support/recorded-log.ts";
import { minuteMs, spec } from "./support.ts";

/** Steps of 1, 5, 99 and 100%, of ten minutes each: half an hour in all. */
function create(deadlineMs: number) {
  const time = createManualTime();
  const store = createMemoryStore({ clock: time });
  const told: string[] = [];
  const shown: unknown[] = [];
  const around = { isAway: false, cutovers: ["checkout"] };
  const desk = createDesk({
    ...{ name: "checkout", store, clock: time },
    configured: () => spec(),
    windows: () => createWindows([], occurrences),
    deadline: () => ({ at: epoch + deadlineMs, reason: "the law" }),
    state: initialState,
    guard: async () => "unguarded",
    legacy: async () => undefined,
    closed: async () => ({ window: undefined, freeze: undefined }),
  });
  const log = createRecordedLog();
  const stop = watchDeadlines({
    cutovers: () => around.cutovers,
    show: () => (around.isAway ? Promise.reject(new StoreUnavailable("away")) : desk.show()),
    onRisk: (cutover, _, sentence) => told.push(`${cutover} ${sentence}`),
    expose: (standings) => shown.push(Object.fromEntries(standings)),
    ...{ timers: time, log },
  });
  const write = async (status: "running" | "done") => {
    const { revision } = await store.note("checkout", "plan");
    const start = {
      id: "p",
      spec: spec(),
      by: "anna",
      reason: "go",
      at: "",
      percentThousandths: 0,
      version: 0,
    };
    const record = { ...startedPlan(undefined, start), status };
    await store.writeNote("checkout", "plan", { text: planText(record), ifRevision: revision });
  };
  return { time, around, told, shown, stop, log, write };
}

test("a plan that nobody starts becomes tight and then cannot be met, and each is told once", async () => {
  const { time, told, shown } = create(60 * minuteMs);
  await time.advance(0);
  expect(told).toEqual([]);
  expect(shown).toEqual([{ checkout: undefined }, { checkout: "on time" }]);
  await time.advance(25 * minuteMs);
  expect(told).toEqual([
    expect.stringMatching(
      /^checkout tight: the finish is projected for \S+, the deadline is 2026-01-01T01:00:00\.000Z \(the law\); the longest is the step to 5%, by dwell; the plan is not started$/,
    ),
  ]);
  await time.advance(60 * minuteMs);
  expect(told).toHaveLength(2);
  expect(told[1]).toMatch(/^checkout cannot be met: /);
  expect(shown.at(-1)).toEqual({ checkout: "cannot be met" });
});

test("one whose deadline is too near is told before its first step", async () => {
  const { time, told, write } = create(20 * minuteMs);
  await write("running");
  await time.advance(0);
  expect(told).toEqual([expect.stringMatching(/^checkout cannot be met: .*, by dwell$/)]);
});

test("what is done has no deadline that could be missed", async () => {
  const { time, told, shown, write } = create(20 * minuteMs);
  await write("done");
  await time.advance(90 * minuteMs);
  expect(told).toEqual([]);
  expect(shown.at(-1)).toEqual({ checkout: undefined });
});

test("while the store is away it is as it was, and is not told again afterwards", async () => {
  const { time, around, told, shown, log } = create(20 * minuteMs);
  await time.advance(0);
  around.isAway = true;
  await time.advance(2 * minuteMs);
  expect(shown.at(-1)).toEqual({ checkout: "cannot be met" });
  around.isAway = false;
  await time.advance(2 * minuteMs);
  expect(told).toHaveLength(1);
  expect(log.lines).toHaveLength(2);
});

test("a cutover that is configured no longer is not shown, and nothing is looked at after the end", async () => {
  const { time, around, shown, stop } = create(60 * minuteMs);
  await time.advance(0);
  around.cutovers = [];
  await time.advance(minuteMs);
  expect(shown.at(-1)).toEqual({});
  stop();
  expect(time.pending()).toBe(0);
});

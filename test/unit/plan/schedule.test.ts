import { describe, expect, test } from "vitest";
import { dueOf, readSchedule, type Scheduled } from "../../../src/plan/schedule.ts";
import { createSchedules } from "../../../src/plan/steward/schedules.ts";
import { command, setTo } from "../../support/commands.ts";
import { createPlanFleet, name, type PlanFleet } from "./fleet.ts";
import { minuteMs, spec, stateAt } from "./support.ts";

const secondMs = 1000;

const entry = (over: Partial<Scheduled> = {}): Scheduled => ({
  ...{ id: "s1", percentThousandths: 25_000, dueMs: 0, by: "ana", reason: "step 3" },
  ...{ askedAt: "2024-01-01T00:00:00.000Z", requestId: "r1", fromThousandths: 5000 },
  ...over,
});
const well = { guard: "healthy", window: undefined, freeze: undefined } as const;
const closed = { untilMs: 1e12, reason: "weekend" };
const due = (over: Partial<Scheduled>, situation: Partial<Parameters<typeof dueOf>[1]>, nowMs = 0) =>
  dueOf(entry(over), { state: stateAt(5000), ...well, ...situation }, { because: undefined, nowMs });

describe("what becomes of it at its time", () => {
  test("nothing is against it: it is made", () => {
    expect(due({}, {})).toEqual({ kind: "make", change: { action: "set", percentThousandths: 25_000 } });
    const ofCohort = { cohort: "jakarta", fromThousandths: 0 };
    expect(due(ofCohort, { state: stateAt(5000, { cohorts: { jakarta: 0 } }) })).toMatchObject({
      kind: "make",
      change: { cohort: "jakarta" },
    });
  });

  test.each([
    ["hold", { state: stateAt(5000, { state: "held" }) }],
    ["guard", { guard: "worse" }],
    ["guard", { guard: undefined }],
    ["window", { window: closed }],
    ["freeze", { freeze: closed }],
    ["after", { limit: { by: "cart", thousandths: 10_000 } }],
    ["legacy", { legacy: { isReady: false, text: "its breaker is open" } }],
  ] as const)("%s: a raise waits, within its minute, and is refused then", (gate, situation) => {
    const waits = due({}, situation);
    expect(waits).toMatchObject({ kind: "wait", because: expect.stringMatching(`^${gate}: `) });
    const because = waits.kind === "wait" ? waits.because : "";
    const asked = { state: stateAt(5000), ...well, ...situation };
    expect(dueOf(entry(), asked, { because, nowMs: minuteMs + 1 })).toEqual({
      kind: "over",
      outcome: { kind: "refused", because },
    });
  });

  test("nothing of that is against a lower", () => {
    const lower = { percentThousandths: 1000 };
    expect(due(lower, { state: stateAt(5000, { state: "held" }) }).kind).toBe("make");
    expect(due(lower, { guard: "worse", window: closed, freeze: closed }).kind).toBe("make");
  });

  test("a raise is made from the percent that it was scheduled at, and a lower never becomes a raise", () => {
    const refused = { kind: "over", outcome: { kind: "refused" } };
    expect(due({}, { state: stateAt(1000) })).toMatchObject(refused);
    // As after a rollback and its resume.
    expect(due({}, { state: stateAt(0) })).toMatchObject(refused);
    expect(due({ percentThousandths: 1000 }, { state: stateAt(0) })).toMatchObject(refused);
    expect(due({}, { state: stateAt(100_000, { state: "closed" }) })).toMatchObject(refused);
  });

  test("where it stands so already there is nothing to make", () => {
    expect(due({}, { state: stateAt(25_000) })).toMatchObject({ kind: "over", outcome: { kind: "made" } });
  });

  test("an override is stopped by no window and no freeze, and by the guard all the same", () => {
    const override = { override: true };
    expect(due(override, { window: closed, freeze: closed }).kind).toBe("make");
    expect(due(override, { guard: "worse" }).kind).toBe("wait");
  });

  test("later than a minute it is missed, and never made", () => {
    expect(due({}, {}, minuteMs).kind).toBe("make");
    expect(due({}, {}, minuteMs + 1)).toMatchObject({ kind: "over", outcome: { kind: "missed" } });
    expect(due({ percentThousandths: 0 }, {}, minuteMs + 1)).toMatchObject({ outcome: { kind: "missed" } });
  });
});

describe("a schedule on a fleet", () => {
  const schedulesOf = (fleet: PlanFleet) =>
    createSchedules({
      ...{ name, store: fleet.store, clock: { now: () => fleet.time.wallMs } },
      state: () => stateAt(0, { version: 0 }),
    });
  const asked = (dueMs: number) => ({
    ...{ percentThousandths: 5000, dueMs, by: "ana", reason: "step 1", requestId: "r1" },
  });
  const run = async (fleet: PlanFleet, process: Awaited<ReturnType<PlanFleet["open"]>>, seconds: number) => {
    for (let at = 0; at < seconds; at += 1) {
      await process.turn();
      fleet.pass(secondMs);
    }
  };
  const outcomes = async (fleet: PlanFleet) =>
    (await schedulesOf(fleet).read()).entries.map(({ outcome }) => outcome?.kind ?? "waits");

  test("is made once its time has come, in the name of who asked for it", async () => {
    const fleet = createPlanFleet({ spec: spec() });
    const entry = await schedulesOf(fleet).add(asked(30 * secondMs));
    expect(entry?.fromThousandths).toBe(0);
    const leader = await fleet.open("a");
    await run(fleet, leader, 30);
    expect((await fleet.state()).version).toBe(0);
    await run(fleet, leader, 5);
    expect(await fleet.state()).toMatchObject({
      percentThousandths: 5000,
      updatedBy: "ana",
      reason: "step 1",
    });
    const [made] = await fleet.store.history(name, 1);
    expect(made).toMatchObject({ via: "schedule", requestId: "r1" });
    expect(await outcomes(fleet)).toEqual(["made"]);
  });

  test("of two raises the second is made from where the first was to bring it, and not without that", async () => {
    for (const isFirstCancelled of [false, true]) {
      const fleet = createPlanFleet({ spec: spec() });
      const schedules = schedulesOf(fleet);
      const first = await schedules.add(asked(20 * secondMs));
      const second = { ...asked(30 * secondMs), percentThousandths: 25_000, requestId: "r2" };
      expect(await schedules.add(second)).toMatchObject({ fromThousandths: 5000 });
      if (isFirstCancelled) await schedules.cancel(first?.id ?? "", "budi");
      await run(fleet, await fleet.open("a"), 40);
      expect((await fleet.state()).percentThousandths).toBe(isFirstCancelled ? 0 : 25_000);
      const kinds = (await outcomes(fleet)).sort();
      expect(kinds).toEqual(isFirstCancelled ? ["cancelled", "refused"] : ["made", "made"]);
    }
  });

  test("a store that has lost it is given it back by the leader, beside what was scheduled since", async () => {
    const fleet = createPlanFleet({ spec: spec() });
    await schedulesOf(fleet).add({ ...asked(30 * secondMs), reason: "one" });
    await schedulesOf(fleet).add({ ...asked(90 * secondMs), reason: "two" });
    const leader = await fleet.open("a");
    await run(fleet, leader, 10);
    await fleet.loses("schedule");
    await schedulesOf(fleet).add({ ...asked(60 * minuteMs), reason: "three" });
    await run(fleet, leader, 30);
    expect((await fleet.state()).percentThousandths).toBe(5000);
    const { entries } = await schedulesOf(fleet).read();
    expect(entries.map(({ reason, outcome }) => [reason, outcome?.kind])).toEqual([
      ["two", undefined],
      ["three", undefined],
      ["one", "made"],
    ]);
  });

  test("what was cancelled is not made", async () => {
    const fleet = createPlanFleet({ spec: spec() });
    const schedules = schedulesOf(fleet);
    const entry = await schedules.add(asked(30 * secondMs));
    const leader = await fleet.open("a");
    await run(fleet, leader, 10);
    expect(await schedules.cancel(entry?.id ?? "", "budi")).toMatchObject({ by: "ana" });
    expect(await schedules.cancel(entry?.id ?? "", "budi")).toBeUndefined();
    await run(fleet, leader, 60);
    expect((await fleet.state()).version).toBe(0);
    expect(await outcomes(fleet)).toEqual(["cancelled"]);
  });

  test("a time at which nobody led is said to be missed, and not made hours later", async () => {
    const fleet = createPlanFleet({ spec: spec() });
    await schedulesOf(fleet).add(asked(30 * secondMs));
    fleet.pass(3 * 60 * minuteMs);
    await run(fleet, await fleet.open("a"), 3);
    expect((await fleet.state()).version).toBe(0);
    expect(await outcomes(fleet)).toEqual(["missed"]);
  });

  test("a leader that dies at any call is followed by one that makes it once", async () => {
    let killed = 0;
    for (let atCall = 1; atCall <= 11; atCall += 1) {
      for (const isMade of [false, true]) {
        const fleet = createPlanFleet({ spec: spec() });
        await schedulesOf(fleet).add(asked(10 * secondMs));
        const first = await fleet.open("a");
        await run(fleet, first, 8);
        first.killAt({ atCall, isMade });
        await run(fleet, first, 6);
        killed += first.isDead() ? 1 : 0;
        await run(fleet, await fleet.open("b"), 10);
        const history = await fleet.store.history(name, 10);
        expect(history.map(({ to }) => to.percentThousandths)).toEqual([5000]);
        expect(await outcomes(fleet)).toEqual(["made"]);
      }
    }
    expect(killed).toBe(22);
  });

  test("set to the plan's next step, the plan goes on from there; to another percent, it pauses", async () => {
    for (const [percentThousandths, status] of [
      [5000, "running"],
      [7000, "paused"],
    ] as const) {
      const fleet = createPlanFleet({ spec: spec() });
      await fleet.start();
      const leader = await fleet.open("a");
      await run(fleet, leader, 3);
      const state = await fleet.state();
      const schedules = createSchedules({
        ...{ name, store: fleet.store, clock: { now: () => fleet.time.wallMs }, state: () => state },
      });
      await schedules.add({ ...asked(fleet.time.wallMs + 10 * secondMs), percentThousandths });
      await run(fleet, leader, 20);
      expect((await fleet.state()).percentThousandths).toBe(percentThousandths);
      expect((await fleet.record()).status).toBe(status);
    }
  });

  test("a rollback, and a resume, are no way around it: what was scheduled before is refused", async () => {
    const fleet = createPlanFleet({ spec: spec() });
    await fleet.store.apply(command(name, setTo(1)));
    const state = await fleet.state();
    const schedules = createSchedules({
      ...{ name, store: fleet.store, clock: { now: () => fleet.time.wallMs }, state: () => state },
    });
    await schedules.add(asked(20 * secondMs));
    await fleet.store.apply(command(name, { action: "rollback" }));
    await fleet.store.apply(command(name, { action: "resume" }));
    await run(fleet, await fleet.open("a"), 30);
    expect((await fleet.state()).percentThousandths).toBe(0);
    expect(await outcomes(fleet)).toEqual(["refused"]);
  });

  test("a text that is no schedule is an empty one", () => {
    expect(readSchedule("tomorrow")).toEqual({ entries: [] });
  });
});

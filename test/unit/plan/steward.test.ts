import { expect, test } from "vitest";
import { command, setTo } from "../../support/commands.ts";
import { createPlanFleet, name, type PlanFleet } from "./fleet.ts";
import { minuteMs, spec } from "./support.ts";

const secondMs = 1000;
const dayMs = 86_400_000;

/** Each step with the moment it was made, in ms since the start. */
async function stepsOf({ store }: PlanFleet, startMs = 0) {
  const history = await store.history(name, 1000);
  return history
    .filter(({ via }) => via === "plan")
    .map(({ to, at }) => [to.percentThousandths / 1000, Date.parse(at) - startMs] as const)
    .reverse();
}

test("a plan makes its steps, each after its dwell, and is done", async () => {
  const fleet = createPlanFleet({ spec: spec({ dwellMs: minuteMs }) });
  await fleet.start();
  const process = await fleet.open("a");
  for (let at = 0; at < 300; at += 1) {
    await process.turn();
    fleet.pass(secondMs);
  }
  const steps = await stepsOf(fleet);
  expect(steps.map(([percent]) => percent)).toEqual([1, 5, 99, 100]);
  steps.slice(1).forEach(([, at], index) => {
    expect(at - (steps[index]?.[1] ?? 0)).toBeGreaterThanOrEqual(minuteMs);
    expect(at - (steps[index]?.[1] ?? 0)).toBeLessThan(minuteMs + 5 * secondMs);
  });
  const record = await fleet.record();
  expect(record.status).toBe("done");
  expect(record.made.map(({ because }) => because)).toEqual([
    "the first step",
    ...["1", "5", "99"].map((each) => `${each}% stood for its time; no evidence is asked for; no guard`),
  ]);
});

test("a person who makes the next step is followed, one who makes another is told nothing and the plan pauses", async () => {
  const fleet = createPlanFleet({ spec: spec() });
  await fleet.start();
  const process = await fleet.open("a");
  await process.turn();
  await process.turn();
  const actor = { name: "budi", role: "operator" } as const;
  const byHand = (percent: number) =>
    fleet.store.apply(command(name, setTo(percent), { actor, reason: "early", origin: { via: "api" } }));
  await byHand(5);
  await process.turn();
  expect(await fleet.record()).toMatchObject({
    status: "running",
    standsThousandths: 5000,
    made: [{}, { by: "budi" }],
  });
  await byHand(50);
  await process.turn();
  expect(await fleet.record()).toMatchObject({ status: "paused", because: "set to 50% by budi" });
});

test.each([
  ["a hold and its resume", ["hold", "resume"], { status: "running", dweltMs: 0, standsThousandths: 1000 }],
  [
    "a rollback, its resume, and the percent set again",
    ["rollback", "resume", 1],
    { status: "paused", because: "rolled back by budi" },
  ],
  [
    "a rollback, its resume, and the next step set",
    ["rollback", "resume", 5],
    { status: "paused", because: "rolled back by budi" },
  ],
  [
    "a percent that is set and set back",
    [40, 1],
    { status: "paused", because: "set to 40% by budi, and back" },
  ],
  ["a cohort's own percent", ["cohort"], { status: "running", dweltMs: 40_000 }],
] as const)("%s between two looks have been all the same", async (_, changes, became) => {
  const fleet = createPlanFleet({ spec: spec({ dwellMs: minuteMs }) });
  await fleet.start();
  const process = await fleet.open("a");
  for (let turn = 0; turn < 40; turn += 1) {
    await process.turn();
    if (turn > 0) fleet.pass(secondMs);
  }
  const actor = { name: "budi", role: "operator" } as const;
  for (const each of changes) {
    const change =
      typeof each === "number"
        ? setTo(each)
        : each === "cohort"
          ? ({ ...setTo(40), cohort: "jakarta" } as const)
          : ({ action: each } as const);
    const asked = command(name, change, { actor, reason: "test", origin: { via: "api" } });
    expect(await fleet.store.apply(asked)).toMatchObject({ accepted: true });
  }
  fleet.pass(secondMs);
  await process.turn();
  for (let turn = 0; turn < 10; turn += 1) await process.turn();
  expect(await fleet.record()).toMatchObject(became);
});

test("a clock that is set neither shortens a dwell nor starts it anew", async () => {
  const fleet = createPlanFleet({ spec: spec() });
  await fleet.start();
  const process = await fleet.open("a");
  for (let at = 0; at < 5 * 60; at += 1) {
    await process.turn();
    fleet.pass(secondMs);
  }
  fleet.time.wallMs += 365 * dayMs;
  await process.turn();
  expect((await fleet.state()).percentThousandths).toBe(1000);
  fleet.time.wallMs -= 730 * dayMs;
  for (let at = 0; at < 5 * 60 + 5; at += 1) {
    await process.turn();
    fleet.pass(secondMs);
  }
  expect((await fleet.state()).percentThousandths).toBe(5000);
});

test("a leader that follows the store late takes the plan's own step for nobody else's", async () => {
  const fleet = createPlanFleet({ spec: spec() });
  await fleet.start();
  const late = await fleet.open("late");
  const first = await fleet.open("a");
  await first.turn();
  fleet.pass(5 * secondMs);
  await late.turn();
  expect(await fleet.record()).toMatchObject({ status: "running", standsThousandths: 1000 });
});

test("evidence is gathered of the step that stands, and goes on after a takeover", async () => {
  const asked = spec({ dwellMs: minuteMs, evidence: { notWorseThan: 2, confidence: 0.95 } });
  const fleet = createPlanFleet({ spec: asked });
  await fleet.start();
  const block = [{ legacy: 200, onNew: 200, events: 4, eventsOnNew: 2 }];
  const run = async (holder: string, seconds: number, isCounting: boolean) => {
    const process = await fleet.open(holder);
    for (let at = 0; at < seconds; at += 1) {
      await process.turn();
      if (isCounting) process.steward.counted(block);
      fleet.pass(secondMs);
    }
  };
  await run("a", 300, false);
  expect((await fleet.state()).percentThousandths).toBe(1000);
  await run("a", 15, true);
  const gathered = (await fleet.record()).gathered?.failures ?? [];
  expect(Math.max(...gathered)).toBeGreaterThan(0);
  fleet.pass(5 * secondMs);
  await run("b", 12, false);
  expect((await fleet.record()).gathered?.failures).toEqual(gathered);
  await run("b", 60, true);
  expect((await fleet.state()).percentThousandths).toBe(5000);
});

test("a plan that asks for payments leaves its first step once they are proven, and not before", async () => {
  const evidence = { notWorseThan: 2, confidence: 0.95, paid: 1.5 };
  const fleet = createPlanFleet({ spec: spec({ dwellMs: minuteMs, evidence }) });
  await fleet.start();
  const process = await fleet.open("a");
  const run = async (seconds: number, arePaid: boolean) => {
    for (let at = 0; at < seconds; at += 1) {
      await process.turn();
      process.steward.counted([{ legacy: 200, onNew: 200, events: 4, eventsOnNew: 2 }]);
      if (arePaid) process.steward.paid([{ legacy: 50, onNew: 50, events: 20, eventsOnNew: 10 }]);
      fleet.pass(secondMs);
    }
  };
  await run(300, false);
  expect((await fleet.state()).percentThousandths).toBe(1000);
  await run(60, true);
  expect((await fleet.state()).percentThousandths).toBe(5000);
  expect((await fleet.record()).made[1]?.because).toContain("1/1.5 of legacy's pace: proven");
});

test("a plan that the store has lost is given back and paused, since nobody knows what it has missed", async () => {
  const fleet = createPlanFleet({ spec: spec() });
  await fleet.start();
  const process = await fleet.open("a");
  for (let turn = 0; turn < 20; turn += 1) {
    await process.turn();
    fleet.pass(secondMs);
  }
  const before = await fleet.record();
  await fleet.loses("plan");
  await process.turn();
  expect(await fleet.record()).toMatchObject({
    ...{ id: before.id, spec: before.spec, made: before.made },
    ...{ status: "paused", because: "the store had lost the plan" },
  });
});

test("a freeze holds the next step, and what has stood by then counts when it ends", async () => {
  const fleet = createPlanFleet({ spec: spec({ dwellMs: minuteMs }) });
  await fleet.start();
  const process = await fleet.open("a");
  const run = async (seconds: number) => {
    for (let at = 0; at < seconds; at += 1) {
      await process.turn();
      fleet.pass(secondMs);
    }
  };
  await run(30);
  fleet.around.freeze = { untilMs: 1e15, reason: "Lebaran" };
  await run(120);
  expect(await fleet.record()).toMatchObject({ status: "running", standsThousandths: 1000 });
  fleet.around.freeze = undefined;
  await run(2);
  expect((await fleet.state()).percentThousandths).toBe(5000);
});

test("four months with windows each day are done before the deadline, and every step says why", async () => {
  const startMs = Date.parse("2024-01-01T00:00:00+07:00");
  const deadlineMs = Date.parse("2024-04-30T00:00:00+07:00");
  const zone = { deny: "raise", timezone: "Asia/Jakarta" } as const;
  const fleet = createPlanFleet({
    startMs,
    spec: spec({
      steps: [1000, 5000, 10_000, 25_000, 50_000, 75_000, 99_000, 100_000],
      dwellMs: 13 * dayMs,
      windows: [
        { ...zone, cron: "0 17 * * *", for: 16 * 3_600_000, reason: "evenings and nights" },
        { ...zone, cron: "0 0 * * SAT", for: 2 * dayMs, reason: "weekend" },
        { deny: "raise", from: startMs + 60 * dayMs, to: startMs + 63 * dayMs, reason: "sale" },
      ],
    }),
  });
  await fleet.start();
  const process = await fleet.open("a", 120 * minuteMs);
  for (let ms = 0; startMs + ms < deadlineMs; ms += 60 * minuteMs) {
    await process.turn();
    fleet.pass(60 * minuteMs);
  }
  const record = await fleet.record();
  expect(record.status).toBe("done");
  expect(record.made.map(({ percentThousandths }) => percentThousandths)).toEqual(record.spec.steps);
  const jakarta = new Intl.DateTimeFormat("en", {
    ...{ timeZone: "Asia/Jakarta", weekday: "short", hour: "2-digit", hourCycle: "h23" },
  });
  for (const { at, because } of record.made) {
    expect(because.length).toBeGreaterThan(10);
    const told = jakarta.formatToParts(new Date(at));
    const [day, hour] = ["weekday", "hour"].map((type) => told.find((part) => part.type === type)?.value);
    expect(["Sat", "Sun"]).not.toContain(day);
    expect(Number(hour)).toBeGreaterThanOrEqual(9);
    expect(Number(hour)).toBeLessThan(17);
  }
});

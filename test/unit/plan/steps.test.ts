import { describe, expect, test } from "vitest";
import { isContinued, planText, readPlan, startedPlan } from "../../../src/plan/plan.ts";
import { type Author, type Circumstances, nextOf } from "../../../src/plan/steps.ts";
import { becameIn, minuteMs, planAt, spec, stateAt, well } from "./support.ts";

const dwelt = 10 * minuteMs;
const by = (via: string, over: Partial<Author> = {}): Author => ({
  ...{ action: "set", via, by: "budi", reason: "early", at: "2024-01-02T00:00:00.000Z" },
  ...over,
});

/** docs/plan.md has the same table. */
describe("what becomes of a plan", () => {
  const at1 = planAt(1000, { dweltMs: dwelt });

  test("set by hand to the next step: that person has made it", () => {
    const plan = becameIn(at1, well(stateAt(5000), { author: by("api") }));
    expect(plan).toMatchObject({ status: "running", standsThousandths: 5000, dweltMs: 0 });
    expect(plan.made).toEqual([
      { percentThousandths: 5000, at: "2024-01-02T00:00:00.000Z", by: "budi", because: "early" },
    ]);
  });

  test.each([
    ["set by hand past the next step", 99_000, by("console")],
    ["set by hand below", 0, by("api")],
    [
      "set by hand in the store, to the next step",
      5000,
      by("by hand", { action: "out_of_band", by: "by hand" }),
    ],
    ["set by who is not known", 5000, undefined],
    ["reconciled at a lower percent", 500, by("reconciled", { action: "reconciled" })],
  ])("%s: paused", (_, percent, author) => {
    const plan = becameIn(at1, well(stateAt(percent), { author }));
    expect(plan).toMatchObject({ status: "paused", standsThousandths: 1000 });
    expect(plan.because).toBe(`set to ${percent / 1000}% by ${author?.by ?? "budi"}`);
  });

  test("hold: it waits, and the step has to stand anew", () => {
    const held = well(stateAt(1000, { state: "held" }));
    const plan = becameIn({ ...at1, gathered: { failures: [1, 2, 3, 4], paid: [] } }, held);
    expect(plan).toEqual({ ...at1, dweltMs: 0 });
    expect(nextOf(plan, held, 0)).toMatchObject({
      kind: "wait",
      waiting: [{ gate: "hold", text: "held by budi: resume it" }, { gate: "dwell" }],
    });
  });

  test("resume of a hold: it goes on", () => {
    expect(nextOf(at1, well(stateAt(1000)), 0)).toMatchObject({ kind: "raise", toThousandths: 5000 });
  });

  test.each(["budi", "guard", "store check"])("rollback by %s: paused", (updatedBy) => {
    const plan = becameIn(at1, well(stateAt(0, { state: "rolled_back", updatedBy })));
    expect(plan).toMatchObject({ status: "paused", because: `rolled back by ${updatedBy}` });
  });

  test("resume of a rollback: it stays paused", () => {
    const paused = becameIn(at1, well(stateAt(0, { state: "rolled_back" })));
    expect(nextOf(paused, well(stateAt(0)), 0)).toEqual({ kind: "rest" });
  });

  test("close: ended", () => {
    const plan = becameIn(planAt(99_000), well(stateAt(100_000, { state: "closed" })));
    expect(plan).toMatchObject({ status: "ended", because: "legacy is closed" });
  });

  test.each([
    ["another plan", spec({ dwellMs: 1000 })],
    ["no plan", undefined],
  ])("the configuration has %s: paused", (_, configured) => {
    const plan = becameIn(at1, well(stateAt(1000), { configured }));
    expect(plan.status).toBe("paused");
    expect(plan.because).toContain("configuration");
  });

  test("takeover: the record goes on as it was written down", () => {
    const plan = { ...at1, gathered: { failures: [0.5, 1, 1.5, 2], paid: [] } };
    expect(readPlan(planText(plan))).toEqual(plan);
  });

  test("takeover between a step and its record: the step is not made again", () => {
    const plan = becameIn(at1, well(stateAt(5000), { author: by("plan", { by: "plan" }) }));
    expect(plan).toMatchObject({ standsThousandths: 5000, dweltMs: 0, status: "running" });
    expect(nextOf(plan, well(stateAt(5000)), 0)).toMatchObject({ waiting: [{ gate: "dwell" }] });
  });

  test.each([-365, 365])("a clock that steps by %i days makes no step", (days) => {
    const plan = planAt(1000, { dweltMs: dwelt - 1 });
    const next = nextOf(plan, well(stateAt(1000)), days * 86_400_000);
    expect(next).toMatchObject({ kind: "wait", waiting: [{ gate: "dwell", leftMs: 1 }] });
  });

  test("reconciled as a hold at this percent: it waits", () => {
    const author = by("reconciled", { action: "reconciled" });
    const held = well(stateAt(1000, { state: "held" }), { author });
    const plan = becameIn(at1, held);
    expect(plan).toEqual({ ...at1, dweltMs: 0 });
    expect(nextOf(plan, held, 0)).toMatchObject({ waiting: [{ gate: "hold" }, { gate: "dwell" }] });
  });

  test("set at a time to the next step: that person has made it; to anything else: paused", () => {
    const author = by("schedule");
    expect(becameIn(at1, well(stateAt(5000), { author }))).toMatchObject({
      ...{ status: "running", standsThousandths: 5000 },
      made: [{ by: "budi" }],
    });
    expect(becameIn(at1, well(stateAt(7000), { author }))).toMatchObject({ status: "paused" });
  });

  test("lowered little by little: paused", () => {
    const plan = becameIn(at1, well(stateAt(500), { author: by("return") }));
    expect(plan).toMatchObject({ status: "paused" });
  });

  test.each(["window", "freeze"] as const)("a %s: it waits, and goes on with what has stood", (gate) => {
    const closed = { untilMs: 60_000, reason: "weekend" };
    const waits = { waiting: [{ gate, text: "weekend", leftMs: 60_000 }] };
    expect(nextOf(at1, well(stateAt(1000), { [gate]: closed }), 0)).toMatchObject(waits);
    expect(nextOf(at1, well(stateAt(1000)), 60_000)).toMatchObject({ kind: "raise", toThousandths: 5000 });
  });

  test("the last step: done", () => {
    const plan = becameIn(planAt(100_000), well(stateAt(100_000)));
    expect(plan).toMatchObject({ status: "done" });
  });
});

describe("what a step waits for", () => {
  const ready = planAt(1000, { dweltMs: dwelt });
  const insufficient = { kind: "insufficient", text: "odds 3 of 20 to 1", leftMs: 5 } as const;
  const closed = { untilMs: 1500, reason: "sale" };
  test.each<[string, Partial<Circumstances>, object]>([
    ["evidence", { evidence: insufficient }, { text: "odds 3 of 20 to 1", leftMs: 5 }],
    ["guard", { guard: "watching" }, {}],
    ["guard", { guard: "worse" }, {}],
    ["guard", { guard: "both sick" }, {}],
    ["guard", { guard: "legacy sick" }, {}],
    ["guard", { guard: "blind" }, {}],
    ["guard", { guard: undefined }, { text: "the guard says: nothing yet" }],
    ["window", { window: closed }, { text: "sale", leftMs: 500 }],
    ["freeze", { freeze: closed }, { text: "sale", leftMs: 500 }],
    [
      "after",
      { limit: { thousandths: 4999, by: "cart" } },
      { text: "cart lets it go no further than 4.999%: raise cart first" },
    ],
    ["legacy", { legacy: { isReady: false, text: "legacy is ejected" } }, { text: "legacy is ejected" }],
  ])("%s: %o", (gate, over, told) => {
    const next = nextOf(ready, well(stateAt(1000), over), 1000);
    expect(next).toMatchObject({ kind: "wait", waiting: [{ gate, ...told }] });
  });

  test("a person, where the plan says so, once nothing else is against it", () => {
    const manual = spec({ advance: "manual" });
    const situation = well(stateAt(1000), { configured: manual });
    expect(nextOf({ ...ready, spec: manual }, situation, 0)).toMatchObject({ waiting: [{ gate: "person" }] });
  });

  test("evidence that is not asked for, and a guard that has not enough of it, are in nobody's way", () => {
    const next = nextOf(ready, well(stateAt(1000), { guard: "insufficient evidence" }), 0);
    expect(next).toMatchObject({
      kind: "raise",
      because: expect.stringContaining("no evidence is asked for"),
    });
  });

  test("what it goes after stops no step that it lets go", () => {
    for (const limit of [
      { thousandths: 5000, by: "cart" },
      { thousandths: 100_000, by: undefined },
    ]) {
      expect(nextOf(ready, well(stateAt(1000), { limit }), 0)).toMatchObject({ kind: "raise" });
    }
  });

  test("the first step has nothing to stand, and nothing to prove", () => {
    const situation = well(stateAt(0), { guard: undefined, evidence: insufficient });
    expect(nextOf(planAt(0), situation, 0)).toMatchObject({ kind: "raise", toThousandths: 1000 });
  });

  test("from 99 to 100 is a step like any other", () => {
    const plan = planAt(99_000, { dweltMs: dwelt });
    const situation = well(stateAt(99_000), { evidence: insufficient });
    expect(nextOf(plan, situation, 0)).toMatchObject({ waiting: [{ gate: "evidence" }] });
    expect(nextOf(plan, well(stateAt(99_000)), 0)).toMatchObject({ toThousandths: 100_000 });
  });
});

describe("starting", () => {
  const start = { id: "p2", by: "citra", reason: "again", at: "2024-02-01T00:00:00.000Z", version: 9 };

  test("what was paused where it stands goes on as it was approved, its time anew", () => {
    const paused = planAt(1000, { status: "paused", because: "x", dweltMs: 500 });
    const asked = { spec: spec(), percentThousandths: 1000 };
    expect(isContinued(paused, asked)).toBe(true);
    expect(startedPlan(paused, { ...start, ...asked })).toEqual({
      ...paused,
      status: "running",
      because: "",
      version: 9,
      dweltMs: 0,
    });
  });

  test.each([
    ["from another percent", { spec: spec(), percentThousandths: 0 }],
    ["with other steps", { spec: spec({ steps: [50_000, 100_000] }), percentThousandths: 1000 }],
  ])("%s it is a plan of its own", (_, asked) => {
    const paused = planAt(1000, { status: "paused", because: "x" });
    expect(isContinued(paused, asked)).toBe(false);
    expect(startedPlan(paused, { ...start, ...asked })).toMatchObject({ id: "p2", by: "citra", made: [] });
  });

  test("a text that is no plan is none", () => {
    expect(readPlan("{}")).toBeUndefined();
    expect(readPlan("nonsense")).toBeUndefined();
  });
});

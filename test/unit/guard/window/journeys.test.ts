import { describe, expect, test } from "vitest";
import { createPaidCohorts } from "../../../../src/guard/evidence/cohorts.ts";
import { createGuardCounting } from "../../../../src/guard/window/counting.ts";
import { createJourneysWindow } from "../../../../src/guard/window/journeys.ts";
import { createSlowWindow } from "../../../../src/guard/window/slow.ts";
import { createStepHistory } from "../../../../src/guard/window/step-history.ts";
import type { Decided } from "../../../../src/proxy/witness.ts";
import { initialState } from "../../../../src/state/rules/model.ts";
import { recordOf } from "../../../support/exchange-record.ts";
import { createManualTime } from "../../../support/manual-time.ts";

const at = 1_000_000_000;

describe("journeys by block and cohort", () => {
  const create = () => createJourneysWindow({ blockMs: 2000, paidAfterMs: 1000 });

  test("a shopper is a unit once an hour, and a client that begins a journey each minute is hardly one", () => {
    const window = create();
    for (let minute = 100; minute < 220; minute += 1) window.begun(at, "onNew", 7, minute, 5000);
    expect(window.report(at + 2000)).toEqual([
      {
        block: at / 2000,
        rows: [
          [160, 5000, 0, 1, 0, 0],
          [100, 5000, 0, 1, 0, 0],
        ],
      },
    ]);
  });

  test("what a shopper pays counts once, for the cohort that he is a unit of", () => {
    const window = create();
    window.begun(at, "onNew", 7, 100, 5000);
    // The first start was never answered, and the journey is of the minute of the second.
    window.begun(at, "onNew", 7, 101, 5000);
    window.paid(at + 2000, "onNew", 7, 101, 5000);
    window.paid(at + 2000, "onNew", 7, 101, 5000);
    expect(window.report(at + 4000).map(({ rows }) => rows)).toEqual([
      [[100, 5000, 0, 1, 0, 0]],
      [[100, 5000, 0, 0, 0, 1]],
    ]);
  });

  test("a payment whose journey began on another instance is of the minute that its pin tells", () => {
    const window = create();
    window.paid(at, "legacy", 7, 90, 5000);
    expect(window.report(at + 2000)[0]?.rows).toEqual([[90, 5000, 0, 0, 1, 0]]);
  });

  test("a block tells of 120 cohorts at most, the youngest", () => {
    const window = create();
    for (let minute = 1; minute <= 300; minute += 1) window.paid(at, "legacy", minute, minute, 5000);
    const rows = window.report(at + 2000)[0]?.rows ?? [];
    expect([rows.length, rows[0]?.[0], rows.at(-1)?.[0]]).toEqual([120, 300, 181]);
  });
});

describe("by which percent a journey was decided", () => {
  test("the one in force when it began; around a change it counts on neither side", () => {
    const steps = createStepHistory();
    expect(steps.begins(50)).toBe(-1);
    steps.follow(5000, 100);
    steps.follow(10_000, 200);
    expect(steps.follow(10_000, 250)).toBe(false);
    expect([101, 104, 197, 199, 202, 204].map((seconds) => steps.at(seconds)?.percent)).toEqual([
      undefined,
      5000,
      5000,
      undefined,
      undefined,
      10_000,
    ]);
    expect([202, 203].map(steps.begins)).toEqual([-1, 10_000]);
  });

  test("a percent that comes back within a minute counts from the next one on", () => {
    const steps = createStepHistory();
    steps.follow(5000, 20);
    steps.follow(0, 130);
    steps.follow(5000, 140);
    expect([144, 179, 183].map(steps.begins)).toEqual([-1, -1, 5000]);
    expect([125, 150, 185].map((seconds) => steps.at(seconds)?.percent)).toEqual([5000, 0, 5000]);
    // As it stands at once, for attempts.
    expect([steps.percent(), steps.since()]).toEqual([5000, 140]);
  });

  test("those that began while all began on legacy count on neither side", () => {
    const steps = createStepHistory();
    steps.follow(5000, 100);
    steps.isExposed(200);
    steps.isExposed(300);
    expect(steps.begins(400)).toBe(-1);
    expect(steps.begins(404)).toBe(5000);
    expect([150, 250, 350, 401, 404].map((seconds) => steps.at(seconds)?.percent)).toEqual([
      5000,
      undefined,
      undefined,
      undefined,
      5000,
    ]);
  });
});

describe("journeys as requests tell of them", () => {
  const times = { blockMs: 2000, quickAfterMs: 1000, lateAfterMs: 10_000, followsJourneys: true };
  const state = { ...initialState(), version: 1, percentThousandths: 5000 };
  const decided = (more: Partial<Decided>): Decided => ({
    decision: { side: "new", reason: "bucket" },
    ...{ state, bucket: 10, pin: undefined, keys: [], named: new Set(), carried: false },
    ...{ shopper: undefined, begun: undefined, ...more },
  });

  async function create() {
    const time = createManualTime();
    const counting = createGuardCounting(time, time.monotonic);
    const witness = counting.witness("checkout", times, {
      attempts: true,
      starts: true,
      ends: true,
      assigns: true,
    });
    witness.decided?.(recordOf({ side: "new", decided: decided({}) }));
    await time.advance(60_000);
    const rows = () =>
      (counting.reports().checkout ?? []).flatMap(({ journeys = [] }) => journeys.map((row) => row.slice(1)));
    const pinOf = (side: "legacy" | "new", ago = 0) => {
      const startedAt = Math.floor(time.now() / 1000) - ago;
      return { id: "a", side, epoch: 0, startedAt, expiresAt: 0 };
    };
    return { time, counting, witness, rows, pinOf };
  }

  test("a start is a unit when it is sent, and the payment counts by the pin, also where an order's owner decides", async () => {
    const { witness, rows, pinOf } = await create();
    witness.decided?.(recordOf({ side: "new", decided: decided({ bucket: 20 }) }));
    const pin = pinOf("new");
    const pays = decided({ decision: { side: "new", reason: "owner" }, bucket: 20, pin });
    witness.journeyed?.(recordOf({ side: "new", decided: pays }), pin, "end");
    expect(rows()).toEqual([[5000, 0, 1, 0, 1]]);
  });

  test.each<[string, Partial<Decided>, "legacy" | "new", number]>([
    ["on the other side than its bucket's", { bucket: 90_000 }, "new", 0],
    [
      "of a cohort that has a side",
      { cohort: { name: "staff", side: "new", startThousandths: 0 } },
      "new",
      0,
    ],
    ["that began before this process counted", {}, "new", 3600],
    ["without a shopper", { bucket: undefined }, "new", 0],
  ])("a payment %s counts nowhere", async (_, more, side, ago) => {
    const { witness, rows, pinOf } = await create();
    witness.journeyed?.(recordOf({ side, decided: decided(more) }), pinOf(side, ago), "end");
    expect(rows()).toEqual([]);
  });

  test("a cohort with a percent of its own is a stratum of its own", async () => {
    const { time, counting, witness, pinOf } = await create();
    const cohort = { name: "jakarta", side: undefined, startThousandths: 40_000 };
    const of = decided({ cohort, bucket: 30_000 });
    const starts = (bucket: number) =>
      witness.decided?.(recordOf({ side: "new", decided: { ...of, bucket }, arrivedAt: time.monotonic() }));
    starts(30_000);
    await time.advance(4000);
    starts(30_001);
    witness.journeyed?.(recordOf({ side: "new", decided: of }), pinOf("new"), "end");
    const told = counting.reports().checkout?.filter((block) => block.of === "jakarta") ?? [];
    expect(told.map(({ onNew }) => onNew.units)).toEqual([1, 1]);
    expect(told[1]?.journeys?.map((row) => row.slice(1))).toEqual([[40_000, 0, 1, 0, 1]]);
  });
});

describe("cohorts of everybody's counts", () => {
  const longestMs = 4 * 3_600_000;
  const of = "";

  test("who has not paid is at risk, until he pays or the journey must be over", () => {
    const cohorts = createPaidCohorts(longestMs);
    expect(cohorts.block([{ of, rows: [[100, 5000, 50, 5, 2, 0]] }], true)).toEqual([
      { legacy: 50, onNew: 5, events: 2, eventsOnNew: 0 },
    ]);
    expect(cohorts.block([{ of, rows: [[100, 5000, 0, 0, 8, 1]] }], false)).toEqual([
      { legacy: 48, onNew: 5, events: 9, eventsOnNew: 1 },
    ]);
    expect(cohorts.payments()).toEqual({
      ...{ begunOnLegacy: 50, paidOnLegacy: 10, begunOnNew: 5, paidOnNew: 1 },
      wouldBePaid: 1,
    });
    cohorts.block([{ of, rows: [[100 + 300, 5000, 1, 0, 0, 0]] }], false);
    expect(cohorts.state().cohorts).toHaveLength(1);
    expect(cohorts.payments()).toMatchObject({ begunOnNew: 5, wouldBePaid: 1 });
    expect(cohorts.block([{ of, rows: [[100, 5000, 0, 0, 1, 0]] }], false)[0]?.events).toBe(0);
  });

  test("at most 1200 are kept, the youngest, whatever is told", () => {
    const cohorts = createPaidCohorts(30 * 24 * 3_600_000);
    for (let minute = 0; minute < 900; minute += 1) {
      for (const name of [of, "jakarta"])
        cohorts.block([{ of: name, rows: [[minute, 5000, 9, 1, 0, 0]] }], false);
    }
    const { cohorts: kept } = cohorts.state();
    expect([kept.length, kept[0]?.[2], kept.at(-1)?.[2]]).toEqual([1200, 300, 899]);
    expect(cohorts.payments().begunOnNew).toBe(1800);
  });

  test("they go on through a step, whose payments are told anew; strata are kept apart", () => {
    const cohorts = createPaidCohorts(longestMs);
    cohorts.block([{ of, rows: [[100, 5000, 50, 5, 0, 0]] }], true);
    const strata = cohorts.block(
      [
        { of, rows: [[100, 5000, 0, 0, 1, 1]] },
        { of: "jakarta", rows: [[100, 40_000, 6, 4, 0, 1]] },
      ],
      true,
    );
    expect(strata).toEqual([
      { legacy: 50, onNew: 5, events: 2, eventsOnNew: 1 },
      { legacy: 6, onNew: 4, events: 1, eventsOnNew: 1 },
    ]);
    expect(cohorts.payments()).toMatchObject({ begunOnLegacy: 6, begunOnNew: 4, paidOnNew: 1 });
    const next = createPaidCohorts(longestMs, JSON.parse(JSON.stringify(cohorts.state())));
    const more = [{ of, rows: [[100, 5000, 0, 0, 3, 0]] as const }];
    expect(next.block(more, false)).toEqual(cohorts.block(more, false));
    expect(next.state()).toEqual(cohorts.state());
  });
});

describe("answers that are too slow", () => {
  const create = () => createSlowWindow({ blockMs: 2000, sloMs: 2000, slowAfterMs: 3000 });
  const lateOf = (window: ReturnType<typeof create>, ms: number) =>
    window.report(at + ms).map(({ onNew }) => [onNew.units, onNew.late]);

  test("who waits still when the time is over is slow, though nothing is heard of his request", () => {
    const window = create();
    for (const bucket of [1, 2, 3]) window.arrived(at + 100, "onNew", bucket);
    window.ended(at + 2000, at + 100, "onNew", 1);
    window.ended(at + 2200, at + 100, "onNew", 2);
    expect(lateOf(window, 3999)).toEqual([[3, []]]);
    expect(lateOf(window, 4000)).toEqual([[3, [2, 3]]]);
    window.ended(at + 9000, at + 100, "onNew", 3);
    expect(lateOf(window, 9000)).toEqual([[3, [2, 3]]]);
  });

  test("of several attempts of a shopper one that waits is enough, and who was slow leaves the count until the next step", () => {
    const window = create();
    window.arrived(at, "onNew", 1);
    window.arrived(at + 10, "onNew", 1);
    window.ended(at + 20, at + 10, "onNew", 1);
    expect(lateOf(window, 4000)).toEqual([[1, [1]]]);
    expect(window.arrived(at + 4000, "onNew", 1)).toBe(false);
    window.renew();
    expect(window.arrived(at + 4000, "onNew", 1)).toBe(true);
  });

  test("what waits when a step begins is of neither", () => {
    const window = create();
    window.arrived(at, "onNew", 1);
    window.renew();
    expect(lateOf(window, 6000)).toEqual([[1, []]]);
  });
});

/** A cohort with a percent of its own beside everybody else: compared within itself, since its members are others. */
import { expect, test } from "vitest";
import { createChance } from "../../../../src/guard/simulate/chance.ts";
import { isJudged } from "../../../../src/guard/watch/act.ts";
import { createInquiry } from "../../../../src/guard/watch/inquiry.ts";
import type { SideReport } from "../../../../src/guard/window/attempts.ts";
import type { ToldBlock } from "../../../../src/guard/window/told.ts";
import { initialState } from "../../../../src/state/rules/model.ts";

const blockMs = 10_000;
const hours = 6;

/**
 * 4 attempts a second of everybody, of whom 5% are on new and 1% fail; 2 of a cohort on bad lines, of whom 60% are on new and
 * 4% fail: as many on either side.
 */
function run(seed: number, isStratified: boolean, times = 1) {
  const chance = createChance(seed);
  let nextBucket = 0;
  const side = (attempts: number, failing: number): SideReport => {
    const failed = Array.from({ length: chance.poisson(attempts * failing) }, () => nextBucket++ % 100_000);
    const units = failed.length + chance.poisson(attempts * (1 - failing));
    return { units, quick: failed, late: failed, unnamedQuick: 0, unnamedLate: 0 };
  };
  const state = {
    ...{ ...initialState(), percentThousandths: 5000, version: 1 },
    cohorts: { rural: 60_000 },
  };
  let nowMs = 0;
  const evidence = {
    ...{ alpha: 0.01, blocksADay: 8640, tolerance: 1 },
    ...{ mostFailing: 0.1, minFailures: 3 },
  };
  const inquiry = createInquiry(
    {
      times: { blockMs, quickAfterMs: 1000, lateAfterMs: 10_000 },
      ...{ evidence, action: "rollback", longestJourneyMs: 0 },
    },
    () => nowMs,
    state,
  );
  inquiry.follow(state);
  for (let block = 0; block < (hours * 3_600_000) / blockMs; block += 1) {
    const all: ToldBlock = { block, legacy: side(38, 0.01), onNew: side(2, 0.01 * times) };
    const rural = { legacy: side(8, 0.04), onNew: side(12, 0.04 * times) };
    const blocks = isStratified
      ? [all, { block, of: "rural", ...rural }]
      : [
          all,
          // The same as if they were of everybody: counted by another process.
          { block, ...rural },
        ];
    nowMs = (block + 2) * blockMs + 1000;
    inquiry.hear([{ throughMs: nowMs, blocks }], 0);
    const { verdict } = inquiry.judge({ part: 1, silent: [], isLegacyMaintained: false });
    if (verdict === "worse") return { hours: nowMs / 3_600_000, inquiry };
  }
  return { hours: undefined, inquiry };
}

const seeds = Array.from({ length: 3 }, (_, n) => n + 1);

test("members who fail more often on both sides are no evidence against new", () => {
  const acted = seeds.filter((seed) => run(seed, true).hours !== undefined);
  console.log(`strata: acted falsely in ${acted.length} of ${seeds.length} runs of ${hours} h`);
  expect(acted).toEqual([]);
});

test("thrown together with everybody they would be: a negative control", () => {
  expect(seeds.filter((seed) => run(seed, false).hours !== undefined)).toEqual(seeds);
});

test("what is worse in both is seen by both together", () => {
  const { hours: after, inquiry } = run(1, true, 3);
  expect(after).toBeLessThan(1);
  const { onNew } = inquiry.exhibits(1).sides;
  expect(onNew.units).toBeGreaterThan(100);
});

test("a cohort's percent that changes begins a step, and what is on new in it alone is judged", () => {
  const { inquiry } = run(1, true);
  const before = inquiry.state();
  const state = { ...initialState(), percentThousandths: 0, version: 2, cohorts: { rural: 60_000 } };
  expect([isJudged(state), isJudged({ ...state, cohorts: { rural: 0 } })]).toEqual([true, false]);
  inquiry.follow({ ...state, cohorts: { rural: 70_000 } });
  expect(inquiry.state().looks.quick.step).toBe(before.looks.quick.next);
});

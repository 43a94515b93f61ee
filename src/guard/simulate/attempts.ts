/** Attempts of two sides, block by block, and when the tests of failures act on them. PURE. */
import { createDay, type DayOptions, type Thresholds } from "../evidence/budget.ts";
import { notWorseGate } from "../evidence/gate.ts";
import type { BlockCounts } from "../evidence/likelihood.ts";
import { createProcess } from "../evidence/process.ts";
import { tooManyTest, worseOddsTest } from "../evidence/tests.ts";
import type { Chance } from "./chance.ts";

/** What the sides do in a block. Blocks are counted from 0, when the step began. */
export interface AttemptsWorld {
  /** Attempts of both sides together, in a block. */
  perBlock(block: number): number;
  /** Of new, 0–1. */
  share(block: number): number;
  failing(block: number): { readonly legacy: number; readonly onNew: number };
  /** A broken client on new that fails each so many blocks; absent: there is none. */
  readonly brokenClientEach?: number;
}

export interface Judging {
  /** Of the comparison with legacy, and of new's own share. */
  readonly thresholds: Thresholds;
  readonly tooMany: Thresholds;
  readonly day: DayOptions;
  /** Fewer failed shoppers on new never act. */
  readonly minFailures: number;
  /** Whether a shopper whose failure has counted leaves the count. */
  readonly countsOnce: boolean;
}

/** The share of failures that is too much, as it is shipped. */
const mostFailing = 0.1;

function drawBlock(world: AttemptsWorld, block: number, chance: Chance): BlockCounts {
  const attempts = world.perBlock(block);
  const share = world.share(block);
  const failing = world.failing(block);
  const legacyFailed = chance.poisson(attempts * (1 - share) * failing.legacy);
  const legacyWell = chance.poisson(attempts * (1 - share) * (1 - failing.legacy));
  const newFailed = chance.poisson(attempts * share * failing.onNew);
  const newWell = chance.poisson(attempts * share * (1 - failing.onNew));
  return {
    legacy: legacyFailed + legacyWell,
    onNew: newFailed + newWell,
    events: legacyFailed + newFailed,
    eventsOnNew: newFailed,
  };
}

/**
 * Runs both tests of failures over `blocks` blocks.
 *
 * @returns how many had ended when it acted; `undefined` when it did not
 */
export function actsOnFailures(
  world: AttemptsWorld,
  { thresholds, tooMany, day: options, minFailures, countsOnce }: Judging,
  blocks: number,
  chance: Chance,
): number | undefined {
  const odds = worseOddsTest(1);
  const share = tooManyTest(mostFailing);
  const processes = [
    { trial: createProcess(odds.likelihood, odds.prior), thresholds },
    { trial: createProcess(share.likelihood, share.prior), thresholds: tooMany },
  ];
  const day = createDay(options);
  const isBroken = brokenClient(world, countsOnce);
  let failures = 0;
  for (let block = 0; block < blocks; block += 1) {
    const drawn = drawBlock(world, block, chance);
    const more = isBroken(block) ? 1 : 0;
    const counts = more === 0 ? drawn : withFailure(drawn);
    failures += counts.eventsOnNew;
    const { onset, dayBegins } = day.block(block === 0);
    let hasFired = false;
    for (const { trial, thresholds } of processes) {
      if (dayBegins && block > 0) trial.renew();
      trial.block([counts], onset);
      if (trial.mixture() >= thresholds.mixture || trial.endless() >= thresholds.endless) hasFired = true;
    }
    if (hasFired && failures >= minFailures) return block + 1;
  }
  return undefined;
}

/** Counted once, it fails in the first block and is out of the count from then on. */
function brokenClient({ brokenClientEach: each }: AttemptsWorld, countsOnce: boolean) {
  return (block: number): boolean => {
    if (each === undefined) return false;
    return countsOnce ? block === 0 : block % each === 0;
  };
}

function withFailure(counts: BlockCounts): BlockCounts {
  return {
    ...counts,
    onNew: counts.onNew + 1,
    events: counts.events + 1,
    eventsOnNew: counts.eventsOnNew + 1,
  };
}

/**
 * @param odds at which the gate is passed
 * @returns the blocks it takes to prove that new is not worse than `times` legacy; `undefined` when more than `blocks`
 */
export function provesNotWorse(
  world: AttemptsWorld,
  { times, odds }: { readonly times: number; readonly odds: number },
  blocks: number,
  chance: Chance,
): number | undefined {
  const gate = notWorseGate(times);
  for (let block = 0; block < blocks; block += 1) {
    const counts = drawBlock(world, block, chance);
    if (counts.events === 0) continue;
    gate.block([counts]);
    if (gate.evidence() >= odds) return block + 1;
  }
  return undefined;
}

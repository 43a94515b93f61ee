/** Journeys of two sides that are paid some minutes after they began, and when the test of payments acts. PURE. */
import { createDay, type DayOptions, type Thresholds } from "../evidence/budget.ts";
import { paidGate } from "../evidence/gate.ts";
import type { BlockCounts } from "../evidence/likelihood.ts";
import { createProcess } from "../evidence/process.ts";
import { paidTest } from "../evidence/tests.ts";
import type { Chance } from "./chance.ts";

export interface JourneysWorld {
  readonly blockSeconds: number;
  /** Journeys of both sides that begin, in a second. */
  readonly perSecond: number;
  /** Of new, 0–1, in a block. Where it changes, another version begins. */
  share(block: number): number;
  /** Of the journeys of a side that nothing is wrong with, 0–1. */
  readonly paying: number;
  /** After how many seconds half of these are paid, lognormal with this deviation of the logarithm. */
  readonly medianSeconds: number;
  readonly sigma: number;
  /** The part of payments that succeed on new when they are due in this block. */
  keeps(block: number): number;
}

interface JourneysJudging {
  readonly thresholds: Thresholds;
  readonly day: DayOptions;
  /** Whether only journeys of one minute and version are compared, as they must be; without it, all are one stratum. */
  readonly isStratified: boolean;
}

interface PaidAct {
  /** How many blocks had ended. */
  readonly blocks: number;
  /** Payments that were due on new by then and did not happen. */
  readonly lost: number;
}

/** A cohort's members not yet paid. */
interface Cohort {
  legacy: number;
  onNew: number;
  /** Paid in the present block. */
  paidLegacy: number;
  paidOnNew: number;
}

interface Due {
  readonly cohort: Cohort;
  readonly isNew: boolean;
}

/** @returns when the test acted within `blocks` blocks; `undefined` when it did not */
export function actsOnPayments(
  world: JourneysWorld,
  { thresholds, day: options, isStratified }: JourneysJudging,
  blocks: number,
  chance: Chance,
): PaidAct | undefined {
  const { likelihood, prior } = paidTest();
  const trial = createProcess(likelihood, prior);
  const day = createDay(options);
  return runJourneys(world, isStratified, blocks, chance, (strata, block) => {
    const { onset, dayBegins } = day.block(block === 0);
    if (dayBegins && block > 0) trial.renew();
    trial.block(strata, onset);
    return trial.mixture() >= thresholds.mixture || trial.endless() >= thresholds.endless;
  });
}

/**
 * @param odds at which the gate is passed
 * @returns the blocks it takes to prove that new's journeys are paid at more than 1/times of legacy's pace
 */
export function provesPaid(
  world: JourneysWorld,
  { times, odds }: { readonly times: number; readonly odds: number },
  blocks: number,
  chance: Chance,
): number | undefined {
  const gate = paidGate(times);
  const passed = runJourneys(world, true, blocks, chance, (strata) => {
    gate.block(strata);
    return gate.evidence() >= odds;
  });
  return passed?.blocks;
}

function runJourneys(
  world: JourneysWorld,
  isStratified: boolean,
  blocks: number,
  chance: Chance,
  isDone: (strata: readonly BlockCounts[], block: number) => boolean,
): PaidAct | undefined {
  const due: (Due[] | undefined)[] = [];
  const cohortAt = cohorts(world, isStratified);
  let lost = 0;
  for (let block = 0; block < blocks; block += 1) {
    begin(world, block, cohortAt(block), due, chance);
    const touched: Cohort[] = [];
    for (const { cohort, isNew } of due[block] ?? []) {
      if (isNew && chance.uniform() >= world.keeps(block)) {
        lost += 1;
        continue;
      }
      if (cohort.paidLegacy + cohort.paidOnNew === 0) touched.push(cohort);
      if (isNew) cohort.paidOnNew += 1;
      else cohort.paidLegacy += 1;
    }
    due[block] = undefined;
    if (isDone(touched.map(settle), block)) return { blocks: block + 1, lost };
  }
  return undefined;
}

/** Begins the block's journeys, and draws when each is due to be paid, if ever. */
function begin(
  world: JourneysWorld,
  block: number,
  cohort: Cohort,
  due: (Due[] | undefined)[],
  chance: Chance,
): void {
  const { blockSeconds, perSecond, paying, medianSeconds, sigma } = world;
  const members = { legacy: { cohort, isNew: false }, onNew: { cohort, isNew: true } };
  const begun = chance.poisson(perSecond * blockSeconds);
  const share = world.share(block);
  for (let journey = 0; journey < begun; journey += 1) {
    const isNew = chance.uniform() < share;
    if (isNew) cohort.onNew += 1;
    else cohort.legacy += 1;
    if (chance.uniform() >= paying) continue;
    const seconds = chance.uniform() * blockSeconds + medianSeconds * Math.exp(sigma * chance.normal());
    const at = block + Math.floor(seconds / blockSeconds);
    const list = due[at] ?? [];
    due[at] = list;
    list.push(isNew ? members.onNew : members.legacy);
  }
}

/** @returns the cohort of the journeys that begin in a block, asked for block after block */
function cohorts(world: JourneysWorld, isStratified: boolean): (block: number) => Cohort {
  const open = (): Cohort => ({ legacy: 0, onNew: 0, paidLegacy: 0, paidOnNew: 0 });
  let now = open();
  let minute = 0;
  let share = Number.NaN;
  return (block) => {
    const isOf = Math.floor((block * world.blockSeconds) / 60);
    if (isStratified && (isOf !== minute || world.share(block) !== share)) now = open();
    minute = isOf;
    share = world.share(block);
    return now;
  };
}

/** The cohort's counts in the block; those who paid are at risk no more. */
function settle(cohort: Cohort): BlockCounts {
  const { legacy, onNew, paidLegacy, paidOnNew } = cohort;
  cohort.legacy -= paidLegacy;
  cohort.onNew -= paidOnNew;
  cohort.paidLegacy = 0;
  cohort.paidOnNew = 0;
  return { legacy, onNew, events: paidLegacy + paidOnNew, eventsOnNew: paidOnNew };
}

/**
 * What the guard and a plan would do for a shop of this traffic: simulated days, seeded. PURE.
 *
 * Failures and payments are judged with the budget as it is shipped (evidence/budget.ts), each form by its own part of α.
 */
import { alphaOf, thresholdsOf } from "../evidence/budget.ts";
import { type AttemptsWorld, actsOnFailures, type Judging, provesNotWorse } from "./attempts.ts";
import { createChance } from "./chance.ts";
import { actsOnPayments, type JourneysWorld, provesPaid } from "./journeys.ts";
import { assignmentsToAlert, rehearse } from "./rehearsal.ts";

export interface ForecastQuestion {
  readonly seed: number;
  /** Attempts of both sides, in a second. */
  readonly perSecond: number;
  /** The share of them that fails where nothing is wrong. */
  readonly failing: number;
  /** Of the journeys, the share that is paid, and after how long half of these are. */
  readonly paying?: { readonly share: number; readonly medianMs: number };
  /** Percents of new, rising. */
  readonly steps: readonly number[];
  readonly dwellMs: number;
  /** False alarms a day, as a share. */
  readonly alpha: number;
  /** What the gates ask: failures of at most so many times legacy's, payments of at least legacy's divided by so many. */
  readonly notWorseThan: number;
  readonly paidNotWorseThan: number;
  readonly confidence: number;
  /** Of equal sides, to count false rollbacks in. */
  readonly days: number;
}

/** Of several runs, in minutes; `undefined`: not within a week. */
export interface Spread {
  readonly median: number | undefined;
  readonly tenth: number | undefined;
  readonly ninetieth: number | undefined;
}

export interface StepForecast {
  readonly percent: number;
  /** What the guard says where a tenth of new's attempts fail; absent where it says nothing within a day. */
  readonly said?: string;
  /** New shoppers until the share check sees that twice as many come to new as configured. */
  readonly toSeeTwiceTheShare: number | undefined;
  /** Until dwell and evidence let the next step come; absent of the last. */
  readonly toPass?: Spread;
  readonly toCatch: { readonly twice: Spread; readonly tenPercent: Spread; readonly all: Spread };
  /** Where new takes no payment, or half of them: until caught, and the payments lost by then. */
  readonly unpaid?: {
    readonly none: Spread;
    readonly half: Spread;
    readonly lostOfNone: number | undefined;
    readonly lostOfHalf: number | undefined;
  };
}

export interface Forecast {
  readonly steps: readonly StepForecast[];
  /** Of the plan as a whole, in minutes. */
  readonly finish: Spread;
  /** On equal sides. */
  readonly falseRollbacks: { readonly days: number; readonly acted: number };
}

const blockSeconds = 10;
const blocksADay = 86_400 / blockSeconds;
const week = 7 * blocksADay;
const runs = { proof: 40, paidProof: 10, detection: 40, payments: 10, share: 11 };
const mostAssignments = 100_000;
const sigma = 0.7;
/** Windows and dwell apart, what a run of journeys costs: the longest that is waited for. */
const longest = { journeys: 2 * blocksADay };

/** @param told of the part that is done, 0–1 */
export function forecast(question: ForecastQuestion, told: (done: number) => void): Forecast {
  const { steps, days, seed } = question;
  const parts = steps.length + 1;
  let from = seed;
  const seeds = (count: number) => {
    const first = from;
    from += count;
    return Array.from({ length: count }, (_, run) => first + run);
  };
  const passing: (number | undefined)[][] = [];
  const forecasts = steps.map((percent, at) => {
    const isLast = at === steps.length - 1;
    const passed = isLast ? undefined : passes(question, percent, seeds(runs.proof));
    if (passed !== undefined) passing.push(passed);
    const caught = catches(question, percent, seeds);
    told((at + 1) / (2 * parts));
    const [rehearsalSeed = 0, ...shareSeeds] = seeds(1 + runs.share);
    const share = percent / 100;
    const failing = { legacy: question.failing, onNew: Math.max(0.1, 2 * question.failing) };
    const incident = { perSecond: question.perSecond, share, failing, alpha: question.alpha };
    const said = rehearse(incident, createChance(rehearsalSeed))?.sentence;
    const shareSeen = shareSeeds.map((each) =>
      assignmentsToAlert(share, Math.min(1, 2 * share), mostAssignments, createChance(each)),
    );
    const step = { percent, toSeeTwiceTheShare: middle(shareSeen), ...(said === undefined ? {} : { said }) };
    return { ...step, ...(passed === undefined ? {} : { toPass: spreadOf(passed) }), ...caught };
  });
  let acted = 0;
  for (const [day, each] of seeds(days).entries()) {
    const percent = steps[day % steps.length] ?? 0;
    if (actsFalsely(question, percent, each)) acted += 1;
    told(0.5 + (0.5 * (day + 1)) / days);
  }
  return { steps: forecasts, finish: spreadOf(sums(passing)), falseRollbacks: { days, acted } };
}

function judgingOf(alpha: number): Judging {
  const thresholds = thresholdsOf(alphaOf("failures", alpha), blocksADay);
  const day = { blocksADay, steps: "many", isRenewed: true } as const;
  const tooMany = thresholdsOf(alphaOf("tooMany", alpha), blocksADay);
  return { thresholds, tooMany, day, minFailures: 3, countsOnce: true };
}

function attemptsOf(
  { perSecond, failing }: ForecastQuestion,
  percent: number,
  onNew = failing,
): AttemptsWorld {
  return {
    perBlock: () => perSecond * blockSeconds,
    share: () => percent / 100,
    failing: () => ({ legacy: failing, onNew }),
  };
}

function journeysOf(
  { perSecond, paying }: ForecastQuestion,
  percent: number,
  keeps = 1,
): JourneysWorld | undefined {
  if (paying === undefined) return undefined;
  return {
    blockSeconds,
    perSecond,
    share: () => percent / 100,
    paying: paying.share,
    medianSeconds: paying.medianMs / 1000,
    sigma,
    keeps: () => keeps,
  };
}

/** Blocks from each run's beginning until the next step may come. */
function passes(
  question: ForecastQuestion,
  percent: number,
  seeds: readonly number[],
): (number | undefined)[] {
  const odds = 1 / (1 - question.confidence);
  const dwell = question.dwellMs / 1000 / blockSeconds;
  const journeys = journeysOf(question, percent);
  const paid = seeds.slice(0, runs.paidProof).map((seed) => {
    if (journeys === undefined) return 0;
    const gate = { times: question.paidNotWorseThan, odds };
    return provesPaid(journeys, gate, longest.journeys, createChance(seed));
  });
  return seeds.map((seed, run) => {
    const gate = { times: question.notWorseThan, odds };
    const proven = provesNotWorse(attemptsOf(question, percent), gate, week, createChance(seed));
    const paidBy = paid[run % paid.length];
    return proven === undefined || paidBy === undefined ? undefined : Math.max(proven, paidBy, dwell);
  });
}

function catches(
  question: ForecastQuestion,
  percent: number,
  seeds: (count: number) => number[],
): Pick<StepForecast, "toCatch" | "unpaid"> {
  const judging = judgingOf(question.alpha);
  const of = (onNew: number) => {
    const world = attemptsOf(question, percent, onNew);
    return spreadOf(
      seeds(runs.detection).map((seed) => actsOnFailures(world, judging, week, createChance(seed))),
    );
  };
  const twice = Math.min(1, 2 * question.failing);
  const toCatch = { twice: of(twice), tenPercent: of(Math.max(0.1, twice)), all: of(1) };
  const unpaidBy = (keeps: number) => {
    const world = journeysOf(question, percent, keeps);
    if (world === undefined) return [];
    const thresholds = thresholdsOf(alphaOf("paid", question.alpha), blocksADay);
    const judged = { thresholds, day: judging.day, isStratified: true };
    return seeds(runs.payments).map((seed) =>
      actsOnPayments(world, judged, longest.journeys, createChance(seed)),
    );
  };
  if (question.paying === undefined) return { toCatch };
  const [none, half] = [unpaidBy(0), unpaidBy(0.5)];
  const unpaid = {
    none: spreadOf(none.map((act) => act?.blocks)),
    half: spreadOf(half.map((act) => act?.blocks)),
    lostOfNone: middle(none.map((act) => act?.lost)),
    lostOfHalf: middle(half.map((act) => act?.lost)),
  };
  return { toCatch, unpaid };
}

function actsFalsely(question: ForecastQuestion, percent: number, seed: number): boolean {
  const judging = judgingOf(question.alpha);
  const world = attemptsOf(question, percent);
  if (actsOnFailures(world, judging, blocksADay, createChance(seed)) !== undefined) return true;
  const journeys = journeysOf(question, percent);
  if (journeys === undefined) return false;
  const thresholds = thresholdsOf(alphaOf("paid", question.alpha), blocksADay);
  const judged = { thresholds, day: judging.day, isStratified: true };
  return actsOnPayments(journeys, judged, blocksADay, createChance(-1 - seed)) !== undefined;
}

/** Of each run the sum over the steps. */
function sums(passing: readonly (readonly (number | undefined)[])[]): (number | undefined)[] {
  return Array.from({ length: runs.proof }, (_, run) =>
    passing.reduce<number | undefined>((sum, step) => {
      const took = step[run];
      return sum === undefined || took === undefined ? undefined : sum + took;
    }, 0),
  );
}

function spreadOf(blocks: readonly (number | undefined)[]): Spread {
  const at = (part: number) => {
    const found = placed(blocks, part);
    return found === undefined ? undefined : (found * blockSeconds) / 60;
  };
  return { median: at(0.5), tenth: at(0.1), ninetieth: at(0.9) };
}

const middle = (values: readonly (number | undefined)[]) => placed(values, 0.5);

/** `undefined` is larger than any number. */
function placed(values: readonly (number | undefined)[], part: number): number | undefined {
  const sorted = values.map((value) => value ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b);
  const found = sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  return found === undefined || found === Number.POSITIVE_INFINITY ? undefined : found;
}

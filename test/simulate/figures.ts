/**
 * The figures that the guard's mathematics is held to (docs/guard.md), each as a seeded simulation: how often it acts on
 * equal sides, how long it takes to see what is worse, and how it breaks without the rules that it follows.
 */
import { thresholdsOf } from "../../src/guard/evidence/budget.ts";
import {
  type AttemptsWorld,
  actsOnFailures,
  type Judging,
  provesNotWorse,
} from "../../src/guard/simulate/attempts.ts";
import { type Chance, createChance } from "../../src/guard/simulate/chance.ts";
import { actsOnPayments, type JourneysWorld } from "../../src/guard/simulate/journeys.ts";

/** What comes of one run: minutes until it acted, from the onset of what is wrong; `undefined` when it did not. */
type Run = (chance: Chance) => number | undefined;

export interface Figure {
  readonly table: "false in 24 h" | "detection" | "payments" | "payments, false in 24 h" | "proof";
  readonly name: string;
  readonly runs: number;
  readonly run: Run;
  readonly bar: Bar;
}

export type Bar =
  /** At most this share of the runs act. */
  | { readonly kind: "seldom"; readonly most: number }
  /** A control: without the rule, at least this share of the runs act. */
  | { readonly kind: "breaks"; readonly least: number }
  /** The median of the runs, in minutes, is at most 1.3 times this. */
  | { readonly kind: "median"; readonly minutes: number };

export const slack = 1.3;

const blockSeconds = 10;
const blocksADay = 86_400 / blockSeconds;
const oneLook = 0.008;
const paidAlpha = 0.004;

const day = { blocksADay, steps: "one", isRenewed: false } as const;
const judging: Judging = {
  thresholds: thresholdsOf(oneLook, blocksADay),
  tooMany: thresholdsOf(oneLook, blocksADay),
  day,
  minFailures: 3,
  countsOnce: true,
};

const minutesOf = (blocks: number | undefined): number | undefined =>
  blocks === undefined ? undefined : (blocks * blockSeconds) / 60;

/** @param perSecond of both sides @param share of new */
function attempts(perSecond: number, share: number, more: Partial<AttemptsWorld> = {}): AttemptsWorld {
  return {
    perBlock: () => perSecond * blockSeconds,
    share: () => share,
    failing: () => ({ legacy: 0.01, onNew: 0.01 }),
    ...more,
  };
}

function seldom(name: string, world: AttemptsWorld, judged: Judging = judging): Figure {
  return {
    table: "false in 24 h",
    name,
    runs: 1000,
    run: (chance) => minutesOf(actsOnFailures(world, judged, blocksADay, chance)),
    bar: { kind: "seldom", most: 0.019 },
  };
}

/** Five times the failures on both sides, six minutes every two hours. */
const commonMode = (block: number) => {
  const failing = block % (7200 / blockSeconds) < 360 / blockSeconds ? 0.05 : 0.01;
  return { legacy: failing, onNew: failing };
};
const eachMinute = 60 / blockSeconds;

const falseAlarms: readonly Figure[] = [
  ...[0.01, 0.05, 0.25, 0.5].map((share) => seldom(`10/s, ${100 * share}%`, attempts(10, share))),
  seldom("1/s, 5%", attempts(1, 0.05)),
  seldom("0.2/s, 10%", attempts(0.2, 0.1)),
  seldom(
    "10/s, 5%, both fail 5 times as often for 6 min every 2 h",
    attempts(10, 0.05, { failing: commonMode }),
  ),
  seldom(
    "10/s, a ramp from 1 to 50%",
    attempts(10, 0, { share: (block) => 0.01 + (0.49 * block) / blocksADay }),
  ),
  seldom("1/s, 5%, one client fails each minute", attempts(1, 0.05, { brokenClientEach: eachMinute })),
  {
    ...seldom(
      "1/s, 5%, one client fails each minute and counts each time",
      attempts(1, 0.05, { brokenClientEach: eachMinute }),
      {
        ...judging,
        countsOnce: false,
      },
    ),
    bar: { kind: "breaks", least: 0.99 },
  },
];

function detects(name: string, minutes: number, world: AttemptsWorld, onsetHours = 0): Figure {
  const onset = (onsetHours * 3600) / blockSeconds;
  const isLate: AttemptsWorld = {
    ...world,
    failing: (block) => (block < onset ? { legacy: 0.01, onNew: 0.01 } : world.failing(block)),
  };
  return {
    table: "detection",
    name,
    runs: 400,
    run: (chance) => afterOnset(onset, (blocks) => actsOnFailures(isLate, judging, blocks, chance)),
    bar: { kind: "median", minutes },
  };
}

/** Runs that act before there is anything to see are drawn again. */
function afterOnset(onset: number, act: (blocks: number) => number | undefined): number | undefined {
  for (;;) {
    const acted = act(onset + 2 * blocksADay);
    if (acted === undefined) return undefined;
    if (acted > onset) return minutesOf(acted - onset);
  }
}

const failingOnNew = (onNew: number) => ({ failing: () => ({ legacy: 0.01, onNew }) });

const detection: readonly Figure[] = [
  detects("2×, 10/s, 1%", 246, attempts(10, 0.01, failingOnNew(0.02))),
  detects("2×, 10/s, 5%", 50, attempts(10, 0.05, failingOnNew(0.02))),
  detects("2×, 10/s, 25%", 14, attempts(10, 0.25, failingOnNew(0.02))),
  detects("2×, 10/s, 50%", 11, attempts(10, 0.5, failingOnNew(0.02))),
  detects("2×, 50/s, 5%", 11, attempts(50, 0.05, failingOnNew(0.02))),
  detects("10% fail, 10/s, 5%", 2, attempts(10, 0.05, failingOnNew(0.1))),
  detects("all fail, 10/s, 1%", 0.5, attempts(10, 0.01, failingOnNew(1))),
  detects("all fail, 0.2/s, 10%", 3.2, attempts(0.2, 0.1, failingOnNew(1))),
  detects("2× from the 48th hour on, 10/s, 25%", 25, attempts(10, 0.25, failingOnNew(0.02)), 48),
];

function journeys(perSecond: number, share: number, more: Partial<JourneysWorld> = {}): JourneysWorld {
  return {
    blockSeconds,
    perSecond,
    share: () => share,
    paying: 0.6,
    medianSeconds: 180,
    sigma: 0.7,
    keeps: () => 1,
    ...more,
  };
}

const paidJudging = { thresholds: thresholdsOf(paidAlpha, blocksADay), day, isStratified: true };

function misses(name: string, minutes: number, world: JourneysWorld, onsetHours = 0): Figure {
  const onset = (onsetHours * 3600) / blockSeconds;
  const isLate: JourneysWorld = { ...world, keeps: (block) => (block < onset ? 1 : world.keeps(block)) };
  return {
    table: "payments",
    name,
    runs: 400,
    run: (chance) =>
      afterOnset(onset, (blocks) => actsOnPayments(isLate, paidJudging, blocks, chance)?.blocks),
    bar: { kind: "median", minutes },
  };
}

const keeping = (part: number) => ({ keeps: () => part });

const payments: readonly Figure[] = [
  misses("keeps 70%, 2/s, 25%", 10, journeys(2, 0.25, keeping(0.7))),
  misses("keeps 70%, 2/s, 5%", 24, journeys(2, 0.05, keeping(0.7))),
  misses("keeps 50%, 2/s, 5%", 12, journeys(2, 0.05, keeping(0.5))),
  misses("keeps none, 2/s, 5%", 5, journeys(2, 0.05, keeping(0))),
  misses("keeps none, 0.5/s, 5%", 10.7, journeys(0.5, 0.05, keeping(0))),
  misses("keeps none, 10/s, 1%", 5, journeys(10, 0.01, keeping(0))),
  misses("keeps 90%, 2/s, 50%", 40, journeys(2, 0.5, keeping(0.9))),
  misses("keeps 50% from the 6th hour on, 2/s, 25%", 9, journeys(2, 0.25, keeping(0.5)), 6),
];

function seldomUnpaid(name: string, world: JourneysWorld, isStratified = true): Figure {
  return {
    table: "payments, false in 24 h",
    name,
    runs: 400,
    run: (chance) =>
      minutesOf(actsOnPayments(world, { ...paidJudging, isStratified }, blocksADay, chance)?.blocks),
    bar: { kind: "seldom", most: 0.019 },
  };
}

/** One raise in mid-day and in mid-minute. */
const raised = (block: number) => (block < blocksADay / 2 + 3 ? 0.05 : 0.5);
/** A raise each ten minutes. */
const rising = (block: number) => Math.min(0.05 + 0.05 * Math.floor(block / 60), 0.9);
/** A raise five minutes into a step, when new's members become younger than legacy's. */
const raisedSoon = journeys(10, 0, { share: (block) => (block < 30 ? 0.01 : 0.9) });

const falsePayments: readonly Figure[] = [
  seldomUnpaid("2/s, 25%", journeys(2, 0.25)),
  seldomUnpaid("0.5/s, 5%", journeys(0.5, 0.05)),
  seldomUnpaid("2/s, raised from 5 to 50%", journeys(2, 0, { share: raised })),
  seldomUnpaid("2/s, raised each 10 min", journeys(2, 0, { share: rising })),
  { ...seldomUnpaid("10/s, raised from 1 to 90% after 5 min", raisedSoon), runs: 100 },
  {
    ...seldomUnpaid("10/s, raised from 1 to 90% after 5 min, without strata", raisedSoon, false),
    runs: 100,
    bar: { kind: "breaks", least: 0.9 },
  },
];

function proves(name: string, minutes: number, world: AttemptsWorld): Figure {
  return {
    table: "proof",
    name,
    runs: 400,
    run: (chance) => minutesOf(provesNotWorse(world, { times: 2, odds: 20 }, 3 * blocksADay, chance)),
    bar: { kind: "median", minutes },
  };
}

const proof: readonly Figure[] = [
  proves("10/s, 1%", 154, attempts(10, 0.01)),
  proves("10/s, 5%", 30, attempts(10, 0.05)),
  proves("10/s, 25%", 9, attempts(10, 0.25)),
  proves("10/s, 50%", 10, attempts(10, 0.5)),
  proves("1/s, 25%", 91, attempts(1, 0.25)),
  {
    ...proves("10/s, 25%, new fails twice as often", 0, attempts(10, 0.25, failingOnNew(0.01 * (2 / 1.01)))),
    bar: { kind: "seldom", most: 0.07 },
  },
];

export const figures: readonly Figure[] = [
  ...falseAlarms,
  ...detection,
  ...payments,
  ...falsePayments,
  ...proof,
];

export interface Outcome {
  /** Of the runs, those that acted. */
  readonly acted: number;
  readonly runs: number;
  /** Minutes; `Infinity` when most runs did not act. */
  readonly median: number;
  readonly isWithin: boolean;
}

/** Runs a figure with seeds of its own. @param told after each run */
export function measure(figure: Figure, seed: number, runs = figure.runs, told = (_: number) => {}): Outcome {
  const minutes: number[] = [];
  let acted = 0;
  for (let run = 0; run < runs; run += 1) {
    const took = figure.run(createChance(seed + run));
    if (took !== undefined) acted += 1;
    minutes.push(took ?? Number.POSITIVE_INFINITY);
    told(run + 1);
  }
  minutes.sort((a, b) => a - b);
  const median = minutes[Math.floor(runs / 2)] ?? Number.POSITIVE_INFINITY;
  return { acted, runs, median, isWithin: isWithin(figure.bar, acted / runs, median) };
}

function isWithin(bar: Bar, acted: number, median: number): boolean {
  if (bar.kind === "seldom") return acted <= bar.most;
  return bar.kind === "breaks" ? acted >= bar.least : median <= slack * bar.minutes;
}

/**
 * All evidence about a cutover: the tests of a block's looks, one budget a day, and what each test has found. PURE.
 *
 * A block is looked at twice. What arrived in it is at risk each time, so both looks are exact: the quick one sees what
 * failed at once, the late one what failed at all. That new fails *faster* is not that it is worse: the quick look acts
 * on failures only while new's share of late also lies clearly above what legacy's share is in the end. This can only
 * delay, and so costs nothing of the budget.
 */
import { alphaOf, createDay, type Day, type DayState, type Thresholds, thresholdsOf } from "./budget.ts";
import { plus, type SideTally } from "./difference.ts";
import { createExcess, type ExcessState } from "./excess.ts";
import type { BlockCounts } from "./likelihood.ts";
import { createProcess, type EvidenceProcess, type ProcessState } from "./process.ts";
import {
  type EvidenceTest,
  paidTest,
  type TestName,
  testNames,
  tooManyTest,
  worseOddsTest,
} from "./tests.ts";

export interface EvidenceSettings {
  /** False alarms a day, as a share. */
  readonly alpha: number;
  readonly blocksADay: number;
  /** Odds of a failure on new, in legacy's, that are still well. */
  readonly tolerance: number;
  /** The share of attempts that may fail on a side at all. */
  readonly mostFailing: number;
  /** Shoppers who have to have failed on new before failures act. */
  readonly minFailures: number;
}

export type Look = "quick" | "late";

export interface Sides {
  readonly legacy: SideTally;
  readonly onNew: SideTally;
}

/** Legacy has a test of its own; it never rolls anything back and has no part in the budget. */
type Tested = TestName | "tooManyOnLegacy";

export interface TestFinding {
  /** Odds against that all is well: of the look and form that are the furthest. */
  readonly odds: number;
  /** At which it acts. */
  readonly actsAt: number;
  readonly hasFired: boolean;
}

export type Findings = Readonly<Record<Tested, TestFinding>>;

export interface EvidenceState {
  readonly streams: Readonly<Record<StreamName, StreamState>>;
  /** Shoppers of this step. */
  readonly sides: Readonly<Record<Look, Sides>>;
  readonly excess: ExcessState;
}

export interface Evidence {
  /** @param stepBegins with this block */
  attempts(look: Look, strata: readonly Sides[], stepBegins: boolean): void;
  slow(strata: readonly Sides[], stepBegins: boolean): void;
  paid(strata: readonly BlockCounts[], stepBegins: boolean): void;
  /** @param part of α, where several guard the same each by its own counts */
  findings(part?: number): Findings;
  /** Shoppers of this step: by the quick look, which is the first to know, unless the late one knows of more failures. */
  sides(): Sides;
  /** Whether the likelihood that new fails more often of late grows. */
  isGrowing(): boolean;
  /** After an action and its resume: the evidence begins anew on half of what was left of the day. */
  resume(): void;
  state(): EvidenceState;
}

type StreamName = Look | "slow" | "paid";

interface StreamState {
  readonly day: DayState;
  /** Of the day's α, what is left to this stream: 1, and half after each action. */
  readonly left: number;
  readonly processes: readonly ProcessState[];
  /** Shoppers who failed on new in this step. */
  readonly failed: number;
}

interface Stream {
  block(counts: readonly (readonly BlockCounts[])[], stepBegins: boolean, failed: number): void;
  finding(at: number, minFailures: number, part: number): TestFinding;
  resume(): void;
  state(): StreamState;
}

const nothing: Sides = { legacy: { units: 0, failed: 0 }, onNew: { units: 0, failed: 0 } };

export function createEvidence(settings: EvidenceSettings, from?: EvidenceState): Evidence {
  const { tolerance, mostFailing, minFailures } = settings;
  const failures = (): readonly Assigned[] => [
    { test: "failures", ...worseOddsTest(tolerance) },
    { test: "tooMany", ...tooManyTest(mostFailing) },
    { test: "tooMany", ...tooManyTest(mostFailing) },
  ];
  const streams: Readonly<Record<StreamName, Stream>> = {
    quick: createStream(settings, failures(), from?.streams.quick),
    late: createStream(settings, failures(), from?.streams.late),
    slow: createStream(settings, [{ test: "slow", ...worseOddsTest(tolerance) }], from?.streams.slow),
    paid: createStream(settings, [{ test: "paid", ...paidTest() }], from?.streams.paid),
  };
  const excess = createExcess(settings.blocksADay, from?.excess);
  let sides = from?.sides ?? { quick: nothing, late: nothing };

  return {
    attempts(look, strata, stepBegins) {
      const { legacy, onNew } = sumOf(strata);
      const alone: BlockCounts = { legacy: 0, onNew: legacy.units, events: 0, eventsOnNew: legacy.failed };
      const both = strata.map(pairOf);
      streams[look].block([both, both, [alone]], stepBegins, onNew.failed);
      if (look === "quick") excess.quick(onNew);
      else excess.late(legacy);
      const before = stepBegins ? nothing : sides[look];
      const after = { legacy: plus(before.legacy, legacy), onNew: plus(before.onNew, onNew) };
      sides = { ...sides, [look]: after };
    },
    slow: (strata, stepBegins) =>
      streams.slow.block([strata.map(pairOf)], stepBegins, sumOf(strata).onNew.failed),
    paid: (strata, stepBegins) => streams.paid.block([strata], stepBegins, 0),
    findings(part = 1) {
      const { quick, late, paid, slow } = streams;
      const soon = quick.finding(0, minFailures, part);
      const isWorse = excess.isExceeded(tolerance);
      return {
        failures: further(
          { ...soon, hasFired: soon.hasFired && isWorse },
          late.finding(0, minFailures, part),
        ),
        tooMany: further(quick.finding(1, minFailures, part), late.finding(1, minFailures, part)),
        tooManyOnLegacy: further(quick.finding(2, 0, part), late.finding(2, 0, part)),
        paid: paid.finding(0, 0, part),
        slow: slow.finding(0, minFailures, part),
      };
    },
    sides: () => (sides.quick.onNew.failed >= sides.late.onNew.failed ? sides.quick : sides.late),
    isGrowing: () => excess.state().growth > 0,
    resume() {
      for (const stream of Object.values(streams)) stream.resume();
      sides = { quick: nothing, late: nothing };
    },
    state: () => ({
      streams: {
        quick: streams.quick.state(),
        late: streams.late.state(),
        slow: streams.slow.state(),
        paid: streams.paid.state(),
      },
      sides,
      excess: excess.state(),
    }),
  };
}

type Assigned = EvidenceTest & { readonly test: TestName };

function createStream(
  { alpha, blocksADay }: EvidenceSettings,
  tests: readonly Assigned[],
  from?: StreamState,
): Stream {
  const day: Day = createDay({ blocksADay, steps: "many", isRenewed: true }, from?.day);
  const begun = (states?: readonly ProcessState[]): EvidenceProcess[] =>
    tests.map(({ likelihood, prior }, at) => createProcess(likelihood, prior, states?.[at]));
  let processes = begun(from?.processes);
  let left = from?.left ?? 1;
  let failed = from?.failed ?? 0;
  return {
    block(counts, stepBegins, failedNow) {
      const { onset, dayBegins } = day.block(stepBegins);
      if (dayBegins) {
        left = 1;
        for (const trial of processes) trial.renew();
      }
      processes.forEach((trial, at) => {
        trial.block(counts[at] ?? [], onset);
      });
      failed = (stepBegins ? 0 : failed) + failedNow;
    },
    finding(at, minFailures, part) {
      const [trial, assigned] = [processes[at], tests[at]];
      if (trial === undefined || assigned === undefined) throw new RangeError(`no test ${at}`);
      const thresholds = thresholdsOf(part * left * alphaOf(assigned.test, alpha), blocksADay);
      return findingOf(trial, thresholds, failed >= minFailures);
    },
    resume() {
      left /= 2;
      processes = begun();
      failed = 0;
    },
    state: () => ({ day: day.state(), left, processes: processes.map((each) => each.state()), failed }),
  };
}

function findingOf(
  trial: EvidenceProcess,
  { mixture, endless }: Thresholds,
  areEnough: boolean,
): TestFinding {
  // Both forms on the scale of the mixture's.
  const odds = Math.max(trial.mixture(), (trial.endless() * mixture) / endless);
  return { odds, actsAt: mixture, hasFired: odds >= mixture && areEnough };
}

/** What has fired before what has not, then the larger odds. */
function further(one: TestFinding, other: TestFinding): TestFinding {
  if (one.hasFired !== other.hasFired) return one.hasFired ? one : other;
  return one.odds >= other.odds ? one : other;
}

function sumOf(strata: readonly Sides[]): Sides {
  return strata.reduce((sum, { legacy, onNew }) => {
    return { legacy: plus(sum.legacy, legacy), onNew: plus(sum.onNew, onNew) };
  }, nothing);
}

export function pairOf({ legacy, onNew }: Sides): BlockCounts {
  return {
    legacy: legacy.units,
    onNew: onNew.units,
    events: legacy.failed + onNew.failed,
    eventsOnNew: onNew.failed,
  };
}

/** The tests that have found what they look for, in their order. */
export function firedOf(findings: Findings): TestName[] {
  return testNames.filter((test) => findings[test].hasFired);
}

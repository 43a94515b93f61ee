/**
 * Who of each cohort has not paid yet, by everybody's counts: the risk sets of the test of payments. PURE.
 *
 * A cohort is the journeys that began in one minute, decided by one percent: it goes on when the next step begins, for a
 * raise changes nothing for those under way. It is dropped once all its journeys must be over.
 */
import type { BlockCounts } from "./likelihood.ts";

/** Minute since the epoch, percent in thousandths, begun on legacy and on new, paid on legacy and on new. */
export type JourneyRow = readonly [
  minute: number,
  percent: number,
  begunLegacy: number,
  begunOnNew: number,
  paidLegacy: number,
  paidOnNew: number,
];

/** Journeys of this step. */
export interface Payments {
  readonly begunOnLegacy: number;
  readonly paidOnLegacy: number;
  readonly begunOnNew: number;
  readonly paidOnNew: number;
  /** As many of legacy's of the same minutes were paid as would make so many of new's. */
  readonly wouldBePaid: number;
}

/** What was counted in a block of the journeys of one stratum. */
export interface StratumJourneys {
  readonly of: string;
  readonly rows: readonly JourneyRow[];
}

/** Of one cohort: of which stratum, whether it began in the step that stands, and all its counts so far. */
type KeptCohort = readonly [of: string, isOfStep: boolean, ...row: JourneyRow];

/** All that is to be kept of them. */
export interface CohortsState {
  readonly cohorts: readonly KeptCohort[];
  /** Of cohorts of this step that are dropped already. */
  readonly dropped: Payments;
}

interface PaidCohorts {
  /** @returns each cohort's members not yet paid, and those who paid in the block */
  block(journeys: readonly StratumJourneys[], stepBegins: boolean): BlockCounts[];
  /** Of the step that stands. */
  payments(): Payments;
  /** What has begun so far has been acted on. */
  resume(): void;
  state(): CohortsState;
}

interface Cohort {
  readonly of: string;
  readonly minute: number;
  readonly percent: number;
  isOfStep: boolean;
  readonly begun: Writable;
  readonly paid: Writable;
}

interface Writable {
  legacy: number;
  onNew: number;
}

/** However long a journey may last. */
const mostMinutes = 1440;
/** However many strata and percents there are: all of them are written down. */
const mostCohorts = 1200;

const none: Payments = {
  ...{ begunOnLegacy: 0, paidOnLegacy: 0 },
  ...{ begunOnNew: 0, paidOnNew: 0, wouldBePaid: 0 },
};

/** @param longestMs of a journey */
export function createPaidCohorts(longestMs: number, from?: CohortsState): PaidCohorts {
  const minutes = Math.min(mostMinutes, Math.ceil(longestMs / 60_000) + 1);
  const cohorts = new Map<string, Cohort>();
  let dropped: Sum = from?.dropped ?? none;
  let youngest = 0;
  for (const [of, isOfStep, minute, percent, ...counts] of from?.cohorts ?? []) {
    const cohort = cohortOf(of, minute, percent);
    cohort.isOfStep = isOfStep;
    [cohort.begun.legacy, cohort.begun.onNew, cohort.paid.legacy, cohort.paid.onNew] = counts;
  }

  function cohortOf(of: string, minute: number, percent: number): Cohort {
    const key = `${minute} ${percent} ${of}`;
    const found = cohorts.get(key);
    if (found !== undefined) return found;
    const counts = { begun: { legacy: 0, onNew: 0 }, paid: { legacy: 0, onNew: 0 } };
    const made = { of, minute, percent, isOfStep: true, ...counts };
    cohorts.set(key, made);
    return made;
  }

  function drop(): void {
    for (const { minute } of cohorts.values()) youngest = Math.max(youngest, minute);
    for (const [key, cohort] of cohorts) {
      // They lie in the order in which they began.
      if (cohort.minute > youngest - minutes && cohorts.size <= mostCohorts) continue;
      cohorts.delete(key);
      if (!cohort.isOfStep) continue;
      dropped = { ...dropped };
      add(dropped, cohort);
    }
  }

  return {
    block(journeys, stepBegins) {
      if (stepBegins) {
        for (const cohort of cohorts.values()) cohort.isOfStep = false;
        dropped = none;
      }
      const strata = journeys.flatMap(({ of, rows }) =>
        rows.map(([minute, percent, ...counts]) => take(cohortOf(of, minute, percent), counts)),
      );
      drop();
      return strata;
    },
    payments() {
      const sum = { ...dropped };
      for (const cohort of cohorts.values()) if (cohort.isOfStep) add(sum, cohort);
      return sum;
    },
    resume() {
      cohorts.clear();
      dropped = none;
    },
    state: () => ({
      cohorts: [...cohorts.values()].map(({ of, isOfStep, minute, percent, begun, paid }) => {
        return [of, isOfStep, minute, percent, begun.legacy, begun.onNew, paid.legacy, paid.onNew] as const;
      }),
      dropped,
    }),
  };
}

function take(
  { begun, paid }: Cohort,
  [begunLegacy, begunOnNew, paidLegacy, paidOnNew]: readonly [number, number, number, number],
): BlockCounts {
  begun.legacy += begunLegacy;
  begun.onNew += begunOnNew;
  const legacy = begun.legacy - paid.legacy;
  const onNew = begun.onNew - paid.onNew;
  // Who began on an instance that told of it never is no unit.
  const eventsOnLegacy = Math.min(paidLegacy, legacy);
  const eventsOnNew = Math.min(paidOnNew, onNew);
  paid.legacy += eventsOnLegacy;
  paid.onNew += eventsOnNew;
  return { legacy, onNew, events: eventsOnLegacy + eventsOnNew, eventsOnNew };
}

type Sum = { -readonly [Key in keyof Payments]: Payments[Key] };

function add(sum: Sum, { begun, paid }: Cohort): void {
  sum.begunOnLegacy += begun.legacy;
  sum.paidOnLegacy += paid.legacy;
  sum.begunOnNew += begun.onNew;
  sum.paidOnNew += paid.onNew;
  if (begun.legacy > 0) sum.wouldBePaid += (begun.onNew * paid.legacy) / begun.legacy;
}

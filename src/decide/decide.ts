/**
 * Which side serves a request, and why. PURE. The first line that applies decides:
 *
 *   1. owner        a key of the request has an owner                     → the owner; never overridden
 *   2. closed       legacy is closed                                      → new
 *   3. journey      a valid pin                                           → its side; void when the side is new
 *                   and the pin's epoch is older than the cutover's (hard rollback)
 *   4. rolled_back  the state is rolled_back                              → legacy
 *   5. forced       an authorised override header; before 4 where that is configured → as it says
 *   6. cohort       the request is of a cohort that has a side            → its side; not new while stale (below)
 *   7. anonymous    no shopper identity                                   → legacy; new at 100 percent, where
 *                   that is configured and the store not out of reach too long
 *      stale        the store out of reach too long and onStale: legacy   → legacy
 *   8. visit        a visit under way; at percent 0 none is on new        → its side
 *   9. bucket       bucket < percent × 1000                               → new, else legacy
 *
 * The percent of 7 to 9 is that of the request's cohort, where it has one of its own, else the cutover's.
 *
 * `fallback` is the one reason not given here: it is found only when the new side cannot be connected to.
 */
import { type CutoverState, type Side, sides } from "../state/rules/model.ts";
import { cohortPercent } from "../state/rules/percent.ts";

export const reasons = [
  "owner",
  "closed",
  "journey",
  "rolled_back",
  "forced",
  "cohort",
  "anonymous",
  "stale",
  "visit",
  "bucket",
  "fallback",
] as const;
export type Reason = (typeof reasons)[number];

export interface Decision {
  readonly side: Side;
  readonly reason: Reason;
}

interface Pin {
  readonly side: Side;
  readonly epoch: number;
}

/** Shoppers, or requests, by a rule of the configuration. */
export interface Cohort {
  readonly name: string;
  /** Where all of them go; absent: it has a percent of its own. */
  readonly side: Side | undefined;
  /** Where that begins, while the state has none. */
  readonly startThousandths: number;
}

export interface Facts {
  /** The side that owns a key of the request. */
  readonly owner: Side | undefined;
  /** The journey pin the request carries, its signature and times already verified. */
  readonly journey: Pin | undefined;
  readonly forced: Side | undefined;
  /** Whether that counts while the cutover is rolled back, too. */
  readonly forcedWhileRolledBack?: boolean;
  /** Of whose it is; absent: of none. */
  readonly cohort?: Cohort | undefined;
  /** 0–99999; absent when the request names no shopper. */
  readonly bucket: number | undefined;
  /** Whether the store has been out of reach for too long and the cutover says `onStale: legacy`. */
  readonly stale: boolean;
  /** The side of a visit under way, its signature and times already verified, and not ended by a rollback. */
  readonly visit?: Side | undefined;
  /** Whether at 100 percent that goes to new, too, which names no shopper. */
  readonly anonymousMoves?: boolean;
}

export function decide(state: CutoverState, facts: Facts): Decision {
  const { owner, journey, forced, cohort, bucket } = facts;
  if (owner !== undefined) return decision(owner, "owner");
  if (state.state === "closed") return decision("new", "closed");
  if (journey !== undefined && !isVoid(journey, state.pinEpoch)) return decision(journey.side, "journey");
  if (forced !== undefined && facts.forcedWhileRolledBack === true) return decision(forced, "forced");
  if (state.state === "rolled_back") return decision("legacy", "rolled_back");
  if (forced !== undefined) return decision(forced, "forced");
  if (cohort?.side !== undefined && !(facts.stale && cohort.side === "new")) {
    return decision(cohort.side, "cohort");
  }
  const percent = percentFor(state, cohort);
  if (bucket === undefined) {
    const moves = facts.anonymousMoves === true && lastBucket < percent;
    return decision(moves && !facts.stale ? "new" : "legacy", "anonymous");
  }
  if (facts.stale) return decision("legacy", "stale");
  if (facts.visit !== undefined && !(facts.visit === "new" && percent === 0)) {
    return decision(facts.visit, "visit");
  }
  return decision(bucket < percent ? "new" : "legacy", "bucket");
}

/** The percent that a bucket is held against: the cohort's own, else the cutover's. In thousandths. */
export function percentFor(state: CutoverState, cohort: Cohort | undefined): number {
  if (cohort === undefined || cohort.side !== undefined) return state.percentThousandths;
  return cohortPercent(state.cohorts, cohort.name) ?? cohort.startThousandths;
}

/** At 100 percent nobody is left behind it. */
const lastBucket = 99_999;

/** Whether a hard rollback has taken the pin's journey away. */
export function isVoid(pin: Pin, pinEpoch: number): boolean {
  return pin.side === "new" && pin.epoch < pinEpoch;
}

/** Every decision there can be, made once: deciding allocates nothing. */
const made: readonly Decision[] = sides.flatMap((side) => reasons.map((reason) => ({ side, reason })));

function decision(side: Side, reason: Reason): Decision {
  const index = sides.indexOf(side) * reasons.length + reasons.indexOf(reason);
  return made[index] ?? { side, reason };
}

/**
 * Which side serves a request, and why. PURE. The first line that applies decides:
 *
 *   1. owner        a key of the request has an owner                     → the owner; never overridden
 *   2. closed       legacy is closed                                      → new
 *   3. journey      a valid pin                                           → its side; void when the side is new
 *                   and the pin's epoch is older than the cutover's (hard rollback)
 *   4. rolled_back  the state is rolled_back, or that of the cutover that → legacy
 *                   it goes after
 *   5. exposure     more than its cap is unpaid on new, and a journey or  → legacy
 *                   a visit would begin
 *   6. forced       an authorised override header; before 4 where that is configured → as it says
 *   7. cohort       the request is of a cohort that has a side            → its side; not new while stale (below)
 *   8. anonymous    no shopper identity                                   → legacy; new at 100 percent, where
 *                   that is configured and the store not out of reach too long
 *      stale        the store out of reach too long and onStale: legacy   → legacy
 *   9. visit        a visit under way; at percent 0 none is on new        → its side
 *  10. bucket       bucket < percent × 1000                               → new, else legacy
 *      after        7 to 10 say new, and the cutover that it goes after  → legacy
 *                   has the same request on legacy
 *
 * The percent of 8 to 10 is that of the request's cohort, where it has one of its own, else the cutover's; and never above
 * that of the cutover it goes after, which is 100 once that is closed, and 100 or 0 for a cohort of its that has a side.
 *
 * `fallback` is the one reason not given here: it is found only when the new side cannot be connected to.
 */
import { type CutoverState, type Side, sides } from "../state/rules/model.ts";
import { cohortPercent, maxThousandths } from "../state/rules/percent.ts";

export const reasons = [
  "owner",
  "closed",
  "journey",
  "rolled_back",
  "exposure",
  "forced",
  "cohort",
  "anonymous",
  "stale",
  "visit",
  "bucket",
  "after",
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
  /** Whether the unpaid amount on new is over its cap, and the request may begin a journey or a visit. */
  readonly exposed?: boolean;
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
  /** The cutover that this one goes after; absent: after none. */
  readonly after?: Ahead | undefined;
}

/** A cutover that others go after: its state in the same snapshot, and what the same request tells of it. */
export interface Ahead {
  readonly name: string;
  readonly state: CutoverState;
  /** With neither owner nor override: these are about a request of its own. */
  readonly facts: Facts;
}

export function decide(state: CutoverState, facts: Facts): Decision {
  const { owner, journey, forced } = facts;
  if (owner !== undefined) return decision(owner, "owner");
  if (state.state === "closed") return decision("new", "closed");
  if (journey !== undefined && !isVoid(journey, state.pinEpoch)) return decision(journey.side, "journey");
  if (forced !== undefined && facts.forcedWhileRolledBack === true) return decision(forced, "forced");
  if (rolledBackBy(state, facts.after) !== undefined) return decision("legacy", "rolled_back");
  if (facts.exposed === true) return decision("legacy", "exposure");
  if (forced !== undefined) return decision(forced, "forced");
  const begun = beginning(state, facts);
  const isHeld = begun.side === "new" && facts.after !== undefined && isOnLegacy(facts.after);
  return isHeld ? decision("legacy", "after") : begun;
}

/** Where that goes which neither an owner nor a journey nor the state says. */
function beginning(state: CutoverState, facts: Facts): Decision {
  const { cohort, bucket } = facts;
  if (cohort?.side !== undefined && !(facts.stale && cohort.side === "new")) {
    return decision(cohort.side, "cohort");
  }
  const percent = percentFor(state, facts);
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

function isOnLegacy({ state, facts }: Ahead): boolean {
  return decide(state, facts).side === "legacy";
}

/**
 * @returns the cutover that is rolled back and takes this one with it, the nearest of those that it goes after: "own", its
 *   name, or `undefined` where none is; what goes after a closed one is held by nothing
 */
export function rolledBackBy(state: CutoverState, after: Ahead | undefined): "own" | Ahead | undefined {
  if (state.state === "rolled_back") return "own";
  for (let ahead = after; ahead !== undefined; ahead = ahead.facts.after) {
    if (ahead.state.state === "closed") return undefined;
    if (ahead.state.state === "rolled_back") return ahead;
  }
  return undefined;
}

/** The percent that a bucket is held against. In thousandths. */
export function percentFor(state: CutoverState, { cohort, after }: Pick<Facts, "cohort" | "after">): number {
  const own = ownPercentFor(state, cohort);
  return after === undefined ? own : Math.min(own, percentAhead(after));
}

/** The cohort's own, else the cutover's. In thousandths. */
export function ownPercentFor(state: CutoverState, cohort: Cohort | undefined): number {
  if (cohort === undefined || cohort.side !== undefined) return state.percentThousandths;
  return cohortPercent(state.cohorts, cohort.name) ?? cohort.startThousandths;
}

/** How far a cutover lets those go that go after it. In thousandths. */
function percentAhead({ state, facts }: Ahead): number {
  if (state.state === "closed") return maxThousandths;
  if (state.state === "rolled_back" || facts.cohort?.side === "legacy") return 0;
  const own = facts.cohort?.side === "new" ? maxThousandths : ownPercentFor(state, facts.cohort);
  return facts.after === undefined ? own : Math.min(own, percentAhead(facts.after));
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

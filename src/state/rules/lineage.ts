/**
 * Whether what stands in the store came after what the caller has followed. PURE.
 *
 * Redis replicates after it has answered: a replica that takes over may lack changes that were accepted and applied,
 * and others may have been made in their place. An instance that has followed a lost change finds that out by
 *
 *   older     a version below its own
 *   other     its own version with another content, now or in the audit
 *   replaced  the audit's next version was made from another state than its own
 *   epoch     a later version with a lower pin epoch, which no change makes
 *
 * A store that knows nothing of the cutover has lost everything and contradicts nothing; it is given the state back.
 *
 * What is in force then is the safer of both (`lowered`, model.ts): the lower percent, the firmer latch and at least
 * held, the higher pin epoch. So nothing that was lowered goes up by itself, and a person confirms by resuming.
 */

import type { CutoverState, StateName } from "./model.ts";
import { sameCohorts } from "./percent.ts";
import { type Ceiling, cohortsIn, lowered, type Routing, sameRouting } from "./routing.ts";

export type RegressionKind = "older" | "other" | "replaced" | "epoch";

/** What the audit says of the caller's version, as far as it reaches back. */
export interface Lineage {
  /** How that version came out. */
  readonly own?: CutoverState | undefined;
  /** What the version after it was made from. */
  readonly next?: Parent | undefined;
}

interface Parent {
  readonly percentThousandths: number;
  readonly state: StateName;
  readonly updatedAt: string;
}

/** Whether the two are the same in every field. */
export function sameState(one: CutoverState, other: CutoverState): boolean {
  return one.maintenance === other.maintenance && sameChange(one, other);
}

/** Whether one change made both: releases before kept no maintenance, and wrote none into the audit. */
function sameChange(one: CutoverState, other: CutoverState): boolean {
  return (
    one.percentThousandths === other.percentThousandths &&
    one.state === other.state &&
    one.pinEpoch === other.pinEpoch &&
    sameCohorts(one.cohorts, other.cohorts) &&
    one.version === other.version &&
    one.updatedAt === other.updatedAt &&
    one.updatedBy === other.updatedBy &&
    one.reason === other.reason
  );
}

/** @returns `undefined` when nothing speaks against the stored state having come after the followed one */
export function regressionOf(
  followed: CutoverState,
  stored: CutoverState,
  { own, next }: Lineage,
): RegressionKind | undefined {
  if (stored.version < followed.version) return "older";
  if (stored.version === followed.version) return sameChange(followed, stored) ? undefined : "other";
  if (stored.pinEpoch < followed.pinEpoch) return "epoch";
  // Of the cohorts older programs say nothing in the audit, and leave them as they are.
  if (own !== undefined) {
    return sameChange(followed, { cohorts: followed.cohorts, ...own }) ? undefined : "other";
  }
  return next !== undefined && !isFrom(next, followed) ? "replaced" : undefined;
}

/**
 * What must not be exceeded because each of these was in force. What is closed limits nothing: legacy is gone.
 *
 * @returns `undefined` when all are closed
 */
export function ceilingOf(states: readonly CutoverState[]): Ceiling | undefined {
  return states
    .flatMap((state): readonly Ceiling[] => (state.state === "closed" ? [] : [asCeiling(state)]))
    .reduce<Ceiling | undefined>(
      (one, other) => (one === undefined ? other : asCeiling(lowered(one, other))),
      undefined,
    );
}

function asCeiling({ percentThousandths, cohorts, state, pinEpoch }: Routing): Ceiling {
  return {
    percentThousandths,
    ...cohortsIn(cohorts),
    state: state === "rolled_back" ? "rolled_back" : "held",
    pinEpoch,
  };
}

function isFrom(parent: Parent, { percentThousandths, state, pinEpoch, updatedAt }: CutoverState): boolean {
  return (
    parent.updatedAt === updatedAt &&
    sameRouting({ ...parent, pinEpoch }, { percentThousandths, state, pinEpoch })
  );
}

/** For the history: what was lost, and what stood in its place. */
export function regressionReason(kind: RegressionKind, lost: CutoverState, other: CutoverState): string {
  const what = {
    older: `the store went back from version ${lost.version} to ${other.version}`,
    other: `the store holds another version ${lost.version} than was in force`,
    replaced: `the store went on from another version ${lost.version} than was in force`,
    epoch: `the store went back from pin epoch ${lost.pinEpoch} to ${other.pinEpoch}`,
  }[kind];
  return `${what}: the safer of both stays in force until someone resumes`;
}

/** A judgement with all that it rests on, as the fleet is told of it. */

import type { Payments } from "../evidence/cohorts.ts";
import type { SideTally } from "../evidence/difference.ts";
import type { TestFinding } from "../evidence/evidence.ts";
import type { ShareFinding } from "../evidence/share-check.ts";
import type { MetricFinding } from "../verdict/metrics.ts";
import type { Judgement } from "../verdict/verdict.ts";
import type { Exhibits } from "./inquiry.ts";

interface PaidJourneys {
  readonly begun: number;
  readonly paid: number;
  /** Payments per 100 journeys; null where none has begun. */
  readonly of100: number | null;
}

export interface FleetJudgement extends Judgement {
  /** RFC 3339. */
  readonly at: string;
  /** By test. */
  readonly tests: Readonly<Record<string, TestFinding>>;
  /** Shoppers of this step. */
  readonly sides: { readonly legacy: SideTally; readonly new: SideTally };
  /** Of the failures' shares, new's less legacy's: −1 to 1, and the interval that holds at every look. */
  readonly difference: { readonly estimate: number; readonly least: number; readonly most: number };
  /** What the owner's own metrics say. */
  readonly metrics: readonly MetricFinding[];
  /** Journeys of this step; absent where no payments are followed. */
  readonly payments?: {
    readonly legacy: PaidJourneys;
    readonly new: PaidJourneys;
    /** As many of legacy's of the same minutes as would make so many of new's. */
    readonly wouldBePaid: number;
  };
  /** Of new shoppers, how many came to new and how many should; absent before somebody has come. */
  readonly share?: ShareFinding;
  /** Names of instances without counts. */
  readonly silent: readonly string[];
  /** Names of instances whose guard is configured otherwise than the one that judges. */
  readonly differing: readonly string[];
}

export function fleetJudgement(
  judgement: Judgement,
  { findings, sides, difference, payments, share }: Exhibits,
  rest: Pick<FleetJudgement, "at" | "metrics" | "silent" | "differing">,
): FleetJudgement {
  return {
    ...judgement,
    ...rest,
    tests: findings,
    sides: { legacy: sides.legacy, new: sides.onNew },
    difference,
    ...(payments === undefined ? {} : { payments: told(payments) }),
    ...(share === undefined ? {} : { share }),
  };
}

function told(payments: Payments): NonNullable<FleetJudgement["payments"]> {
  const { begunOnLegacy, paidOnLegacy, begunOnNew, paidOnNew, wouldBePaid } = payments;
  return {
    legacy: paidJourneys(begunOnLegacy, paidOnLegacy),
    new: paidJourneys(begunOnNew, paidOnNew),
    wouldBePaid,
  };
}

function paidJourneys(begun: number, paid: number): PaidJourneys {
  return { begun, paid, of100: begun === 0 ? null : (100 * paid) / begun };
}

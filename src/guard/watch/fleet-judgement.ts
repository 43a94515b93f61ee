/** A judgement with all that it rests on, as the fleet is told of it. */

import type { SideTally } from "../evidence/difference.ts";
import type { TestFinding } from "../evidence/evidence.ts";
import type { MetricFinding } from "../verdict/metrics.ts";
import type { Judgement } from "../verdict/verdict.ts";
import type { Exhibits } from "./inquiry.ts";

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
  /** Names of instances without counts. */
  readonly silent: readonly string[];
  /** Names of instances whose guard is configured otherwise than the one that judges. */
  readonly differing: readonly string[];
}

export function fleetJudgement(
  judgement: Judgement,
  { findings, sides, difference }: Exhibits,
  rest: Pick<FleetJudgement, "at" | "metrics" | "silent" | "differing">,
): FleetJudgement {
  return {
    ...judgement,
    ...rest,
    tests: findings,
    sides: { legacy: sides.legacy, new: sides.onNew },
    difference,
  };
}

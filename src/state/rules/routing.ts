/** Where a cutover's requests go by its state, and the lower of two such. PURE. */
import { type CohortPercents, cohortPercent, lowerCohorts, sameCohorts, zeroCohorts } from "./percent.ts";
import { maintenancePart } from "./sides/maintenance.ts";

/** The fields of a state that decide where a request goes. */
export interface Routing {
  /** Share of shoppers whose new journeys start on the new side, in thousandths of a percent, 0–100000. */
  readonly percentThousandths: number;
  /** Of its cohorts that have a percent of their own, as far as a change has set them; absent: none. */
  readonly cohorts?: CohortPercents | undefined;
  readonly state: "open" | "held" | "rolled_back" | "closed";
  /** Journeys pinned to new under an older epoch are void (hard rollback). */
  readonly pinEpoch: number;
  /** Until when nothing is sent to which side, as of sides/maintenance.ts; absent: to none, there is nothing to say. */
  readonly maintenance?: string;
}

export function sameRouting(one: Routing, other: Routing): boolean {
  return (
    one.percentThousandths === other.percentThousandths &&
    one.state === other.state &&
    one.pinEpoch === other.pinEpoch &&
    one.maintenance === other.maintenance &&
    sameCohorts(one.cohorts, other.cohorts)
  );
}

/** Only where there are any: what has no cohorts says nothing of them. */
export function cohortsIn(cohorts: CohortPercents | undefined): Pick<Routing, "cohorts"> {
  return cohorts === undefined || Object.keys(cohorts).length === 0 ? {} : { cohorts };
}

/**
 * The lower of the two in each field: the smaller percent, the firmer latch (open, held, rolled_back), the higher pin
 * epoch. Order and repetition make no difference. What is closed is not lowered: legacy is gone.
 */
export function lowered(routing: Routing, ceiling: Ceiling): Routing {
  if (routing.state === "closed") return routing;
  const isRolledBack = routing.state === "rolled_back" || ceiling.state === "rolled_back";
  const cohorts = lowerCohorts(routing.cohorts ?? {}, ceiling.cohorts ?? {});
  return {
    percentThousandths: isRolledBack ? 0 : Math.min(routing.percentThousandths, ceiling.percentThousandths),
    ...cohortsIn(isRolledBack ? zeroCohorts(cohorts) : cohorts),
    state: isRolledBack ? "rolled_back" : "held",
    pinEpoch: Math.max(routing.pinEpoch, ceiling.pinEpoch),
    ...maintenancePart(routing.maintenance),
  };
}

/** What a cutover must not exceed: what a rollback or a hold left behind where it was made. */
export interface Ceiling {
  /** 0 when rolled back, and so are those of the cohorts. */
  readonly percentThousandths: number;
  readonly cohorts?: CohortPercents | undefined;
  readonly state: "held" | "rolled_back";
  readonly pinEpoch: number;
}

/** The cutover's own percent, or a cohort's, in thousandths. */
export function standingPercent(
  { percentThousandths, cohorts }: Pick<Routing, "percentThousandths" | "cohorts">,
  cohort: string | undefined,
): number {
  return cohort === undefined ? percentThousandths : (cohortPercent(cohorts, cohort) ?? 0);
}

/**
 * Four eyes: what one person may not change alone, and by which proposal of another person it is made. PURE.
 *
 * Where a limit is given, these need an open proposal of another person for just this change and this version:
 *
 *   a raise   by more points than the limit, together with those that the same person has raised alone lately; of the
 *             cutover and of each of its cohorts by themselves
 *   a close   always
 *
 * Smaller raises, and whatever lowers, need nobody else. What two people have made counts as neither's own; nor do the
 * steps of a plan, which somebody approved as a whole. A person who edits the store by hand meets no limit.
 */
import { type CohortPercents, cohortPercent } from "./percent.ts";
import { standingPercent } from "./routing.ts";

/** A change that waits for another person. */
export interface Proposal {
  readonly id: string;
  /** Without it, a raise. */
  readonly action?: "set" | "set_cohort" | "close" | "plan" | "schedule" | undefined;
  /** Whose percent it is, of `set_cohort`. */
  readonly cohort?: string | undefined;
  /** Of a close: although legacy has something under way. */
  readonly force?: boolean | undefined;
  /** Although a window or a freeze is against it. */
  readonly override?: boolean | undefined;
  /** Of the start of a plan: which. */
  readonly plan?: string | undefined;
  /** Of what is to be set at a time: when, RFC 3339. */
  readonly dueAt?: string | undefined;
  /** The percent after it; of a plan, after its last step. */
  readonly percentThousandths: number;
  /** The version of the state it was made on: on another it is worth nothing. */
  readonly version: number;
  readonly by: string;
  readonly reason: string;
  /** RFC 3339. */
  readonly at: string;
  /** RFC 3339; from then on it is gone. */
  readonly expiresAt: string;
}

/** What a change is held against. */
export interface FourEyes {
  /** How far one person may raise alone. */
  readonly overThousandths: number;
  /** How far this one has raised alone lately. */
  readonly raisedThousandths?: number;
  /** The open proposal that is being approved. */
  readonly proposal?: Proposal | undefined;
}

interface Judged {
  readonly change: {
    readonly action: string;
    readonly percentThousandths?: number;
    readonly cohort?: string | undefined;
  };
  readonly actor: { readonly name: string };
  readonly fourEyes?: FourEyes;
}

/** @returns the proposal a change is made by; `none`: it needs none and was given none that fits */
export function approvalOf(
  current: {
    readonly percentThousandths: number;
    readonly cohorts?: CohortPercents | undefined;
    readonly state: string;
    readonly version: number;
  },
  { change, actor, fourEyes }: Judged,
): Proposal | "required" | "none" {
  if (fourEyes === undefined) return "none";
  const isClose = change.action === "close" && current.state !== "closed";
  const { cohort } = change;
  const stands = standingPercent(current, isClose ? undefined : cohort);
  const to = isClose ? stands : (change.percentThousandths ?? 0);
  const points = change.action === "set" ? to - stands : 0;
  if (!isClose && points <= 0) return "none";
  const { overThousandths, raisedThousandths = 0, proposal } = fourEyes;
  const fits =
    proposal !== undefined &&
    proposal.by !== actor.name &&
    (proposal.action === "close") === isClose &&
    proposal.action !== "plan" &&
    proposal.action !== "schedule" &&
    proposal.cohort === cohort &&
    proposal.percentThousandths === to &&
    proposal.version === current.version;
  if (fits) return proposal;
  return isClose || points + raisedThousandths > overThousandths ? "required" : "none";
}

/** Of the history, what tells who has raised how far. */
interface Raise {
  /** RFC 3339. */
  readonly at: string;
  readonly by: string;
  readonly action: string;
  readonly via?: string | undefined;
  readonly from: Percents;
  readonly to: Percents;
}

interface Percents {
  readonly percentThousandths: number;
  readonly cohorts?: CohortPercents | undefined;
}

/**
 * How far somebody has raised the cutover alone since then, or one of its cohorts, lowering in between or not.
 *
 * @param since RFC 3339 to the millisecond in UTC, as the history has it: such times are in order as texts
 */
export function raisedThousandthsBy(
  name: string,
  history: readonly Raise[],
  since: string,
  cohort?: string,
): number {
  const percentIn = ({ percentThousandths, cohorts }: Percents) =>
    cohort === undefined ? percentThousandths : cohortPercent(cohorts, cohort);
  const points = ({ from, to }: Raise) => (percentIn(to) ?? 0) - (percentIn(from) ?? percentIn(to) ?? 0);
  return history
    .filter(({ by, action, via, at }) => {
      return by === name && action === "set" && via !== "plan" && at >= since;
    })
    .reduce((sum, raise) => sum + Math.max(0, points(raise)), 0);
}

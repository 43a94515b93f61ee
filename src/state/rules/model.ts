/**
 * The rule book of a cutover's state. PURE: no clock, no I/O.
 *
 *   open         raise, lower, hold, roll back, close (at 100 only)
 *   held         lower, roll back, resume (to open at the same percent)
 *   rolled_back  percent is 0 and latched; resume (to open at 0); a hard rollback may still follow a plain one
 *   closed       legacy is gone for good; nothing
 *
 * `maintain` sends nothing to a side until a moment (sides/maintenance.ts), in every state; it moves nobody.
 *
 * `reconciled` brings in what one instance was told while the store was out of reach (ceiling.ts): it only ever lowers,
 * in every state but closed.
 *
 * A cohort's percent is raised and lowered like the cutover's own, by the same table; a rollback takes all of them to 0,
 * and closing needs each at 100.
 *
 * A change that alters nothing is accepted as such in every state and makes no version. A hard rollback raises
 * the pin epoch and so always alters something.
 *
 * Where a limit is given, a close and a raise by more than it need four eyes (approval.ts), and are then of both people.
 *
 * Who may do what, and which state refuses what, is the one table `rules`, which the Redis scripts are handed. What
 * `transition` does beside it (completeness, approval, targets) apply.lua does, too, in the same order;
 * test/property/state/redis-rules.test.ts holds the two to each other.
 *
 * Order of refusal: role, version, state, approval.
 */
import { approvalOf, type FourEyes } from "./approval.ts";
import {
  type CohortPercents,
  cohortPercent,
  isThousandths,
  maxThousandths,
  withStarts,
  zeroCohorts,
} from "./percent.ts";
import { type Ceiling, cohortsIn, lowered, type Routing, sameRouting, standingPercent } from "./routing.ts";
import { maintenancePart, withMaintenance } from "./sides/maintenance.ts";
import { momentOf } from "./sides/moment.ts";

export const sides = ["legacy", "new"] as const;
export type Side = (typeof sides)[number];

export const stateNames = [
  "open",
  "held",
  "rolled_back",
  "closed",
] as const satisfies readonly Routing["state"][];
export type StateName = (typeof stateNames)[number];

/** Each role may do all that the ones before it may. */
export const roles = ["viewer", "responder", "operator", "admin"] as const;
export type Role = (typeof roles)[number];

/** What can be asked of a cutover; `set` is a raise, a lower or neither, depending on where it stands. */
export const changeActions = [
  "set",
  "rollback",
  "rollback_hard",
  "hold",
  "resume",
  "close",
  "maintain",
] as const;
type ChangeAction = (typeof changeActions)[number];

export interface CutoverState extends Routing {
  /** +1 per accepted change. */
  readonly version: number;
  /** RFC 3339; empty at version 0. */
  readonly updatedAt: string;
  readonly updatedBy: string;
  readonly reason: string;
}

export type Change =
  | {
      readonly action: "set";
      readonly percentThousandths: number;
      /** Whose percent it is; absent: the cutover's own. */
      readonly cohort?: string | undefined;
    }
  | { readonly action: Exclude<ChangeAction, "set" | "maintain"> }
  /** `until`: RFC 3339 in UTC with milliseconds; null ends it. */
  | { readonly action: "maintain"; readonly side: Side; readonly until: string | null }
  | { readonly action: "reconciled"; readonly ceiling: Ceiling };

export interface Actor {
  readonly name: string;
  readonly role: Role;
}

export const refusalCodes = [
  "forbidden",
  "version_conflict",
  "held",
  "rolled_back",
  "closed",
  "not_complete",
  "approval_required",
] as const;
export type RefusalCode = (typeof refusalCodes)[number];

/** A change as the rules see it. */
type Move = "raise" | "lower" | "keep" | Exclude<Change["action"], "set">;

interface Rules {
  readonly minimumRole: Readonly<Record<Move, Role>>;
  /** Who may withdraw a proposal, their own or another's. */
  readonly withdrawRole: Role;
  readonly refused: Readonly<Record<StateName, Readonly<Partial<Record<Move, RefusalCode>>>>>;
}

export const rules = {
  minimumRole: {
    keep: "responder",
    lower: "responder",
    hold: "responder",
    rollback: "responder",
    rollback_hard: "responder",
    reconciled: "responder",
    raise: "operator",
    maintain: "operator",
    resume: "operator",
    close: "admin",
  },
  withdrawRole: "responder",
  refused: {
    open: {},
    held: { raise: "held", close: "held" },
    rolled_back: { raise: "rolled_back", hold: "rolled_back", close: "rolled_back" },
    closed: {
      raise: "closed",
      lower: "closed",
      hold: "closed",
      rollback: "closed",
      rollback_hard: "closed",
      reconciled: "closed",
      resume: "closed",
    },
  },
} as const satisfies Rules;

const table: Rules = rules;

export function initialState(): CutoverState {
  return {
    percentThousandths: 0,
    state: "open",
    pinEpoch: 0,
    version: 0,
    updatedAt: "",
    updatedBy: "",
    reason: "",
  };
}

/** @throws RangeError when the percent is not an integer of thousandths, 0–100000, or the ceiling or the moment is none */
export function assertChange(change: Change): void {
  if (change.action === "set" && !isThousandths(change.percentThousandths)) {
    throw new RangeError(`not a percent in thousandths: ${change.percentThousandths}`);
  }
  if (change.action === "maintain" && change.until !== null && momentOf(change.until) !== change.until) {
    throw new RangeError("not a moment in UTC with milliseconds");
  }
  if (change.action !== "reconciled") return;
  const { percentThousandths, cohorts = {}, state, pinEpoch } = change.ceiling;
  const isRoundEpoch = Number.isSafeInteger(pinEpoch) && pinEpoch >= 0;
  const percents = [percentThousandths, ...Object.values(cohorts)];
  if (
    !percents.every(isThousandths) ||
    !isRoundEpoch ||
    (state === "rolled_back" && percents.some((percent) => percent > 0))
  ) {
    throw new RangeError("not a ceiling that a rollback or a hold can have left behind");
  }
}

/** Whether the role is the other or above it. */
export function isAtLeast(role: Role, minimum: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(minimum);
}

function moveOf(current: CutoverState, change: Change): Move {
  if (change.action !== "set") return change.action;
  const stands = standingPercent(current, change.cohort);
  if (change.percentThousandths === stands) return "keep";
  return change.percentThousandths > stands ? "raise" : "lower";
}

export interface Request {
  readonly change: Change;
  readonly actor: Actor;
  readonly reason: string;
  /** Refuse with `version_conflict` unless the state has this version. */
  readonly ifVersion?: number;
  readonly fourEyes?: FourEyes;
  /** Where the cohorts begin that the state does not know yet, by the configuration; absent: it has none. */
  readonly starts?: CohortPercents | undefined;
  /** RFC 3339, the time of the change. */
  readonly at: string;
}

type Transition =
  | { readonly accepted: true; readonly changed: boolean; readonly next: CutoverState }
  | { readonly accepted: false; readonly code: RefusalCode };

export type Applied =
  | { readonly accepted: true; readonly changed: boolean; readonly state: CutoverState }
  | { readonly accepted: false; readonly code: RefusalCode; readonly state: CutoverState };

/**
 * What the request makes of the state, by the rules in the head of this file.
 *
 * @throws RangeError when the percent is none: the caller has let through what it had to refuse
 */
export function transition(stored: CutoverState, request: Request): Transition {
  const { change, actor, starts } = request;
  assertChange(change);
  const current = withStarts(stored, starts);
  const move = moveOf(current, change);
  if (!isAtLeast(actor.role, table.minimumRole[move])) return refused("forbidden");
  if (request.ifVersion !== undefined && request.ifVersion !== current.version) {
    return refused("version_conflict");
  }
  const refusal = table.refused[current.state][move];
  if (refusal !== undefined) return refused(refusal);
  if (move === "close" && current.state === "open" && !isComplete(current, starts)) {
    return refused("not_complete");
  }
  const approval = approvalOf(current, request);
  if (approval === "required") return refused("approval_required");

  const target = targetOf(current, change);
  if (sameRouting(current, target)) return { accepted: true, changed: false, next: stored };
  const next: CutoverState = {
    ...target,
    version: current.version + 1,
    updatedAt: request.at,
    updatedBy: approval === "none" ? actor.name : `${approval.by}, approved by ${actor.name}`,
    reason: request.reason,
  };
  return { accepted: true, changed: true, next };
}

/** Whether nobody begins on legacy any more, in no cohort of the configuration either. */
function isComplete({ percentThousandths, cohorts }: CutoverState, starts: CohortPercents = {}): boolean {
  const names = Object.keys(starts);
  const percents = [percentThousandths, ...names.map((name) => cohortPercent(cohorts, name))];
  return percents.every((percent) => percent === maxThousandths);
}

function targetOf(current: CutoverState, change: Change): Routing {
  const { percentThousandths, cohorts, state, pinEpoch } = current;
  const maintained = maintenancePart(current.maintenance);
  const stands: Routing = { percentThousandths, ...cohortsIn(cohorts), state, pinEpoch, ...maintained };
  switch (change.action) {
    case "set":
      return change.cohort === undefined
        ? { ...stands, percentThousandths: change.percentThousandths }
        : { ...stands, cohorts: { ...cohorts, [change.cohort]: change.percentThousandths } };
    case "rollback":
    case "rollback_hard":
      return {
        percentThousandths: 0,
        ...cohortsIn(zeroCohorts(cohorts ?? {})),
        state: "rolled_back",
        pinEpoch: change.action === "rollback" ? pinEpoch : pinEpoch + 1,
        ...maintained,
      };
    case "hold":
      return { ...stands, state: "held" };
    case "resume":
      return { ...stands, state: "open" };
    case "close":
      return { ...stands, state: "closed" };
    case "maintain": {
      const text = withMaintenance(current.maintenance, change.side, change.until ?? undefined);
      return { percentThousandths, ...cohortsIn(cohorts), state, pinEpoch, ...maintenancePart(text) };
    }
    case "reconciled":
      return lowered(stands, change.ceiling);
  }
}

function refused(code: RefusalCode): Transition {
  return { accepted: false, code };
}

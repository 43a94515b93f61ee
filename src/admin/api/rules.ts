/**
 * What those who use the API need of the rule book itself: the limits of what it takes, percents as people type and read
 * them, who may do what, and what a change would do. PURE, with no schema to load.
 */
import { raisedThousandthsBy } from "../../state/rules/approval.ts";
import { byHand } from "../../state/rules/history.ts";
import {
  type Change,
  type CutoverState,
  type RefusalCode,
  type Role,
  roles,
  type Side,
  sides,
  transition,
} from "../../state/rules/model.ts";
import type { OrderCode } from "../../state/rules/order/after.ts";
import {
  formatPercent,
  maxThousandths,
  parsePercent,
  percentFromNumber,
  percentToNumber,
} from "../../state/rules/percent.ts";
import { cohortsIn, standingPercent } from "../../state/rules/routing.ts";
import { maintenancePart, withMaintenance } from "../../state/rules/sides/maintenance.ts";

/** Characters. */
export const longestReason = 500;
export const longestWaitMs = 60_000;
/** The largest `limit` of a history call, and what it is without one. */
export const historyLimits = { most: 1000, default: 50 } as const;

/** What a token may be for, the least first. */
export const tokenRoles: readonly Role[] = roles;

/** `by ana`; what an engineer wrote into the store has nobody's name. */
export function byWhom(name: string): string {
  return isByHand(name) ? name : `by ${name}`;
}

export function isByHand(name: string): boolean {
  return name === byHand;
}

/** Reads a percent in decimal. @returns 0–100; `undefined` when it is none with at most 3 decimals */
export function percentOf(text: string): number | undefined {
  const thousandths = parsePercent(text);
  return thousandths === undefined ? undefined : percentToNumber(thousandths);
}

/** 12.5 → `12.5`, exact to three decimals. */
export function percentText(percent: number): string {
  return formatPercent(thousandthsOf(percent));
}

/** The other side's, exact to three decimals: 12.5 → 87.5. */
export function restOf(percent: number): number {
  return percentToNumber(maxThousandths - thousandthsOf(percent));
}

function thousandthsOf(percent: number): number {
  return Math.round(percent * 1000);
}

/** A change as the calls of the API name it. */
interface Intent {
  readonly call: "percent" | "rollback" | "hold" | "resume" | "close" | "maintenance";
  readonly side?: Side | undefined;
  readonly until?: string | null | undefined;
  /** Whose percent it is; absent: the cutover's own. */
  readonly cohort?: string | undefined;
  readonly percent?: number | undefined;
  readonly hard?: boolean | undefined;
  readonly force?: boolean | undefined;
  /** Although a window or a freeze is against it. */
  readonly override?: boolean | undefined;
  readonly ifVersion?: number | undefined;
}

/** How a cutover stands, as the API shows it. */
type Standing = Omit<CutoverState, "percentThousandths" | "cohorts" | "maintenance"> & {
  readonly percent: number;
  readonly cohorts?: readonly CohortStanding[] | undefined;
  /** What it goes after, and how far that lets it go. */
  readonly after?: { readonly state: CutoverState["state"]; readonly percent: number } | undefined;
  readonly maintenance?: Readonly<Record<Side, string | null>> | undefined;
  readonly approval?: { readonly over: number } | undefined;
  readonly journeys?: OnLegacy | undefined;
  readonly unfinished?: OnLegacy | undefined;
  /** What is against a raise now. */
  readonly freeze?: object | undefined;
  readonly window?: object | undefined;
};

interface CohortStanding {
  readonly name: string;
  readonly side?: Side | null;
  readonly percent: number | null;
  /** How far what the cutover goes after lets it go. */
  readonly limit?: number | undefined;
}

type OnLegacy = { readonly legacy: { readonly open: number } } | null;

/** What a raise by hand is refused for by a window or a freeze. */
export const againstCodes = ["in_window", "frozen"] as const;
export type AgainstCode = (typeof againstCodes)[number];

/** What is refused beside the rules of its own state. */
type Beside = OrderCode | AgainstCode | "under_way" | "cohort_on_legacy";

/** `proposed`: it would wait for another person, and become this once they approve it. */
type Foreseen =
  | { readonly kind: "refused"; readonly code: RefusalCode | Beside }
  | {
      readonly kind: "accepted" | "proposed";
      readonly changed: boolean;
      /** The percent is that of what was to be set. */
      readonly to: Pick<Standing, "percent" | "state" | "version">;
    };

/** A change of the history, as the API shows it. */
interface Entry {
  readonly at: string;
  readonly by: string;
  readonly action: string;
  readonly via: string | null;
  readonly from: Percents;
  readonly to: Percents;
}

interface Percents {
  readonly percent: number;
  readonly cohorts?: Readonly<Record<string, number>> | undefined;
}

/** @param since RFC 3339 to the millisecond in UTC @returns by how many points somebody has raised alone since then */
export function pointsRaisedBy(
  name: string,
  history: readonly Entry[],
  since: string,
  cohort?: string,
): number {
  const entries = history.map(({ from, to, via, ...entry }) => ({
    ...entry,
    via: via ?? undefined,
    from: inThousandths(from),
    to: inThousandths(to),
  }));
  return percentToNumber(raisedThousandthsBy(name, entries, since, cohort));
}

function inThousandths({ percent, cohorts = {} }: Percents) {
  const each = Object.entries(cohorts).map(([name, own]) => [name, thousandthsOf(own)] as const);
  return { percentThousandths: thousandthsOf(percent), cohorts: Object.fromEntries(each) };
}

/** The percent of a cohort, or without one the cutover's own. */
export function percentIn(
  { percent, cohorts = [] }: Pick<Standing, "percent" | "cohorts">,
  cohort?: string,
): number {
  if (cohort === undefined) return percent;
  return cohorts.find(({ name }) => name === cohort)?.percent ?? 0;
}

/**
 * @param raisedPoints what they that ask have raised alone lately
 * @returns what the change would do by the rule book; `undefined` when its percent is none
 */
export function foresee(view: Standing, intent: Intent, role: Role, raisedPoints = 0): Foreseen | undefined {
  const change = changeOf(intent);
  if (change === undefined) return undefined;
  const { ifVersion } = intent;
  const request = {
    change,
    actor: { name: "dry run", role },
    reason: "",
    at: "",
    // Closing needs each of them at 100.
    starts: stateOf(view).cohorts,
    ...(ifVersion === undefined ? {} : { ifVersion }),
  };
  // What overrides a window or a freeze is of two people, however little it is.
  const isOverriding = intent.override === true && (view.freeze ?? view.window) !== undefined;
  const overThousandths = view.approval && (isOverriding ? 0 : percentFromNumber(view.approval.over));
  const raisedThousandths = thousandthsOf(raisedPoints);
  const fourEyes = overThousandths === undefined ? {} : { fourEyes: { overThousandths, raisedThousandths } };
  const alone = transition(stateOf(view), { ...request, ...fourEyes });
  const isProposed = !alone.accepted && alone.code === "approval_required";
  const verdict = isProposed ? transition(stateOf(view), request) : alone;
  if (!verdict.accepted) return { kind: "refused", code: verdict.code };
  const refusal = verdict.changed ? refusalBeside(view, intent) : undefined;
  if (refusal !== undefined) return { kind: "refused", code: refusal };
  const { state, version } = verdict.next;
  const percent = percentToNumber(standingPercent(verdict.next, intent.cohort));
  return {
    kind: isProposed ? "proposed" : "accepted",
    changed: verdict.changed,
    to: { percent, state, version },
  };
}

function refusalBeside(
  view: Standing,
  { call, cohort, percent, force, override }: Intent,
): Beside | undefined {
  const { after, cohorts = [], freeze, window } = view;
  const frozen = freeze === undefined || override === true ? undefined : "frozen";
  if (call === "percent" && percent !== undefined && percent > percentIn(view, cohort)) {
    const own = cohorts.find(({ name }) => name === cohort);
    const limit = own?.limit ?? after?.percent;
    if (limit !== undefined && percent > limit) return "without_effect";
    return frozen ?? (window === undefined || override === true ? undefined : "in_window");
  }
  if (call !== "close") return undefined;
  if (after !== undefined && after.state !== "closed") return "out_of_order";
  if (force !== true && cohorts.some(({ side }) => side === "legacy")) return "cohort_on_legacy";
  return force !== true && isUnderWayOnLegacy(view) ? "under_way" : frozen;
}

function isUnderWayOnLegacy({ journeys, unfinished }: Standing): boolean {
  return [journeys, unfinished].some((of) => of !== undefined && of !== null && of.legacy.open > 0);
}

function changeOf({ call, cohort, percent, hard, side, until }: Intent): Change | undefined {
  if (call === "maintenance") {
    return side === undefined ? undefined : { action: "maintain", side, until: until ?? null };
  }
  if (call === "percent") {
    const percentThousandths = percent === undefined ? undefined : percentFromNumber(percent);
    return percentThousandths === undefined ? undefined : { action: "set", percentThousandths, cohort };
  }
  if (call === "rollback" && hard === true) return { action: "rollback_hard" };
  return { action: call };
}

function stateOf(view: Standing): CutoverState {
  const { percent, cohorts = [], state, version, pinEpoch, updatedAt, updatedBy, reason } = view;
  const percentThousandths = percentFromNumber(percent) ?? 0;
  const each = cohorts.flatMap(({ name, percent: own }) => {
    return own === null ? [] : [[name, thousandthsOf(own)] as const];
  });
  const maintenance = sides.reduce(
    (text, side) => withMaintenance(text, side, view.maintenance?.[side] ?? undefined),
    "",
  );
  return {
    percentThousandths,
    state,
    version,
    pinEpoch,
    updatedAt,
    updatedBy,
    reason,
    ...cohortsIn(Object.fromEntries(each)),
    ...maintenancePart(maintenance),
  };
}

/** Whether a warning is of the instance or the fleet, and so the same for every cutover: said once. */
export function isOfAll(code: string): boolean {
  return wide.has(code);
}

const wide: ReadonlySet<string> = new Set([
  "store_unreachable",
  "store_refuses",
  "config_differs",
  "reload_refused",
  "draining",
  "frozen",
]);

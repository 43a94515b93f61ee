/**
 * Cutovers that go one after another, as people see and change them; what a request is decided by is in decide/. PURE.
 *
 * A change is of one cutover, and so is the script that makes it: none spans two keys. So what the others say is asked of a
 * snapshot before it, and of each request after it: nothing here keeps an order that decide/ does not keep by itself.
 *
 *   without_effect   a raise above how far the one before it lets it go
 *   out_of_order     a close while the one before it is open: its rollback would have nowhere to take this one
 */
import type { CutoverState, Side } from "../model.ts";
import { maxThousandths } from "../percent.ts";
import { standingPercent } from "../routing.ts";

export const orderCodes = ["without_effect", "out_of_order"] as const;
export type OrderCode = (typeof orderCodes)[number];

/** A cutover that others go after: where it stands, and its cohorts that have a side by the configuration. */
export interface Leader {
  readonly name: string;
  readonly state: CutoverState;
  readonly sides: Readonly<Record<string, Side>>;
}

/** How far the leaders let a cutover go, and which of them it is that lets it go no further. */
export interface Limit {
  /** 100000 where none holds it. */
  readonly thousandths: number;
  /** Absent: none holds it. */
  readonly by: string | undefined;
}

/**
 * @param leaders the nearest first
 * @param cohort whose percent is asked about: the leaders' cohort of that name counts, where they have one
 */
export function limitOf(leaders: readonly Leader[], cohort?: string): Limit {
  let limit: Limit = { thousandths: maxThousandths, by: undefined };
  for (const leader of leaders) {
    if (leader.state.state === "closed") break;
    const thousandths = letsGo(leader, cohort);
    if (thousandths < limit.thousandths) limit = { thousandths, by: leader.name };
  }
  return limit;
}

function letsGo({ state, sides }: Leader, cohort: string | undefined): number {
  if (state.state === "rolled_back") return 0;
  if (cohort === undefined) return state.percentThousandths;
  if (Object.hasOwn(sides, cohort)) return sides[cohort] === "new" ? maxThousandths : 0;
  return Object.hasOwn(state.cohorts ?? {}, cohort)
    ? standingPercent(state, cohort)
    : state.percentThousandths;
}

/** What of a cutover's percent is in effect: the lesser of its own and the limit; all of it once it is closed. */
export function effectivePercent(
  { state, ...standing }: Pick<CutoverState, "state" | "percentThousandths" | "cohorts">,
  limit: Limit,
  cohort?: string,
): number {
  const own = standingPercent(standing, cohort);
  return state === "closed" ? own : Math.min(own, limit.thousandths);
}

/** @returns why the change is refused, were it not by the rules of its own cutover, and for whose sake */
export function orderRefusal(
  state: CutoverState,
  leaders: readonly Leader[],
  change: {
    readonly action: string;
    readonly percentThousandths?: number;
    readonly cohort?: string | undefined;
  },
): { readonly code: OrderCode; readonly by: string; readonly limitThousandths: number } | undefined {
  const [nearest] = leaders;
  if (nearest === undefined) return undefined;
  const { percentThousandths: to, cohort } = change;
  const { thousandths: limitThousandths, by } = limitOf(leaders, cohort);
  if (change.action === "close" && nearest.state.state !== "closed") {
    return { code: "out_of_order", by: nearest.name, limitThousandths };
  }
  if (change.action !== "set" || to === undefined || by === undefined) return undefined;
  const isVain = to > standingPercent(state, cohort) && to > limitThousandths;
  return isVain ? { code: "without_effect", by, limitThousandths } : undefined;
}

/** Cutovers that go one after another, by the configuration and the snapshot of this instance: how far each is let go. */
import { leadersOf } from "../config/schema.ts";
import type { Change, CutoverState } from "../state/rules/model.ts";
import {
  effectivePercent,
  type Leader,
  type Limit,
  limitOf,
  type OrderCode,
  orderRefusal,
} from "../state/rules/order/after.ts";
import { percentToNumber } from "../state/rules/percent.ts";
import { standingPercent } from "../state/rules/routing.ts";
import type { CutoverView } from "./api/cutover-view.ts";
import type { Warning } from "./api/write.ts";
import type { AdminContext } from "./context.ts";
import { currentOf, Refused } from "./problem.ts";

type Cutovers = AdminContext["cutovers"];
type StateOf = (name: string) => CutoverState;

export function leadersIn(cutovers: Cutovers, stateOf: StateOf, name: string): Leader[] {
  return leadersOf(cutovers, name).map((each) => {
    const sides = (cutovers[each]?.cohorts ?? []).flatMap(({ name: cohort, side }) => {
      return side === undefined ? [] : [[cohort, side] as const];
    });
    return { name: each, state: stateOf(each), sides: Object.fromEntries(sides) };
  });
}

/** @returns what a hard rollback leaves under way in the cutovers that go after it, a sentence */
export function leftByHardRollback(cutovers: Cutovers, name: string): Warning[] {
  const followers = Object.keys(cutovers).filter((each) => leadersOf(cutovers, each).includes(name));
  if (followers.length === 0) return [];
  const [goes, its] = followers.length === 1 ? ["goes", "its"] : ["go", "their"];
  const text = `${followers.join(", ")} ${goes} after it: what begins there goes to legacy, too; ${its} journeys under way on new go on until rolled back hard as well`;
  return [{ code: "followers_go_on", text }];
}

/** What is shown of a cutover that goes after others; nothing of one that does not. */
export function orderView(
  state: CutoverState,
  leaders: readonly Leader[],
): Pick<CutoverView, "after" | "effectivePercent"> {
  const [nearest] = leaders;
  if (nearest === undefined) return {};
  const limit = limitOf(leaders);
  const after = {
    name: nearest.name,
    state: nearest.state.state,
    percent: percentToNumber(limit.thousandths),
    heldBy: limit.by ?? null,
  };
  return { after, ...inEffect(state, limit) };
}

/** The same of a cohort that has a percent of its own. */
export function cohortOrderView(
  state: CutoverState,
  leaders: readonly Leader[],
  cohort: string,
): Pick<NonNullable<CutoverView["cohorts"]>[number], "limit" | "effectivePercent"> {
  if (leaders.length === 0) return {};
  const limit = limitOf(leaders, cohort);
  return { limit: percentToNumber(limit.thousandths), ...inEffect(state, limit, cohort) };
}

function inEffect(state: CutoverState, limit: Limit, cohort?: string) {
  const effective = effectivePercent(state, limit, cohort);
  return effective === standingPercent(state, cohort) ? {} : { effectivePercent: percentToNumber(effective) };
}

/** @returns the refusal of a change that would be in vain or too early, for the sake of another cutover */
export function refusedByOrder(
  name: string,
  state: CutoverState,
  leaders: readonly Leader[],
  change: Change,
): { readonly code: OrderCode; readonly refused: Refused } | undefined {
  const refusal = orderRefusal(state, leaders, change);
  if (refusal === undefined) return undefined;
  const { code, by, limitThousandths } = refusal;
  const text =
    code === "out_of_order"
      ? `${name} goes after ${by}, which is not closed: close ${by} first`
      : `${name} goes after ${by}, which lets it go no further than ${percentToNumber(limitThousandths)}%: raise ${by} first`;
  return { code, refused: new Refused(code, text, { extras: { current: currentOf(state) } }) };
}

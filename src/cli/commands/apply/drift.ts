/**
 * What has to be done for things to stand as a target has them, in the order in which it is done: what lowers first, what may
 * be refused after what refuses it is lifted, and a freeze at the end. Nothing of it opens what a person has held or rolled
 * back. PURE.
 */
import type { CutoverView } from "../../../admin/api/cutover-view.ts";
import type { FreezeView } from "../../../admin/api/plan/freeze-view.ts";
import { share } from "../../screen/format.ts";
import type { ApplyTarget } from "./target.ts";

type Step =
  | {
      readonly kind: "percent";
      readonly name: string;
      readonly cohort?: string;
      readonly from: number;
      readonly to: number;
      readonly version: number;
    }
  | { readonly kind: "plan"; readonly name: string; readonly to: "start" | "pause"; readonly from: string }
  | { readonly kind: "freeze"; readonly until: string; readonly from: string | null }
  | { readonly kind: "unfreeze"; readonly from: string | null };

export type Drift = Step & {
  /** As configured in the target; absent: it has none. */
  readonly reason?: string;
  /** Where it is under way already, or waits for another person: it is not asked for again. */
  readonly pending?: "returning" | "proposed" | undefined;
};

type Unknown = { readonly name: string; readonly cohort?: string };

/** @returns what differs, and the names in the target that nobody knows */
export function driftOf(
  { reason, freeze, cutovers }: ApplyTarget,
  views: readonly CutoverView[],
  frozen: Pick<FreezeView, "frozen" | "until">,
  nowMs: number,
): { readonly drift: readonly Drift[]; readonly unknown: readonly Unknown[] } {
  const unknown: Unknown[] = [];
  const found = Object.entries(cutovers).flatMap(([name, wanted]): Drift[] => {
    const view = views.find((each) => each.name === name);
    if (view === undefined) {
      unknown.push({ name });
      return [];
    }
    const because = reasonPart(wanted.reason ?? reason);
    const percents = percentsOf(wanted, view, (cohort) => unknown.push({ name, cohort }));
    return [...percents, ...planOf(wanted.plan, view)].map((step) => ({ ...step, ...because }));
  });
  const all = [...found, ...freezeOf(freeze, frozen, nowMs, reason)];
  return { drift: all.sort((one, other) => rankOf(one) - rankOf(other)), unknown };
}

type Wanted = ApplyTarget["cutovers"][string];

function percentsOf(
  { percent, cohorts = {} }: Wanted,
  view: CutoverView,
  onUnknown: (cohort: string) => void,
): Drift[] {
  const { name, version, proposal, returning } = view;
  const step = (from: number, to: number, whose: { readonly cohort?: string }): Drift[] => {
    if (from === to) return [];
    const isReturning = returning?.parts.some((part) => part.cohort === whose.cohort && part.to === to);
    const isProposed =
      proposal?.action === "set" && proposal.cohort === whose.cohort && proposal.percent === to;
    const pending = isReturning === true ? "returning" : isProposed ? "proposed" : undefined;
    return [{ kind: "percent", name, ...whose, from, to, version, pending }];
  };
  const own = percent === undefined ? [] : step(view.percent, percent, {});
  const others = Object.entries(cohorts).flatMap(([cohort, to]) => {
    const from = view.cohorts?.find((each) => each.name === cohort)?.percent;
    if (typeof from === "number") return step(from, to, { cohort });
    onUnknown(cohort);
    return [];
  });
  return [...own, ...others];
}

function planOf(wanted: Wanted["plan"], { name, plan, proposal }: CutoverView): Drift[] {
  const status = plan?.status ?? "none";
  if (wanted === "paused") {
    return status === "running" ? [{ kind: "plan", name, to: "pause", from: status }] : [];
  }
  if (wanted === undefined || status === "running" || status === "done") return [];
  const pending = proposal?.action === "plan" ? "proposed" : undefined;
  return [{ kind: "plan", name, to: "start", from: status, pending }];
}

function freezeOf(
  wanted: ApplyTarget["freeze"],
  { until: stands }: Pick<FreezeView, "until">,
  nowMs: number,
  reason: string | undefined,
): Drift[] {
  if (wanted === undefined) return [];
  if (wanted === "none") {
    return stands === null ? [] : [{ kind: "unfreeze", from: stands, ...reasonPart(reason) }];
  }
  const untilMs = Date.parse(wanted.until);
  // A target is kept: what it has frozen ends by itself, and is not begun again.
  if (untilMs <= nowMs || (stands !== null && Date.parse(stands) === untilMs)) return [];
  const because = reasonPart(wanted.reason ?? reason);
  return [{ kind: "freeze", until: new Date(untilMs).toISOString(), from: stands, ...because }];
}

function reasonPart(reason: string | undefined): { readonly reason?: string } {
  return reason === undefined ? {} : { reason };
}

function rankOf(step: Drift): number {
  if (step.kind === "percent") return step.to < step.from ? 0 : 3;
  if (step.kind === "plan") return step.to === "pause" ? 1 : 4;
  return step.kind === "unfreeze" ? 2 : 5;
}

/** `checkout/jakarta: 10% → 25%`. */
export function driftLine(step: Drift): string {
  const pending = { returning: " (on its way)", proposed: " (waits for another person)" };
  const state = step.pending === undefined ? "" : pending[step.pending];
  switch (step.kind) {
    case "percent": {
      const label = step.cohort === undefined ? step.name : `${step.name}/${step.cohort}`;
      return `${label}: ${share(step.from)} → ${share(step.to)}${state}`;
    }
    case "plan":
      return `${step.name}: the plan is ${step.from} → ${step.to === "start" ? "running" : "paused"}${state}`;
    case "freeze":
      return `freeze: ${step.from === null ? "none" : `until ${step.from}`} → until ${step.until}`;
    case "unfreeze":
      return `freeze: until ${step.from ?? "?"} → none`;
  }
}

/**
 * What becomes of a plan, and what its next step waits for. PURE.
 *
 *   set by hand     to the very next step, through the API: that person has made it, with a reason; the plan goes on from
 *                   there. To anything else, or in the store: paused
 *   hold            waits; after the resume the step stands for its whole time again, and its evidence begins anew
 *   resume          of a hold: goes on. Of a rollback: stays paused
 *   rollback        paused, whoever rolled back
 *   reconciled      what one instance was told alone: as a rollback, or as a hold
 *   close           ended
 *   set at a time   as set by hand through the API
 *   window, freeze  waits; what has stood and was proven counts
 *   edit            of the configuration's plan: paused, until what stands there is approved
 *   takeover        goes on with the record: dwell and evidence as far as they were written down
 *   clock step      dwell is counted by clocks that never step; windows and the deadline go by the wall clock
 *
 * On doubt it pauses; no gate is skipped, and none is taken for passed because nothing is known.
 */
import type { CutoverState } from "../state/rules/model.ts";
import type { Limit } from "../state/rules/order/after.ts";
import { formatPercent } from "../state/rules/percent.ts";
import { type MadeStep, type PlanRecord, type PlanSpec, sameSpec, stepAbove } from "./plan.ts";
import type { Closed } from "./windows.ts";

/** What is proven of the step that stands, against what the plan asks. */
export type Proof =
  | { readonly kind: "not asked" }
  | { readonly kind: "passed"; readonly text: string }
  /** `leftMs`: by the pace so far; `wholeMs`: of the whole step by it; absent: it cannot be told. */
  | {
      readonly kind: "insufficient";
      readonly text: string;
      readonly leftMs?: number | undefined;
      readonly wholeMs?: number | undefined;
    };

/** Who brought the percent to where it stands, by the cutover's history. */
export interface Author {
  readonly action: string;
  readonly via?: string | undefined;
  readonly by: string;
  readonly reason: string;
  /** RFC 3339. */
  readonly at: string;
}

/** A change that came after what the plan has followed. */
interface Passed {
  readonly by: string;
  readonly from: { readonly percentThousandths: number };
  readonly to: { readonly percentThousandths: number; readonly state: string };
}

export interface Circumstances {
  readonly state: CutoverState;
  /** What came since the version that the plan has followed, by the cutover's history, newest first; absent: nothing. */
  readonly passed?: readonly Passed[] | undefined;
  /** Absent: the history does not say, or it was not asked. */
  readonly author?: Author | undefined;
  /** The plan of the configuration; absent: it has none any more. */
  readonly configured: PlanSpec | undefined;
  readonly evidence: Proof;
  /** The guard's verdict; `undefined`: it does not judge now. */
  readonly guard: string | "unguarded" | undefined;
  /** What a window has against a raise now. */
  readonly window: Closed | undefined;
  readonly freeze: Closed | undefined;
  /** How far the cutovers that it goes after let it go; absent where it goes after none. */
  readonly limit?: Limit | undefined;
  /** Whether everybody could go back to legacy; absent where it is not asked. */
  readonly legacy?: { readonly isReady: boolean; readonly text: string } | undefined;
}

/** What a step waits for, in the order in which it is told. */
export const gates = [
  "hold",
  "dwell",
  "evidence",
  "guard",
  "window",
  "freeze",
  "after",
  "legacy",
  "person",
] as const;

/** What stands between the plan and its next step. */
export interface Wait {
  readonly gate: (typeof gates)[number];
  readonly text: string;
  /** Where it is known, ms from now on. */
  readonly leftMs?: number | undefined;
}

export type Next =
  /** The record is to be written first: it has become another one. */
  | { readonly kind: "became"; readonly record: PlanRecord; readonly said: string }
  | { readonly kind: "raise"; readonly toThousandths: number; readonly because: string }
  | { readonly kind: "wait"; readonly waiting: readonly Wait[] }
  /** Nothing is to be done before somebody starts it. */
  | { readonly kind: "rest" };

/** Ways by which a person who has signed in makes a change, or has asked for it. */
const signedIn: ReadonlySet<string | undefined> = new Set(["console", "api", "cli", "schedule"]);

/** @param nowMs since the epoch, for windows and freezes */
export function nextOf(record: PlanRecord, situation: Circumstances, nowMs: number): Next {
  if (record.status !== "running") return { kind: "rest" };
  const became = becameOf(record, situation);
  if (became !== undefined) return became;
  const waiting = waitingOf(record, situation, nowMs);
  const to = stepAbove(record);
  if (waiting.length > 0 || to === undefined) return { kind: "wait", waiting };
  return { kind: "raise", toThousandths: to, because: becauseOf(record, situation) };
}

function becameOf(record: PlanRecord, situation: Circumstances): Next | undefined {
  const { state, author, configured, passed = [] } = situation;
  const stands = state.percentThousandths;
  if (state.state === "closed") return turned(record, "ended", "legacy is closed");
  if (state.state === "rolled_back") return turned(record, "paused", `rolled back by ${state.updatedBy}`);
  // What came and went between two looks, or while nobody led, has been all the same.
  const cameBack = passed.find(({ to }) => to.state === "rolled_back");
  if (cameBack !== undefined) return turned(record, "paused", `rolled back by ${cameBack.by}`);
  if (stands !== record.standsThousandths) {
    const isMade = author?.action === "set" && (author.via === "plan" || signedIn.has(author.via));
    if (!isMade || stands !== stepAbove(record)) {
      return turned(record, "paused", `set to ${formatPercent(stands)}% by ${author?.by ?? state.updatedBy}`);
    }
    const { at, by, reason: because } = author;
    return landed({ ...record, version: state.version }, { percentThousandths: stands, at, by, because });
  }
  const moved = passed.findLast(({ from, to }) => from.percentThousandths !== to.percentThousandths);
  if (moved !== undefined) {
    const to = formatPercent(moved.to.percentThousandths);
    return turned(record, "paused", `set to ${to}% by ${moved.by}, and back`);
  }
  if (stepAbove(record) === undefined) {
    return turned(record, "done", `it stands at its last step, ${formatPercent(stands)}%`);
  }
  if (configured === undefined) return turned(record, "paused", "the configuration has no plan any more");
  if (!sameSpec(configured, record.spec)) {
    return turned(record, "paused", "the configuration's plan is another than the one that was approved");
  }
  // What stood before a hold has to stand anew.
  const heldBy = state.state === "held" ? state.updatedBy : passed.find(({ to }) => to.state === "held")?.by;
  if (heldBy !== undefined && (record.dweltMs > 0 || record.gathered !== undefined)) {
    const { gathered: _, ...rest } = record;
    const anew = { ...rest, dweltMs: 0, version: state.version };
    return { kind: "became", record: anew, said: `held by ${heldBy}` };
  }
  return undefined;
}

function turned(record: PlanRecord, status: "paused" | "done" | "ended", because: string): Next {
  return { kind: "became", record: { ...record, status, because }, said: because };
}

function landed(record: PlanRecord, step: MadeStep): Next {
  const { gathered: _, ...rest } = record;
  const { percentThousandths } = step;
  const next = {
    ...rest,
    standsThousandths: percentThousandths,
    dweltMs: 0,
    made: [...record.made, step].slice(-mostMade),
  };
  return { kind: "became", record: next, said: `at ${formatPercent(percentThousandths)}% by ${step.by}` };
}

const mostMade = 200;

/** In the order of the gates; empty: the next step may be made. */
export function waitingOf(record: PlanRecord, situation: Circumstances, nowMs: number): readonly Wait[] {
  const { spec, standsThousandths, dweltMs } = record;
  const { state, evidence } = situation;
  const found: Wait[] = [];
  if (state.state === "held") found.push({ gate: "hold", text: `held by ${state.updatedBy}: resume it` });
  // At 0 there is nothing that could stand, and nothing to compare.
  if (standsThousandths > 0) {
    const leftMs = spec.dwellMs - dweltMs;
    if (leftMs > 0) found.push({ gate: "dwell", text: "the step has not stood for its time", leftMs });
    if (evidence.kind === "insufficient") {
      found.push({ gate: "evidence", text: evidence.text, leftMs: evidence.leftMs });
    }
  }
  const raise = { fromThousandths: standsThousandths, toThousandths: stepAbove(record) ?? 0 };
  found.push(...againstRaise(situation, raise, nowMs));
  if (found.length === 0 && spec.advance === "manual") {
    found.push({ gate: "person", text: "nothing is against it: a person makes each step of this plan" });
  }
  return found;
}

interface Raise {
  readonly fromThousandths: number;
  readonly toThousandths: number;
}

/** What is against any raise that nobody makes by hand, in the order of the gates. */
export function againstRaise(
  {
    guard,
    window,
    freeze,
    limit,
    legacy,
  }: Pick<Circumstances, "guard" | "window" | "freeze" | "limit" | "legacy">,
  { fromThousandths, toThousandths }: Raise,
  nowMs: number,
): readonly Wait[] {
  const found: Wait[] = [];
  if (fromThousandths > 0 && !isWell(guard)) {
    found.push({ gate: "guard", text: `the guard says: ${guard ?? "nothing yet"}` });
  }
  for (const [gate, closed] of [["window", window] as const, ["freeze", freeze] as const]) {
    if (closed !== undefined) found.push({ gate, text: closed.reason, leftMs: closed.untilMs - nowMs });
  }
  // It would be in vain (state/rules/order/after.ts), and what it is to prove would be proven of another share.
  if (limit?.by !== undefined && toThousandths > limit.thousandths) {
    const text = `${limit.by} lets it go no further than ${formatPercent(limit.thousandths)}%: raise ${limit.by} first`;
    found.push({ gate: "after", text });
  }
  if (legacy?.isReady === false) found.push({ gate: "legacy", text: legacy.text });
  return found;
}

/**
 * What is not proven is the evidence's to wait for, where the plan asks for it. Where it judges nothing although new has a
 * share, nothing is known.
 */
function isWell(guard: Circumstances["guard"]): boolean {
  return guard === "unguarded" || guard === "healthy" || guard === "insufficient evidence";
}

function becauseOf(
  { spec, standsThousandths }: PlanRecord,
  { evidence, guard, legacy }: Circumstances,
): string {
  if (standsThousandths === 0) return `the first step${legacy === undefined ? "" : `; ${legacy.text}`}`;
  const proven = evidence.kind === "not asked" ? "no evidence is asked for" : evidence.text;
  const told = [
    `${formatPercent(standsThousandths)}% stood for its time`,
    proven,
    ...(guard === "unguarded" ? ["no guard"] : [`guard: ${guard ?? "nothing"}`]),
    ...(legacy === undefined ? [] : [legacy.text]),
    ...(spec.windows.length === 0 ? [] : ["no window against it"]),
  ];
  return told.join("; ");
}

/**
 * When a plan will have finished, step by step, and whether that is in time. PURE.
 *
 * Each step costs the longer of its dwell and its evidence, and then the wait for a moment with no window and no freeze
 * against a raise. How long evidence takes at another percent follows from the pace measured at this one: evidence grows
 * with the product of both sides' shares. Where nothing was measured yet it is left out, and the finish is the soonest
 * possible: if that is too late, nothing can help.
 */
import type { Windows } from "./windows.ts";

export interface ToFinish {
  /** Percents in thousandths, rising. */
  readonly steps: readonly number[];
  readonly standsThousandths: number;
  readonly dwellMs: number;
  /** Of the step that stands. */
  readonly dweltMs: number;
  /** What is left of the evidence of the step that stands, and how long a whole step at this percent takes; absent: not known. */
  readonly evidence?: { readonly leftMs: number; readonly wholeMs: number } | undefined;
  /** Whether evidence is asked for. */
  readonly asksEvidence: boolean;
  readonly windows: Pick<Windows, "openFrom">;
  readonly frozenUntilMs?: number | undefined;
  readonly nowMs: number;
  readonly deadlineMs?: number | undefined;
}

export interface ProjectedStep {
  readonly percentThousandths: number;
  /** ms since the epoch, when it can be made at the soonest. */
  readonly atMs: number;
  /** What keeps it for the longest. */
  readonly costs: "dwell" | "evidence" | "windows" | "nothing";
  readonly takesMs: number;
}

type Against = "on time" | "tight" | "cannot be met";

interface Projection {
  readonly steps: readonly ProjectedStep[];
  /** Absent: no moment within two years is open, or the steps end below 100. */
  readonly finishMs?: number | undefined;
  /** Whether the evidence's pace is in it, where evidence is asked for. */
  readonly isMeasured: boolean;
  readonly against?: Against | undefined;
  readonly costliest?: ProjectedStep | undefined;
}

const whole = 100_000;

export function project(asked: ToFinish): Projection {
  const { steps, standsThousandths, nowMs, deadlineMs, evidence, asksEvidence } = asked;
  const ahead = steps.filter((step) => step > standsThousandths);
  const projected: ProjectedStep[] = [];
  let [percent, sinceMs] = [standsThousandths, nowMs];
  for (const step of ahead) {
    const next = stepFrom(asked, percent, sinceMs, step);
    if (next === undefined) break;
    projected.push(next);
    [percent, sinceMs] = [step, next.atMs];
  }
  const isWhole = (steps.at(-1) ?? 0) >= whole || standsThousandths >= whole;
  const finishMs = projected.length === ahead.length && isWhole ? sinceMs : undefined;
  const costliest = projected.reduce<ProjectedStep | undefined>((most, each) => {
    return each.takesMs > (most?.takesMs ?? 0) ? each : most;
  }, undefined);
  return {
    steps: projected,
    finishMs,
    isMeasured: !asksEvidence || evidence !== undefined,
    against: deadlineMs === undefined ? undefined : againstOf(finishMs, deadlineMs, nowMs, costliest),
    costliest,
  };
}

function stepFrom(
  asked: ToFinish,
  percent: number,
  sinceMs: number,
  step: number,
): ProjectedStep | undefined {
  const { standsThousandths, dwellMs, dweltMs, windows, frozenUntilMs = 0 } = asked;
  const stands = percent === standsThousandths;
  // Nothing stands at 0, and nothing is to be proven there.
  const dwell = percent === 0 ? 0 : Math.max(0, dwellMs - (stands ? dweltMs : 0));
  const proof = percent === 0 ? 0 : proofMs(asked, percent, stands);
  const readyMs = sinceMs + Math.max(dwell, proof);
  const atMs = windows.openFrom(Math.max(readyMs, frozenUntilMs));
  if (atMs === undefined) return undefined;
  const takesMs = atMs - sinceMs;
  const waits = atMs - readyMs;
  const costs =
    takesMs === 0
      ? "nothing"
      : waits > Math.max(dwell, proof)
        ? "windows"
        : dwell >= proof
          ? "dwell"
          : "evidence";
  return { percentThousandths: step, atMs, costs, takesMs };
}

function proofMs({ evidence, standsThousandths }: ToFinish, percent: number, stands: boolean): number {
  if (evidence === undefined) return 0;
  if (stands) return evidence.leftMs;
  const pace = (thousandths: number) => (thousandths / whole) * (1 - thousandths / whole);
  return pace(percent) === 0 ? 0 : (evidence.wholeMs * pace(standsThousandths)) / pace(percent);
}

function againstOf(
  finishMs: number | undefined,
  deadlineMs: number,
  nowMs: number,
  costliest: ProjectedStep | undefined,
): Against {
  if (finishMs === undefined || finishMs > deadlineMs) return "cannot be met";
  const slackMs = deadlineMs - finishMs;
  // One step that has to be made twice, or a tenth of all the time there is.
  return slackMs < Math.max(costliest?.takesMs ?? 0, (deadlineMs - nowMs) / 10) ? "tight" : "on time";
}

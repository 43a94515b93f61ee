/**
 * The one line that answers whether new is worse. What is not known is never told as well: without a guard, with old data
 * and with too little of it there is no tick. PURE.
 */
import type { CutoverView } from "../../admin/api/cutover-view.ts";
import type { GuardView } from "../../admin/api/guard/guard-view.ts";
import { spanText } from "./figures.ts";
import { staleAfterMs } from "./liveness.ts";

/** `well` alone lets a raise pass with little friction. */
type Tone = "well" | "unproven" | "doubtful" | "worse" | "unknown" | "unguarded";

export interface VerdictWords {
  readonly tone: Tone;
  readonly mark: string;
  readonly text: string;
}

const marks: Readonly<Record<Tone, string>> = {
  well: "✓",
  unproven: "≈",
  doubtful: "▲",
  worse: "⬢",
  unknown: "?",
  unguarded: "○",
};

const verdict = (tone: Tone, text: string): VerdictWords => ({ tone, mark: marks[tone], text });

/** @param ageMs how old what is shown is */
export function verdictOf(
  { legacy, new: onNew, traffic, warnings }: CutoverView,
  guard: GuardView | undefined,
  ageMs: number,
): VerdictWords {
  if (ageMs > staleAfterMs) return verdict("unknown", `Unknown: data is ${spanText(ageMs)} old`);
  const isHung = warnings.some(({ code, text }) => code === "hung" && text.startsWith("new"));
  if (isHung) {
    const { inFlight, oldestInFlightSeconds: oldest } = traffic.new;
    const waited = oldest === null ? "" : `, oldest ${spanText(oldest * 1000)}`;
    return verdict("worse", `${onNew} does not answer: ${inFlight} in flight${waited}`);
  }
  if (guard === undefined) return verdict("unknown", "Unknown: the guard has not been asked yet");
  if (!guard.guarded) return verdict("unguarded", "No guard: nobody is watching but you");
  return byGuard(guard, legacy, onNew);
}

function byGuard({ verdict: word, sentence }: GuardView, legacy: string, onNew: string): VerdictWords {
  switch (word) {
    case "healthy":
      return verdict("well", `${onNew} is no worse than ${legacy}: ${sentence}`);
    case "watching":
    case "insufficient evidence":
      return verdict("unproven", `Not enough to tell yet: ${sentence}`);
    case "worse":
      return verdict("worse", `${onNew} is worse: ${sentence}`);
    case "legacy sick":
      return verdict("worse", `${legacy} fails: ${sentence}`);
    case "both sick":
      return verdict("worse", `Both sides fail: ${sentence}`);
    case "blind":
      return verdict("unknown", `Unknown: ${sentence}`);
    case null:
      return verdict("unknown", `Not judged: ${sentence}`);
    default:
      return verdict("doubtful", `${word}: ${sentence}`);
  }
}

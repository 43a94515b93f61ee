/**
 * The one line that answers whether new is worse. What is not known is never told as well: without a guard, with old data
 * and with too little of it there is no tick. PURE.
 */
import type { CutoverView } from "../cutover-view.ts";
import type { GuardView } from "../guard/guard-view.ts";
import { spanText } from "./span.ts";

/** From here on nothing is judged by what is shown. */
export const staleAfterMs = 15_000;

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

/** How figures of a verdict are written. */
interface VerdictFigures {
  count(whole: number): string;
  /** A share's difference in points, with its sign: 0.006 → `+0.6`. */
  points(share: number): string;
}

/** What is judged: its names, what the proxy itself sees of new, and what it warns of. */
type Judged = Pick<CutoverView, "legacy" | "new" | "traffic" | "warnings">;
/** The whole of it, or what a cutover's own view has of it. */
type Guard = Pick<GuardView, "guarded" | "verdict" | "sentence"> &
  Partial<Pick<GuardView, "because" | "evidence">>;

/** @param ageMs how old what is shown is */
export function verdictOf(
  { legacy, new: onNew, traffic, warnings }: Judged,
  guard: Guard | undefined,
  ageMs: number,
  figures: VerdictFigures,
): VerdictWords {
  if (ageMs > staleAfterMs) return verdict("unknown", `Unknown: data is ${spanText(ageMs)} old`);
  const isHung = warnings.some(({ code, text }) => code === "hung" && text.startsWith("new"));
  if (isHung) {
    const { inFlight, oldestInFlightSeconds: oldest } = traffic.new;
    const waited = oldest === null ? "" : `, oldest ${spanText(oldest * 1000)}`;
    return verdict("worse", `${onNew} does not answer: ${figures.count(inFlight)} in flight${waited}`);
  }
  if (guard === undefined) return verdict("unknown", "Unknown: the guard has not been asked yet");
  if (!guard.guarded) return verdict("unguarded", "No guard: nobody is watching but you");
  return byGuard(guard, legacy, onNew, figures);
}

function byGuard(guard: Guard, legacy: string, onNew: string, figures: VerdictFigures): VerdictWords {
  const { verdict: word, sentence } = guard;
  const told = spanOf(guard, figures);
  switch (word) {
    case "healthy":
      return verdict("well", `${onNew} is no worse than ${legacy}${told ?? `: ${sentence}`}`);
    case "watching":
      return told === undefined
        ? verdict("doubtful", `${onNew} may be worse: ${sentence}`)
        : verdict("doubtful", `${onNew} may be worse${told}`);
    case "insufficient evidence":
      return verdict("unproven", `Not enough to tell yet: ${shortOf(guard, onNew, figures) ?? sentence}`);
    case "worse":
      return verdict(
        "worse",
        `${onNew} is worse${told ?? paidOf(guard, legacy, figures) ?? `: ${sentence}`}`,
      );
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

/** ` (difference +2.1 pts, +1.2 to +3.0)`; `undefined` where payments or slowness decided, or it is not known. */
function spanOf({ because = [], evidence }: Guard, { points }: VerdictFigures): string | undefined {
  const isOfFailures = because.every((test) => test === "failures");
  if (!isOfFailures || evidence == null) return undefined;
  const { estimate, least, most } = evidence.difference;
  return ` (difference ${points(estimate)} pts, ${points(least)} to ${points(most)})`;
}

/** `: 81 of 420 journeys were paid, social-shop's pace would be 250`; `undefined` where that has not decided. */
function paidOf(
  { because = [], evidence }: Guard,
  legacy: string,
  { count }: VerdictFigures,
): string | undefined {
  const payments = evidence?.payments;
  if (because[0] !== "paid" || payments === undefined) return undefined;
  const { begun, paid } = payments.new;
  const pace = count(Math.round(payments.wouldBePaid));
  return `: ${count(paid)} of ${count(begun)} journeys were paid, ${legacy}’s pace would be ${pace}`;
}

function shortOf({ evidence }: Guard, onNew: string, { count }: VerdictFigures): string | undefined {
  if (evidence == null) return undefined;
  const { units, failed } = evidence.sides.new;
  if (units === 0) return `nobody has reached ${onNew} in this step`;
  const who = units === 1 ? "1 shopper" : `${count(units)} shoppers`;
  return `${who} on ${onNew} in this step, ${count(failed)} failed`;
}

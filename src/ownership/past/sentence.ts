/** How a past request with a key was decided, in one sentence that also says what is not known. PURE. */
import type { KeyPast, PastDecision } from "./port.ts";
import { mostDecisions } from "./record.ts";

interface ToldPast {
  /** The last one up to the time. */
  readonly decided: PastDecision | undefined;
  readonly sentence: string;
}

/** @param past what is recorded; `unknown`: the store does not say @param atMs the time that is asked about, or now */
export function pastAt(past: KeyPast | undefined | "unknown", atMs: number): ToldPast {
  if (past === "unknown") {
    const sentence = "The store is out of reach: how requests with the key were decided cannot be told now.";
    return { decided: undefined, sentence };
  }
  const [first] = past?.decisions ?? [];
  if (past === undefined || first === undefined) {
    const why = "none was sent, nobody owned the key then, or the record has ended with its owner";
    return { decided: undefined, sentence: `Nothing is recorded of requests with the key: ${why}.` };
  }
  const at = past.decisions.findLastIndex((one) => one.atMs <= atMs);
  const decided = past.decisions[at];
  if (decided === undefined) {
    const begins = `the first that is known of was sent to ${wordsOf(first)}`;
    return { decided, sentence: `Nothing is recorded of requests with the key before then; ${begins}.` };
  }
  return { decided, sentence: `${sentenceOf(decided, past.decisions[at + 1], gapAfter(past, at))}.` };
}

/** How many decisions are left out between this one and the next. */
function gapAfter({ omitted }: KeyPast, at: number): number {
  return at === mostDecisions / 2 - 1 ? omitted : 0;
}

function sentenceOf(decided: PastDecision, next: PastDecision | undefined, gap: number): string {
  const known = `Sent to ${wordsOf(decided)}`;
  if (gap > 0 && next !== undefined) {
    const left = `${gap} later ${gap === 1 ? "decision is" : "decisions are"} not kept`;
    return `${known}; ${left}, before ${wordsOf(next)}: which of them counted at that time is not known`;
  }
  const later =
    next === undefined ? "and no other decision since" : `and no other decision before ${momentOf(next)}`;
  return `${known}, ${later}; whether a request came at that very time is not recorded`;
}

function wordsOf(decision: PastDecision): string {
  const { side, reason, version, route } = decision;
  return `${side} at ${momentOf(decision)}, reason ${reason}, by version ${version}, on route ${route}`;
}

function momentOf({ atMs }: PastDecision): string {
  return new Date(atMs).toISOString();
}

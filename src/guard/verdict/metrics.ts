/**
 * What metrics of the owner's own add to a judgement. Each is a ratio or a threshold that held for its time: no evidence, with
 * no odds and no part in the budget, and said to be so. PURE.
 */
import type { GuardAction, Judgement } from "./verdict.ts";

export const metricStates = ["fine", "pending", "worse", "no data"] as const;

export interface MetricFinding {
  readonly name: string;
  /** `pending`: worse now, and not for so long yet. */
  readonly state: (typeof metricStates)[number];
  /** What follows where it is worse. */
  readonly action: GuardAction;
  /** For people, the name included. */
  readonly sentence: string;
}

/** From the least on. */
const actions = ["alert", "hold", "rollback"] as const satisfies readonly GuardAction[];
const done = { alert: "alerted", hold: "held", rollback: "rolled back" } as const;

/**
 * @param isLegacySuspect whether there is evidence that legacy fails too often itself: nothing is rolled back onto it
 * @returns the judgement itself where there is nothing to add
 */
export function besideMetrics(
  judgement: Judgement,
  findings: readonly MetricFinding[],
  isLegacySuspect: boolean,
): Judgement {
  const found = (state: MetricFinding["state"]) => findings.filter((finding) => finding.state === state);
  const [worse, pending, missing] = [found("worse"), found("pending"), found("no data")];
  const told = [...pending, ...missing].map(({ sentence }) => sentence);
  const { verdict, because, sentence } = judgement;
  if (worse.length === 0) {
    if (told.length === 0) return judgement;
    const isQuiet = verdict === "healthy" || verdict === "insufficient evidence";
    const watched = pending.length > 0 && isQuiet ? "watching" : verdict;
    return { ...judgement, verdict: watched, sentence: [sentence, ...told].join("; ") };
  }
  const isLegacySick = isLegacySuspect || verdict === "both sick" || verdict === "legacy sick";
  const wished = [...worse.map(({ action }) => action), judgement.action];
  const strongest = actions.findLast((action) => wished.includes(action)) ?? "alert";
  const action = isLegacySick && strongest === "rollback" ? "hold" : strongest;
  const next = isLegacySick ? "both sick" : "worse";
  const facts = worse.map((finding) => finding.sentence).join("; ");
  return {
    verdict: next,
    action,
    because: [...because, ...worse.map(({ name }) => `metric ${name}`)],
    sentence: [`${facts}: ${next}, ${done[action]}`, `by counts, ${sentence}`, ...told].join("; "),
  };
}

/**
 * What the guard makes of its evidence, and what it does about it. PURE.
 *
 *   worse                  new fails more, or is paid less, than chance explains: rolled back, or what `action` says
 *   both sick              legacy fails too much as well: held, never rolled back onto a sick legacy
 *   legacy sick            legacy alone fails too much: held
 *                          A legacy in maintenance is sick, whatever it answers: nothing is sent to it.
 *   blind                  counts are missing: said, and never a reason not to roll back by the rest. Once whoever lacks has
 *                          been silent for so long that the store has forgotten it, the rest is all there is to go by
 *   watching               a test is half of its way; or new shoppers are not split as configured, so that who is compared
 *                          is not who should be: an alert
 *   insufficient evidence  nothing against new, and nothing proven for it
 *   healthy                proven to be not worse than the gate of the step asks
 */
import type { Payments } from "../evidence/cohorts.ts";
import { differenceOf } from "../evidence/difference.ts";
import { type Findings, firedOf, type Sides, type TestFinding } from "../evidence/evidence.ts";
import type { ShareFinding } from "../evidence/share-check.ts";
import { type TestName, testNames } from "../evidence/tests.ts";
import { type Said, verdictSentence } from "./sentence.ts";

export const verdicts = [
  "healthy",
  "watching",
  "insufficient evidence",
  "worse",
  "both sick",
  "legacy sick",
  "blind",
] as const;
type GuardVerdict = (typeof verdicts)[number];

export type GuardAction = "rollback" | "hold" | "alert";

export interface Situation {
  readonly findings: Findings;
  /** Shoppers of this step. */
  readonly sides: Sides;
  /** Absent where no journey is followed. */
  readonly payments?: Payments;
  /** Absent before somebody was assigned. */
  readonly share?: ShareFinding;
  /** As configured; absent: hold until a step has passed by evidence, roll back from then on. */
  readonly action?: GuardAction;
  readonly hasPassedAStep: boolean;
  /** Whether the gate of this step is passed; there is none where new has all. */
  readonly isProven: boolean;
  /** Whether nothing is sent to legacy just now, as somebody has said. */
  readonly isLegacyMaintained?: boolean;
  /** Names of instances whose counts are missing. */
  readonly silent: readonly string[];
  /** Whether nothing may be concluded without them, but that new is worse; without it, wherever counts are missing. */
  readonly isBlind?: boolean;
  /** Since the first failure that the evidence counts; absent before there is one. */
  readonly sinceFirstFailureMs?: number;
}

export interface Judgement {
  readonly verdict: GuardVerdict;
  /** Absent where there is nothing to do. An action also alerts. */
  readonly action?: GuardAction;
  /** The tests that have fired, and `metric NAME` of the owner's own metrics (metrics.ts). */
  readonly because: readonly string[];
  readonly sentence: string;
}

/** Of an interval around the difference, which may be read at every look. */
const confidence = 0.95;

export function judgeSides(situation: Situation): Judgement {
  const {
    findings,
    sides,
    payments,
    share,
    silent,
    sinceFirstFailureMs,
    isLegacyMaintained = false,
  } = situation;
  const because = firedOf(findings);
  const verdict = verdictOf(situation, because);
  const action = actionOf(verdict, situation, because);
  const said: Said = {
    verdict,
    because,
    findings,
    sides,
    difference: differenceOf(sides.legacy, sides.onNew, confidence),
    silent,
    isLegacyMaintained,
    ...(payments === undefined ? {} : { payments }),
    ...(share?.isOff ? { share } : {}),
    ...(action === undefined ? {} : { action }),
    ...(sinceFirstFailureMs === undefined ? {} : { sinceFirstFailureMs }),
  };
  return { verdict, because, sentence: verdictSentence(said), ...(action === undefined ? {} : { action }) };
}

function verdictOf(
  { findings, share, isProven, silent, isBlind = silent.length > 0, isLegacyMaintained = false }: Situation,
  because: readonly TestName[],
): GuardVerdict {
  const isWorse = because.length > 0;
  if (isWorse) return isLegacyMaintained || isSuspect(findings.tooManyOnLegacy) ? "both sick" : "worse";
  if (isLegacyMaintained || findings.tooManyOnLegacy.hasFired) return "legacy sick";
  if (isBlind) return "blind";
  if (share?.isOff || testNames.some((test) => isSuspect(findings[test]))) return "watching";
  return isProven ? "healthy" : "insufficient evidence";
}

/**
 * Half of its way, in orders of magnitude. That much of legacy's is enough not to roll back onto it: where both sides fail
 * at once, new's evidence may be complete a block before legacy's.
 */
export function isSuspect({ hasFired, odds, actsAt }: TestFinding): boolean {
  return hasFired || odds >= Math.sqrt(actsAt);
}

function actionOf(
  verdict: GuardVerdict,
  { share, action, hasPassedAStep }: Situation,
  because: readonly TestName[],
): GuardAction | undefined {
  if (verdict === "both sick" || verdict === "legacy sick") return action === "alert" ? "alert" : "hold";
  if (verdict !== "worse") return share?.isOff ? "alert" : undefined;
  const isSlowAlone = because.every((test) => test === "slow");
  if (isSlowAlone) return action === "alert" ? "alert" : "hold";
  const untilProven = because.includes("tooMany") || hasPassedAStep ? "rollback" : "hold";
  return action ?? untilProven;
}

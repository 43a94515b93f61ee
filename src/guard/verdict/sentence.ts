/** A verdict in one sentence, for the event, the log line, the audit entry and the page alike. PURE. */
import type { Payments } from "../evidence/cohorts.ts";
import { type Difference, type SideTally, shareOf } from "../evidence/difference.ts";
import type { Findings, Sides, TestFinding } from "../evidence/evidence.ts";
import type { ShareFinding } from "../evidence/share-check.ts";
import type { TestName } from "../evidence/tests.ts";

/** What a sentence tells. */
export interface Said {
  readonly verdict: string;
  readonly because: readonly TestName[];
  readonly findings: Findings;
  readonly sides: Sides;
  readonly difference: Difference;
  readonly payments?: Payments;
  /** Where new shoppers are not split as configured. */
  readonly share?: ShareFinding;
  readonly action?: "rollback" | "hold" | "alert";
  readonly silent: readonly string[];
  readonly isLegacyMaintained: boolean;
  readonly sinceFirstFailureMs?: number;
}

const acted = { rollback: "rolled back", hold: "held", alert: "alerted" } as const;

export function verdictSentence(said: Said): string {
  const { verdict, action, silent } = said;
  const since = isOfFailures(said) ? said.sinceFirstFailureMs : undefined;
  const parts = [`${factsOf(said)}: ${conclusionOf(said)}`];
  if (action !== undefined) {
    parts.push(
      since === undefined ? acted[action] : `${acted[action]} ${timeText(since)} after the first failure`,
    );
  }
  if (said.share !== undefined) parts.push(shareOffText(said.share));
  if (silent.length > 0 && verdict !== "blind") parts.push(`without counts of ${silent.join(", ")}`);
  return parts.join(", ");
}

/** Whether new's failures are what decided; of payments, slow answers and a sick legacy the first of them says nothing. */
function isOfFailures({ because: [first], verdict }: Said): boolean {
  return verdict === "worse" && (first === "failures" || first === "tooMany");
}

/** What was counted, of the test that decided. */
function factsOf({ because, sides, difference, payments, verdict }: Said): string {
  const [first] = because;
  if (first === "paid" && payments !== undefined) return paymentsText(payments);
  const { legacy, onNew } = sides;
  if (verdict === "legacy sick")
    return `legacy fails ${shareText(legacy)}, new ${percentText(shareOf(onNew))}`;
  if (onNew.units === 0) return "no attempt has reached new in this step";
  const told = `new fails ${shareText(onNew)}, legacy ${legacy.units === 0 ? "has none" : percentText(shareOf(legacy))}`;
  const span = `${points(difference.least)} to ${points(difference.most)} points of difference`;
  const counted = legacy.units === 0 ? told : `${told} (${span})`;
  return payments === undefined || payments.begunOnNew === 0
    ? counted
    : `${counted}; ${paymentsText(payments)}`;
}

function paymentsText(payments: Payments): string {
  const { begunOnNew, paidOnNew, wouldBePaid, begunOnLegacy, paidOnLegacy } = payments;
  const journeys = begunOnNew === 1 ? "journey" : "journeys";
  const told = `of ${count(begunOnNew)} ${journeys} on new ${count(paidOnNew)} ${paidOnNew === 1 ? "was" : "were"} paid`;
  if (begunOnLegacy === 0) return told;
  const of100 = (paid: number, begun: number) => ((100 * paid) / begun).toFixed(1);
  const shares = `${of100(paidOnNew, begunOnNew)} and ${of100(paidOnLegacy, begunOnLegacy)} of 100`;
  return `${told}, of legacy's as many would be ${count(Math.round(wouldBePaid))} (${shares})`;
}

function shareOffText({ of, configured, assigned, onNew, odds }: ShareFinding): string {
  const whose = of === "" ? "new shoppers" : `new shoppers of ${of}`;
  const told = `${percentText(onNew / assigned)} of ${count(assigned)} ${whose} came to new where ${percentText(configured)} should`;
  return `${told} (${oddsText({ odds })})`;
}

const reasons: Readonly<Record<TestName, string>> = {
  failures: "",
  tooMany: " (too many failures at all)",
  paid: " (payments)",
  slow: " (slower than the SLO)",
};

function conclusionOf({ verdict, because, findings, silent, isLegacyMaintained }: Said): string {
  const [first] = because;
  switch (verdict) {
    case "worse":
      return first === undefined ? verdict : `worse with ${oddsText(findings[first])}${reasons[first]}`;
    case "both sick":
    case "legacy sick":
      if (isLegacyMaintained) return `${verdict}, since legacy is in maintenance`;
      return `${verdict} with ${oddsText(findings.tooManyOnLegacy)} that legacy fails too often`;
    case "blind":
      return `blind, no counts from ${silent.join(", ")}`;
    default:
      return verdict;
  }
}

const mostOdds = 1e6;

function oddsText({ odds }: Pick<TestFinding, "odds">): string {
  return odds >= mostOdds ? "odds above a million to 1" : `odds ${count(Math.floor(odds))} to 1`;
}

function shareText(counts: SideTally): string {
  return `${percentText(shareOf(counts))} (${count(counts.failed)} of ${count(counts.units)})`;
}

function percentText(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}

function points(share: number): string {
  return (100 * share).toFixed(1);
}

function timeText(ms: number): string {
  return ms < 120_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}

/** With a comma each three digits. */
function count(whole: number): string {
  return String(whole).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

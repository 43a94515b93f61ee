/**
 * What the blocks of one cutover amount to: each look's counts go to the test that is theirs. Evidence, the gate of the step
 * and the journeys not yet paid; all of it can be written down.
 */
import { type CohortsState, createPaidCohorts, type Payments } from "../evidence/cohorts.ts";
import {
  createEvidence,
  type EvidenceSettings,
  type EvidenceState,
  type Findings,
  type Look,
  pairOf,
  type Sides,
} from "../evidence/evidence.ts";
import { type GateState, notWorseGate } from "../evidence/gate.ts";
import type { BlockCounts } from "../evidence/likelihood.ts";
import { createShareCheck, type ShareFinding, type SharesState } from "../evidence/share-check.ts";
import type { WindowTimes } from "../window/attempts.ts";
import type { LookedBlock } from "../window/looks.ts";

export interface WeighingSettings {
  readonly times: WindowTimes;
  readonly evidence: EvidenceSettings;
  /** The longest that a journey lasts. */
  readonly longestJourneyMs: number;
}

/** Who hears of each block that is over, by its strata. */
export interface CountsListeners {
  /** Attempts of the step that stands. */
  readonly onLate: (strata: readonly BlockCounts[]) => void;
  /** Journeys not yet paid that began alike, and those of them that were paid in the block. */
  readonly onPaid: (strata: readonly BlockCounts[]) => void;
}

/** All that is to be kept of it. */
export interface WeighingState {
  readonly evidence: EvidenceState;
  readonly gate: GateState;
  readonly cohorts: CohortsState;
  readonly shares: SharesState;
  /** When the block with it began, by the clock of the blocks. */
  readonly firstFailureMs?: number | undefined;
}

interface Weighing {
  take(looked: LookedBlock, listeners: CountsListeners): void;
  /** Another step's gate begins. */
  stepBegins(): void;
  /** Whether the gate of the step is passed. */
  isProven(): boolean;
  /** After an action and its resume: the evidence begins anew. */
  resume(): void;
  /** @param part of α, where several guard the same each by its own counts */
  found(part: number): {
    readonly findings: Findings;
    readonly sides: Sides;
    /** Absent where no payments are followed. */
    readonly payments?: Payments;
    /** Absent before somebody was assigned. */
    readonly share?: ShareFinding;
  };
  /** When the block began with which new's failures did; `undefined`: it does not fail. */
  firstFailureMs(): number | undefined;
  state(): WeighingState;
}

/** What the gate of a step asks: failures of at most so many times legacy's, at these odds. */
const gateTimes = 2;
const gateOdds = 20;

/** @param kept to go on with; what was decided by other settings than these begins anew, as after an action */
export function createWeighing(
  { times, evidence: settings, longestJourneyMs }: WeighingSettings,
  kept: WeighingState | undefined,
  isOfOtherSettings: boolean,
): Weighing {
  const evidence = createEvidence(settings, kept?.evidence);
  let gate = notWorseGate(gateTimes, isOfOtherSettings ? undefined : kept?.gate);
  const cohorts = createPaidCohorts(longestJourneyMs, kept?.cohorts);
  const shares = createShareCheck(kept?.shares);
  let firstFailureMs = kept?.firstFailureMs;
  if (isOfOtherSettings) {
    evidence.resume();
    cohorts.resume();
  }

  function takeAttempts(look: Look, block: number, strata: readonly Sides[], stepBegins: boolean): void {
    evidence.attempts(look, strata, stepBegins);
    if (look === "late") return;
    const isFailing = strata.some(({ onNew }) => onNew.failed > 0) && firstFailureMs === undefined;
    if (isFailing) firstFailureMs = block * times.blockMs;
    else if (!evidence.isGrowing()) firstFailureMs = undefined;
  }

  return {
    take(looked, { onLate, onPaid }) {
      const { block, stepBegins } = looked;
      if (looked.look === "paid") {
        const risks = cohorts.block(looked.journeys, stepBegins);
        evidence.paid(risks, stepBegins);
        onPaid(risks);
      } else if (looked.look === "slow") evidence.slow(looked.strata, stepBegins);
      else {
        takeAttempts(looked.look, block, looked.strata, stepBegins);
        if (looked.look === "quick") shares.block(looked.assigned, stepBegins);
        if (looked.look === "quick") return;
        const counts = looked.strata.map(pairOf);
        gate.block(counts);
        onLate(counts);
      }
    },
    stepBegins() {
      gate = notWorseGate(gateTimes);
    },
    isProven: () => gate.evidence() >= gateOdds,
    resume() {
      evidence.resume();
      cohorts.resume();
      firstFailureMs = undefined;
    },
    found: (part) => ({
      findings: evidence.findings(part),
      sides: evidence.sides(),
      ...(times.followsJourneys ? { payments: cohorts.payments() } : {}),
      ...shareIn(shares.finding()),
    }),
    firstFailureMs: () => firstFailureMs,
    state: () => ({
      evidence: evidence.state(),
      gate: gate.state(),
      cohorts: cohorts.state(),
      shares: shares.state(),
      ...(firstFailureMs === undefined ? {} : { firstFailureMs }),
    }),
  };
}

function shareIn(share: ShareFinding | undefined) {
  return share === undefined ? {} : { share };
}

/**
 * What is known of one cutover, block by block, and what to make of it: evidence, the gate of the step, and what the guard
 * has done about it. All of it can be written down: whoever goes on with it comes to the same numbers.
 *
 *   step     begins with a change of the percent. One whose gate is passed makes the guard roll back from then on,
 *            where no `action` is configured; at 0 it has to be earned anew
 *   resume   after an action: the evidence begins anew, on half of what is left of the day
 */
import type { CutoverState } from "../../state/rules/model.ts";
import { type Difference, differenceOf } from "../evidence/difference.ts";
import {
  createEvidence,
  type EvidenceSettings,
  type EvidenceState,
  type Findings,
  type Sides,
} from "../evidence/evidence.ts";
import { type GateState, notWorseGate } from "../evidence/gate.ts";
import type { BlockCounts } from "../evidence/likelihood.ts";
import { type GuardAction, type Judgement, judgeSides } from "../verdict/verdict.ts";
import type { WindowTimes } from "../window/attempts.ts";
import { createLooks, type LookedBlock, type LooksState } from "../window/looks.ts";
import type { ToldBlocks } from "../window/told.ts";
import { guardActor } from "./act.ts";

export interface InquirySettings {
  readonly times: WindowTimes;
  readonly evidence: EvidenceSettings;
  /** As configured. */
  readonly action: GuardAction | undefined;
}

/** Where the cutover stands, as far as it matters here. */
type Standing = Pick<CutoverState, "state" | "percentThousandths">;

/** All that is to be kept of an inquiry. */
export interface InquiryState {
  readonly standing: Standing;
  readonly evidence: EvidenceState;
  readonly gate: GateState;
  readonly looks: LooksState;
  readonly hasPassedAStep: boolean;
  readonly hasActed: boolean;
  /** When the block with it began, by the clock of the blocks. */
  readonly firstFailureMs?: number | undefined;
}

interface Surroundings {
  /** Of α, where several guard the same each by its own counts. */
  readonly part: number;
  /** Names of instances whose counts are missing. */
  readonly silent: readonly string[];
  readonly isLegacyMaintained: boolean;
}

/** Who hears of each block that is over, by its strata. */
export interface CountsListeners {
  /** Attempts of the step that stands. */
  readonly onLate: (strata: readonly BlockCounts[]) => void;
  /** Journeys not yet paid that began alike, and those of them that were paid in the block. */
  readonly onPaid: (strata: readonly BlockCounts[]) => void;
}

const nobody: CountsListeners = { onLate: () => {}, onPaid: () => {} };

/** What a judgement rests on. */
export interface Exhibits {
  readonly findings: Findings;
  readonly sides: Sides;
  readonly difference: Difference;
}

export interface Inquiry {
  /** Takes note of where the cutover stands now. */
  follow(next: CutoverState): void;
  /**
   * @returns whether a block was looked at
   */
  hear(told: readonly ToldBlocks[], patienceMs: number, listeners?: CountsListeners): boolean;
  judge(surroundings: Surroundings): Judgement;
  exhibits(part: number): Exhibits;
  /** The first block that is still to be looked at. */
  pending(): number;
  /** The guard has acted on the last judgement. */
  acted(): void;
  state(): InquiryState;
}

/** What the gate of a step asks: failures of at most so many times legacy's, at these odds. */
const gateTimes = 2;
const gateOdds = 20;
/** Of the difference that is told. */
const confidence = 0.95;

/**
 * @param nowMs the clock by which blocks are told apart
 * @param state where the cutover stands
 * @param from what was kept; what was decided by other settings than these begins anew, as after an action
 */
export function createInquiry(
  { times, evidence: settings, action }: InquirySettings,
  nowMs: () => number,
  state: CutoverState,
  from?: { readonly kept: InquiryState; readonly isOfOtherSettings: boolean },
): Inquiry {
  const { kept, isOfOtherSettings = false } = from ?? {};
  const evidence = createEvidence(settings, kept?.evidence);
  let looks = createLooks(times, kept === undefined || isOfOtherSettings ? nowMs() : kept.looks);
  let gate = notWorseGate(gateTimes, isOfOtherSettings ? undefined : kept?.gate);
  let standing: Standing = kept?.standing ?? state;
  let hasPassedAStep = kept?.hasPassedAStep ?? false;
  let hasActed = kept?.hasActed ?? false;
  let firstFailureMs = kept?.firstFailureMs;
  if (isOfOtherSettings) evidence.resume();

  function take({ look, block, sides, stepBegins }: LookedBlock, { onLate }: CountsListeners): void {
    evidence.attempts(look, sides, stepBegins);
    if (look === "quick") {
      const isFailing = sides.onNew.failed > 0 && firstFailureMs === undefined;
      if (isFailing) firstFailureMs = block * times.blockMs;
      else if (!evidence.isGrowing()) firstFailureMs = undefined;
      return;
    }
    const { legacy, onNew } = sides;
    const events = legacy.failed + onNew.failed;
    const counts = { legacy: legacy.units, onNew: onNew.units, events, eventsOnNew: onNew.failed };
    gate.block([counts]);
    onLate([counts]);
  }

  return {
    follow(next) {
      const before = standing;
      standing = { state: next.state, percentThousandths: next.percentThousandths };
      if (next.state !== "open" && next.updatedBy === guardActor.name) hasActed = true;
      if (hasActed && before.state !== "open" && next.state === "open") {
        hasActed = false;
        evidence.resume();
        // What arrived before has been acted on.
        looks = createLooks(times, nowMs());
      }
      if (before.percentThousandths === next.percentThousandths) return;
      const isRaised = next.percentThousandths > before.percentThousandths;
      if (isRaised && gate.evidence() >= gateOdds) hasPassedAStep = true;
      if (next.percentThousandths === 0) hasPassedAStep = false;
      gate = notWorseGate(gateTimes);
      looks.stepBegins(nowMs());
    },
    hear(told, patienceMs, listeners = nobody) {
      // The clock is another one: what is to come by the old would be waited for.
      if (!isNear(looks.pending() * times.blockMs, nowMs(), times)) looks = createLooks(times, nowMs());
      const due = looks.due(nowMs(), told, patienceMs);
      for (const block of due) take(block, listeners);
      return due.length > 0;
    },
    judge({ part, ...surroundings }) {
      return judgeSides({
        findings: evidence.findings(part),
        sides: evidence.sides(),
        ...(action === undefined ? {} : { action }),
        hasPassedAStep,
        isProven: gate.evidence() >= gateOdds,
        ...surroundings,
        ...(firstFailureMs === undefined ? {} : { sinceFirstFailureMs: nowMs() - firstFailureMs }),
      });
    },
    exhibits(part) {
      const { legacy, onNew } = evidence.sides();
      return {
        findings: evidence.findings(part),
        sides: { legacy, onNew },
        difference: differenceOf(legacy, onNew, confidence),
      };
    },
    pending: () => looks.pending(),
    acted() {
      hasActed = true;
    },
    state: () => ({
      standing,
      evidence: evidence.state(),
      gate: gate.state(),
      looks: looks.state(),
      hasPassedAStep,
      hasActed,
      ...(firstFailureMs === undefined ? {} : { firstFailureMs }),
    }),
  };
}

const dayMs = 86_400_000;

/** Whether the blocks to be looked at are of this day, and none of them far ahead. */
function isNear(pendingMs: number, nowMs: number, { blockMs }: WindowTimes): boolean {
  return pendingMs <= nowMs + 2 * blockMs && pendingMs >= nowMs - dayMs;
}

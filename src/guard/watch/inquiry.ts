/**
 * What is known of one cutover, block by block, and what to make of it: what the blocks amount to (weighing.ts), and what
 * the guard has done about it. All of it can be written down: whoever goes on with it comes to the same numbers.
 *
 *   step     begins with a change of the percent, the cutover's or a cohort's. One whose gate is passed makes the guard
 *            roll back from then on, where no `action` is configured; with nobody on new it has to be earned anew
 *   resume   after an action: the evidence begins anew, on half of what is left of the day
 */
import type { CutoverState } from "../../state/rules/model.ts";
import type { Payments } from "../evidence/cohorts.ts";
import { type Difference, differenceOf } from "../evidence/difference.ts";
import type { Findings, Sides } from "../evidence/evidence.ts";
import type { ShareFinding } from "../evidence/share-check.ts";
import { type GuardAction, type Judgement, judgeSides } from "../verdict/verdict.ts";
import type { WindowTimes } from "../window/attempts.ts";
import { createLooks, type LooksState } from "../window/looks.ts";
import type { ToldBlocks } from "../window/told.ts";
import { guardActor } from "./act.ts";
import {
  type CountsListeners,
  createWeighing,
  type WeighingSettings,
  type WeighingState,
} from "./weighing.ts";

export interface InquirySettings extends WeighingSettings {
  /** As configured. */
  readonly action: GuardAction | undefined;
}

/** Where the cutover stands, as far as it matters here. */
type Standing = Pick<CutoverState, "state" | "percentThousandths" | "cohorts">;

/** All that is to be kept of an inquiry. */
export interface InquiryState extends WeighingState {
  readonly standing: Standing;
  readonly looks: LooksState;
  readonly hasPassedAStep: boolean;
  readonly hasActed: boolean;
}

interface Surroundings {
  /** Of α, where several guard the same each by its own counts. */
  readonly part: number;
  /** Names of instances whose counts are missing. */
  readonly silent: readonly string[];
  /** Whether some of them may be heard of any moment. */
  readonly isBlind?: boolean;
  readonly isLegacyMaintained: boolean;
}

const nobody: CountsListeners = { onLate: () => {}, onPaid: () => {} };

/** What a judgement rests on. */
export interface Exhibits {
  readonly findings: Findings;
  readonly sides: Sides;
  readonly difference: Difference;
  /** Absent where no payments are followed. */
  readonly payments?: Payments;
  /** Absent before somebody was assigned. */
  readonly share?: ShareFinding;
}

export interface Inquiry {
  /** Takes note of where the cutover stands now. */
  follow(next: CutoverState): void;
  /** @returns whether a block was looked at */
  hear(told: readonly ToldBlocks[], patienceMs: number, listeners?: CountsListeners): boolean;
  judge(surroundings: Surroundings): Judgement;
  exhibits(part: number): Exhibits;
  /** The first block that is still to be looked at. */
  pending(): number;
  /** The guard has acted on the last judgement. */
  acted(): void;
  state(): InquiryState;
}

/** Of the difference that is told. */
const confidence = 0.95;

/**
 * @param nowMs the clock by which blocks are told apart
 * @param state where the cutover stands
 * @param from what was kept; what was decided by other settings than these begins anew, as after an action
 */
export function createInquiry(
  settings: InquirySettings,
  nowMs: () => number,
  state: CutoverState,
  from?: { readonly kept: InquiryState; readonly isOfOtherSettings: boolean },
): Inquiry {
  const { times, action } = settings;
  const { kept, isOfOtherSettings = false } = from ?? {};
  const weighing = createWeighing(settings, kept, isOfOtherSettings);
  let looks = createLooks(times, kept === undefined || isOfOtherSettings ? nowMs() : kept.looks);
  let standing: Standing = kept?.standing ?? standingOf(state);
  let hasPassedAStep = kept?.hasPassedAStep ?? false;
  let hasActed = kept?.hasActed ?? false;

  function stepBegins(moved: readonly Moved[]): void {
    const isRaised = moved.some(({ from, to }) => to > from);
    if (isRaised && weighing.isProven()) hasPassedAStep = true;
    if (percentsOf(standing).every(([, percent]) => percent === 0)) hasPassedAStep = false;
    weighing.stepBegins();
    // What is lowered, in however many steps, spends nothing of the weight that lies on the steps of the day.
    if (isRaised) looks.stepBegins(nowMs());
  }

  return {
    follow(next) {
      const before = standing;
      standing = standingOf(next);
      if (next.state !== "open" && next.updatedBy === guardActor.name) hasActed = true;
      if (hasActed && before.state !== "open" && next.state === "open") {
        hasActed = false;
        weighing.resume();
        // What arrived before has been acted on.
        looks = createLooks(times, nowMs());
      }
      const moved = movedBetween(before, standing);
      if (moved.length > 0) stepBegins(moved);
    },
    hear(told, patienceMs, listeners = nobody) {
      // The clock is another one: what is to come by the old would be waited for.
      if (!isNear(looks.pending() * times.blockMs, nowMs(), times)) looks = createLooks(times, nowMs());
      const due = looks.due(nowMs(), told, patienceMs);
      for (const looked of due) weighing.take(looked, listeners);
      return due.length > 0;
    },
    judge({ part, ...surroundings }) {
      const firstFailureMs = weighing.firstFailureMs();
      return judgeSides({
        ...weighing.found(part),
        ...(action === undefined ? {} : { action }),
        ...{ hasPassedAStep, isProven: weighing.isProven(), ...surroundings },
        ...(firstFailureMs === undefined ? {} : { sinceFirstFailureMs: nowMs() - firstFailureMs }),
      });
    },
    exhibits(part) {
      const found = weighing.found(part);
      return { ...found, difference: differenceOf(found.sides.legacy, found.sides.onNew, confidence) };
    },
    pending: () => looks.pending(),
    acted() {
      hasActed = true;
    },
    state: () => ({ standing, ...weighing.state(), looks: looks.state(), hasPassedAStep, hasActed }),
  };
}

function standingOf({ state, percentThousandths, cohorts }: CutoverState): Standing {
  return { state, percentThousandths, ...(cohorts === undefined ? {} : { cohorts }) };
}

interface Moved {
  readonly from: number;
  readonly to: number;
}

/** The percents that are others than before. In thousandths. */
function movedBetween(before: Standing, now: Standing): readonly Moved[] {
  const known = new Map(percentsOf(before));
  return percentsOf(now).flatMap(([of, to]) => {
    const from = known.get(of);
    return from === undefined || from === to ? [] : { from, to };
  });
}

/** The cutover's, and those of its cohorts, in thousandths. */
function percentsOf({ percentThousandths, cohorts = {} }: Standing): [of: string, percent: number][] {
  return [["", percentThousandths], ...Object.entries(cohorts)];
}

const dayMs = 86_400_000;

/** Whether the blocks to be looked at are of this day, and none of them far ahead. */
function isNear(pendingMs: number, nowMs: number, { blockMs }: WindowTimes): boolean {
  return pendingMs <= nowMs + 2 * blockMs && pendingMs >= nowMs - dayMs;
}

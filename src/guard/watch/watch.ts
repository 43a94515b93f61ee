/**
 * Watches one cutover by what this instance counts of it alone: what there is to go by while the store is away. Each
 * instance takes its part of the budget, so that together they spend no more than the whole.
 *
 *   look     four times a second: blocks whose quick or late look is due become evidence
 *   judge    after each, while the cutover is open or held and new has a share
 *   act      only while there is no store to lead by, and on this instance alone: the store is told when it answers
 */
import type { Clock, Timers } from "../../base/clock.ts";
import { errorText } from "../../base/log.ts";
import type { CutoverState } from "../../state/rules/model.ts";
import { maintainedUntil } from "../../state/rules/sides/maintenance.ts";
import type { Judgement } from "../verdict/verdict.ts";
import type { ToldBlocks } from "../window/told.ts";
import { type Acting, actHere, isJudged, isRolledBack, isToBeDone, latchedJudgement } from "./act.ts";
import { createInquiry, type InquirySettings } from "./inquiry.ts";

interface WatchOptions extends Omit<Acting, "store"> {
  readonly settings: InquirySettings;
  /** What this instance has counted of late. */
  readonly told: () => ToldBlocks;
  /** The clock by which blocks are told apart. */
  readonly blockClockMs: () => number;
  /** As it is in force here. */
  readonly state: () => CutoverState;
  /** Instances that watch the same, this one included; as far as was last known. */
  readonly instances: () => number;
  /** Whether the store is away, so that nobody leads. */
  readonly isAlone: () => boolean;
  readonly timers: Timers;
  readonly clock: Pick<Clock, "now">;
  /** @param judgement `undefined`: nothing goes to new, or nothing may be done about it */
  readonly onJudged: (judgement: Judgement | undefined) => void;
}

export interface Watch {
  /** The last judgement; `undefined` before the first look, and while nothing goes to new. */
  judgement(): Judgement | undefined;
  stop(): void;
}

/** Between two looks. */
export const lookEachMs = 250;
/** How long a process of this instance that has told nothing is waited for. */
const patienceMs = 300;

export function createWatch(options: WatchOptions): Watch {
  const { name, log, timers, clock, settings, blockClockMs, isAlone, onJudged } = options;
  const inquiry = createInquiry(settings, blockClockMs, options.state());
  let judged: Judgement | undefined;
  let cancel = () => {};

  function judge(state: CutoverState): Judgement {
    const isLegacyMaintained = maintainedUntil(state.maintenance, "legacy", clock.now()) !== undefined;
    return inquiry.judge({ part: 1 / Math.max(1, options.instances()), silent: [], isLegacyMaintained });
  }

  function look(): void {
    const state = options.state();
    inquiry.follow(state);
    const isDue = inquiry.hear([options.told()], patienceMs);
    if (!isJudged(state)) {
      const latched = latchedJudgement(state);
      const next = latched !== undefined && isRolledBack(judged) ? judged : latched;
      if (next?.verdict !== judged?.verdict) onJudged(next);
      judged = next;
      return;
    }
    if (!isDue) return;
    const next = judge(state);
    if (isAlone() && next.verdict !== judged?.verdict) {
      log.info({ cutover: name, verdict: next.verdict, because: next.because, local: true }, next.sentence);
    }
    judged = next;
    onJudged(next);
    if (!isAlone() || !isToBeDone(next.action, state)) return;
    if (actHere(options, next.action, next) === "done") inquiry.acted();
  }

  function again(): void {
    try {
      look();
    } catch (error) {
      log.error({ cutover: name, error: errorText(error) }, "the guard could not look");
    }
    cancel = timers.after(lookEachMs, again);
  }

  cancel = timers.after(lookEachMs, again);
  return { judgement: () => judged, stop: () => cancel() };
}

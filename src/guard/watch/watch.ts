/**
 * Watches one cutover by what is counted of it, and acts: the loop around evidence and verdict.
 *
 *   look     four times a second: blocks whose quick or late look is due become evidence
 *   judge    after each, while the cutover is open or held and new has a share
 *   act      through the store, in the guard's name, only on the version that was judged; on this instance alone while
 *            the store does not answer. A hold is asked for once, a rollback also of what is held
 *   step     begins with a change of the percent. One whose gate is passed makes the guard roll back from then on,
 *            where no `action` is configured; at 0 it has to be earned anew
 *   resume   after an action: the evidence begins anew, on half of what is left of the day
 *
 * Instances watch by their own counts, each by its part of the budget, so that no more than the whole is spent whatever
 * they do.
 */
import type { Clock, Timers } from "../../base/clock.ts";
import { errorText, type Log } from "../../base/log.ts";
import type { LocalWrites } from "../../state/follow/local-changes.ts";
import type { Actor, CutoverState } from "../../state/rules/model.ts";
import { maintainedUntil } from "../../state/rules/sides/maintenance.ts";
import type { Store } from "../../state/store/port.ts";
import { createEvidence, type EvidenceSettings } from "../evidence/evidence.ts";
import { notWorseGate } from "../evidence/gate.ts";
import type { BlockCounts } from "../evidence/likelihood.ts";
import { type GuardAction, type Judgement, judgeSides } from "../verdict/verdict.ts";
import type { BlockReport, WindowTimes } from "../window/attempts.ts";
import { createLooks, type LookedBlock } from "../window/looks.ts";

export interface WatchOptions {
  /** The cutover's name. */
  readonly name: string;
  readonly times: WindowTimes;
  readonly evidence: EvidenceSettings;
  /** As configured. */
  readonly action: GuardAction | undefined;
  /** What each process of this instance has counted of late. */
  readonly reports: () => readonly (readonly BlockReport[])[];
  /** The moment by which blocks are told apart. */
  readonly blockClockMs: () => number;
  /** As it is in force here. */
  readonly state: () => CutoverState;
  /** Instances that watch the same, this one included. */
  readonly instances: () => number;
  readonly store: Pick<Store, "apply">;
  readonly local: Pick<LocalWrites, "makeLocally">;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly log: Log;
  /** A block's attempts that are over, of the step that stands. */
  readonly onLate?: (counts: BlockCounts) => void;
  /** @param judgement `undefined`: nothing goes to new, or nothing may be done about it */
  readonly onJudged: (judgement: Judgement | undefined) => void;
  readonly onActed: (action: GuardAction, state: CutoverState, isLocal: boolean, reason: string) => void;
}

export interface Watch {
  /** The last judgement; `undefined` before the first look, and while nothing goes to new. */
  judgement(): Judgement | undefined;
  stop(): void;
}

export const guardActor = { name: "guard", role: "responder" } as const satisfies Actor;

const lookEachMs = 250;

/** What the gate of a step asks: failures of at most so many times legacy's, at these odds. */
const gateTimes = 2;
const gateOdds = 20;

export function createWatch(options: WatchOptions): Watch {
  const { name, log, timers } = options;
  const parts = createParts(options);
  let judged: Judgement | undefined;
  let acting: Promise<void> | undefined;
  let isStopped = false;
  let cancel = () => {};

  function look(): void {
    try {
      const state = options.state();
      parts.follow(state);
      const isDue = parts.hear();
      if (!isJudged(state)) {
        if (judged !== undefined) options.onJudged(undefined);
        judged = undefined;
      } else if (isDue) {
        const next = parts.judge();
        if (next.verdict !== judged?.verdict) {
          log.info({ cutover: name, verdict: next.verdict, because: next.because }, next.sentence);
        }
        judged = next;
        options.onJudged(next);
        if (acting === undefined && isToBeDone(next.action, state)) {
          acting = act(options, next, state)
            .then((action) => action && parts.acted())
            .finally(() => {
              acting = undefined;
            });
        }
      }
    } catch (error) {
      log.error({ cutover: name, error: errorText(error) }, "the guard could not look");
    }
    if (!isStopped) cancel = timers.after(lookEachMs, look);
  }

  cancel = timers.after(lookEachMs, look);
  return {
    judgement: () => judged,
    stop() {
      isStopped = true;
      cancel();
    },
  };
}

function createParts({ times, evidence: settings, action, blockClockMs, clock, ...options }: WatchOptions) {
  const evidence = createEvidence(settings);
  let looks = createLooks(times, blockClockMs());
  let gate = notWorseGate(gateTimes);
  let state = options.state();
  let hasPassedAStep = false;
  let hasActed = false;
  let firstFailureMs: number | undefined;

  function take({ look, sides, stepBegins }: LookedBlock): void {
    evidence.attempts(look, sides, stepBegins);
    if (look === "quick") {
      const isFailing = sides.onNew.failed > 0 && firstFailureMs === undefined;
      if (isFailing) firstFailureMs = clock.monotonic() - times.quickAfterMs - times.blockMs;
      else if (!evidence.isGrowing()) firstFailureMs = undefined;
      return;
    }
    const { legacy, onNew } = sides;
    const events = legacy.failed + onNew.failed;
    const counts = { legacy: legacy.units, onNew: onNew.units, events, eventsOnNew: onNew.failed };
    gate.block([counts]);
    options.onLate?.(counts);
  }

  return {
    follow(next: CutoverState): void {
      const before = state;
      state = next;
      // Of another instance's guard, which has seen the same, as of this one's.
      if (next.state !== "open" && next.updatedBy === guardActor.name) hasActed = true;
      if (hasActed && before.state !== "open" && next.state === "open") {
        hasActed = false;
        evidence.resume();
        // What arrived before has been acted on.
        looks = createLooks(times, blockClockMs());
      }
      if (before.percentThousandths === next.percentThousandths) return;
      if (next.percentThousandths > before.percentThousandths && gate.evidence() >= gateOdds)
        hasPassedAStep = true;
      if (next.percentThousandths === 0) hasPassedAStep = false;
      gate = notWorseGate(gateTimes);
      looks.stepBegins(blockClockMs());
    },
    /** @returns whether there was anything to hear */
    hear(): boolean {
      const due = looks.due(blockClockMs(), options.reports());
      for (const block of due) take(block);
      return due.length > 0;
    },
    judge(): Judgement {
      return judgeSides({
        findings: evidence.findings(1 / Math.max(1, options.instances())),
        sides: evidence.sides(),
        ...(action === undefined ? {} : { action }),
        hasPassedAStep,
        isProven: gate.evidence() >= gateOdds,
        isLegacyMaintained: maintainedUntil(state.maintenance, "legacy", clock.now()) !== undefined,
        silent: [],
        ...(firstFailureMs === undefined ? {} : { sinceFirstFailureMs: clock.monotonic() - firstFailureMs }),
      });
    },
    acted(): void {
      hasActed = true;
    },
  };
}

function isJudged({ state, percentThousandths }: CutoverState): boolean {
  return (state === "open" || state === "held") && percentThousandths > 0;
}

/** An alert is said by the verdict's own line. */
function isToBeDone(action: GuardAction | undefined, { state }: CutoverState): action is "rollback" | "hold" {
  return action === "rollback" || (action === "hold" && state === "open");
}

/** @returns what was done; `undefined`: nothing, since what was judged has changed or refuses it */
async function act(
  { name, store, local, log, onActed }: WatchOptions,
  { action, sentence: reason }: Judgement,
  { version }: CutoverState,
): Promise<GuardAction | undefined> {
  if (action !== "rollback" && action !== "hold") return undefined;
  const asked = { name, actor: guardActor, reason: reason.slice(0, longestReason) };
  try {
    const command = { ...asked, change: { action }, origin: { via: "guard" }, ifVersion: version } as const;
    const applied = await store.apply(command);
    if (!applied.accepted) {
      log.info({ cutover: name, action, code: applied.code }, "the guard's action was refused");
      return undefined;
    }
    if (applied.changed) onActed(action, applied.state, false, asked.reason);
    return action;
  } catch (error) {
    log.warn({ cutover: name, action, error: errorText(error) }, "the guard acts on this instance alone");
    const applied = local.makeLocally({ ...asked, action });
    if (!applied.accepted) return undefined;
    if (applied.changed) onActed(action, applied.state, true, asked.reason);
    return action;
  }
}

/** As the API takes reasons. */
const longestReason = 500;

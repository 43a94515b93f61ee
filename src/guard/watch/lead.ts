/**
 * Watches one cutover by everybody's counts, on the one instance of the fleet that leads (state/leading).
 *
 *   take over  the evidence goes on where the leader before left it, beside the lease; nothing begins anew but what was
 *              decided by other settings
 *   hear       the records of all instances, each second; four times a second while new fails. What arrived in a block is
 *              brought together before it is evidence. An instance that is silent counts as it last told, and is named
 *   judge      after each look, while the cutover is open or held and new has a share; the owner's own metrics beside it
 *   act        through the store, under the lease's fence, only on the version that was judged
 *   keep       after each look: the evidence, under the same fence; each minute while there is nothing to judge
 */
import type { Clock, Timers } from "../../base/clock.ts";
import { StoreUnavailable } from "../../base/errors.ts";
import { errorText } from "../../base/log.ts";
import type { Roll } from "../../state/follow/roll.ts";
import type { Leadership } from "../../state/leading/leadership.ts";
import type { Fence } from "../../state/rules/leases/lease.ts";
import type { CutoverState } from "../../state/rules/model.ts";
import { maintainedUntil } from "../../state/rules/sides/maintenance.ts";
import type { Store } from "../../state/store/port.ts";
import type { MetricsReader } from "../metrics/reader.ts";
import { besideMetrics } from "../verdict/metrics.ts";
import { isSuspect } from "../verdict/verdict.ts";
import type { ToldBlocks } from "../window/told.ts";
import { type Acting, actInStore, isJudged, isRolledBack, isToBeDone, latchedJudgement } from "./act.ts";
import { courseFrom, courseText } from "./course.ts";
import { createFleetCounts, type FleetCounts } from "./fleet-counts.ts";
import { type FleetJudgement, fleetJudgement } from "./fleet-judgement.ts";
import { createInquiry, type Inquiry, type InquirySettings } from "./inquiry.ts";
import type { Tellings } from "./tellings.ts";
import { lookEachMs } from "./watch.ts";
import type { CountsListeners } from "./weighing.ts";

interface LeadOptions extends Acting {
  readonly settings: InquirySettings;
  /** How the guard is configured, and that part of it that the evidence hangs on; as digests. */
  readonly config: string;
  readonly sense: string;
  /** This instance's id. */
  readonly instance: string;
  readonly leadership: () => Pick<Leadership, "fence" | "refused"> | undefined;
  readonly store: Pick<Store, "apply" | "instances" | "keep" | "kept">;
  readonly tellings: Pick<Tellings, "told" | "nowMs">;
  /** The owner's own metrics; absent: there are none. */
  readonly metrics: MetricsReader | undefined;
  readonly roll: Pick<Roll, "members" | "nowMs">;
  /** As it is in force here. */
  readonly state: () => CutoverState;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly listeners?: CountsListeners;
  /** @param judged `undefined`: this instance does not lead, or nothing goes to new, or nothing may be done about it */
  readonly onJudged: (judged: FleetJudgement | undefined, isNews: boolean) => void;
}

export interface Lead {
  /** The last judgement of this instance as the leader. */
  judged(): FleetJudgement | undefined;
  stop(): void;
}

/** Everybody writes a record each second; one that is not there after so long is not waited for. */
const patienceMs = 1600;
/** Between two readings of the records. */
const readEachMs = 1000;

/** Between two writings of the evidence while nothing goes to new, or nothing may be done. */
const keepIdleEachMs = 60_000;

/** Of one grant of the lease. */
interface Leading {
  readonly fence: Fence;
  readonly inquiry: Inquiry;
  readonly heard: FleetCounts;
  readMs: number;
  keptMs: number;
}

export function createLead(options: LeadOptions): Lead {
  const { name, log, timers } = options;
  let leading: Leading | undefined;
  let judged: FleetJudgement | undefined;
  let isStopped = false;
  let cancel = () => {};

  function show(next: FleetJudgement | undefined): void {
    const isNews = next?.verdict !== judged?.verdict || next?.share?.isOff !== judged?.share?.isOff;
    if (next === undefined && judged === undefined) return;
    judged = next;
    options.onJudged(next, isNews);
  }

  async function look(): Promise<void> {
    const leadership = options.leadership();
    const fence = leadership?.fence();
    if (leadership === undefined || fence === undefined) {
      leading = undefined;
      options.metrics?.rest();
      return show(undefined);
    }
    if (leading?.fence.token !== fence.token) leading = await takeOver(options, fence);
    const { inquiry, heard } = leading;
    const state = options.state();
    inquiry.follow(state);
    const own = options.tellings.told(name);
    await hear(options, leading, own);
    const isDue = inquiry.hear(heard.told(own), patienceMs, options.listeners);
    if (!isJudged(state)) {
      options.metrics?.rest();
      show(latched(leading, state, judged));
    } else if (isDue) {
      const next = judge(options, leading, state);
      show(next);
      if (isToBeDone(next.action, state)) {
        const outcome = await actInStore(options, next.action, next, state, fence);
        if (outcome === "done") inquiry.acted();
        if (outcome === "fenced") return leadership.refused(fence);
      }
    }
    const nowMs = options.clock.monotonic();
    if (!isDue || (!isJudged(state) && nowMs - leading.keptMs < keepIdleEachMs)) return;
    leading.keptMs = nowMs;
    if (!(await keep(options, leading, own))) leadership.refused(fence);
  }

  function again(): void {
    look()
      .catch((error: unknown) => {
        // The follower says that the store is away; this instance then goes by its own counts (watch.ts).
        if (error instanceof StoreUnavailable) return;
        log.error({ cutover: name, error: errorText(error) }, "the guard could not look");
      })
      .finally(() => {
        if (!isStopped) cancel = timers.after(lookEachMs, again);
      });
  }

  cancel = timers.after(0, again);
  return {
    judged: () => judged,
    stop() {
      isStopped = true;
      cancel();
      options.metrics?.rest();
    },
  };
}

/** Whoever asks after the guard has rolled back hears why, and not that nothing is judged. */
function latched(
  { inquiry }: Leading,
  state: CutoverState,
  judged: FleetJudgement | undefined,
): FleetJudgement | undefined {
  const judgement = latchedJudgement(state);
  if (judgement === undefined || isRolledBack(judged)) return judgement && judged;
  const rest = { at: state.updatedAt, metrics: [], silent: [], differing: [] };
  return fleetJudgement(judgement, inquiry.exhibits(1), rest);
}

async function takeOver(options: LeadOptions, fence: Fence): Promise<Leading> {
  const { name, store, log, settings, config, sense, instance, tellings } = options;
  const text = await store.kept(fence.lease);
  const kept = text === undefined ? undefined : courseFrom(text);
  const isOfOtherSettings = kept !== undefined && kept.sense !== sense;
  const about = { cutover: name, token: fence.token };
  if (text !== undefined && kept === undefined) {
    log.warn(about, "the guard's evidence that was kept does not read: it begins anew");
  } else if (isOfOtherSettings) {
    const why = "is configured otherwise than that of the leader before: the evidence begins anew";
    log.warn(about, `the guard of this instance ${why} on half of what is left of the day`);
  } else if (kept !== undefined && kept.config !== config) {
    log.warn(about, "the guard of this instance is configured otherwise than that of the leader before");
  }
  const from = kept === undefined ? {} : { from: { kept: kept.inquiry, isOfOtherSettings } };
  const heard = createFleetCounts(
    { cutover: name, self: instance, times: settings.times, config },
    isOfOtherSettings ? {} : (kept?.heard ?? {}),
  );
  const inquiry = createInquiry(settings, () => tellings.nowMs(name), options.state(), from.from);
  return { fence, inquiry, heard, readMs: Number.NEGATIVE_INFINITY, keptMs: Number.NEGATIVE_INFINITY };
}

/** What is not answered is heard the next time; until then everybody counts as they told last. */
async function hear({ store, clock }: LeadOptions, leading: Leading, own: ToldBlocks): Promise<void> {
  const { heard, inquiry } = leading;
  const nowMs = clock.monotonic();
  const isFailing = heard.isFailing(own, inquiry.pending());
  if (nowMs - leading.readMs < (isFailing ? lookEachMs : readEachMs)) return;
  leading.readMs = nowMs;
  try {
    heard.read(await store.instances());
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
  }
}

function judge(
  { clock, roll, metrics: reader }: LeadOptions,
  { inquiry, heard }: Leading,
  state: CutoverState,
): FleetJudgement {
  const part = 1;
  const { names: silent, isBlind } = heard.silent(roll.members(), roll.nowMs());
  const isLegacyMaintained = maintainedUntil(state.maintenance, "legacy", clock.now()) !== undefined;
  const exhibits = inquiry.exhibits(part);
  const metrics = reader?.look(state) ?? [];
  const byCounts = inquiry.judge({ part, silent, isBlind, isLegacyMaintained });
  const judgement = besideMetrics(byCounts, metrics, isSuspect(exhibits.findings.tooManyOnLegacy));
  return fleetJudgement(judgement, exhibits, {
    at: new Date(clock.now()).toISOString(),
    ...{ metrics, silent },
    differing: heard.differing(),
  });
}

/** @returns false: somebody else leads */
async function keep(
  { store, config, sense }: LeadOptions,
  { fence, inquiry, heard }: Leading,
  own: ToldBlocks,
): Promise<boolean> {
  const left = heard.toKeep(own, inquiry.pending());
  return store.keep(fence, courseText({ config, sense, inquiry: inquiry.state(), heard: left }));
}

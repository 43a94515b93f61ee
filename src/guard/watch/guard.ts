/** The guard of an instance: over each guarded cutover the fleet's watch while it leads, and one by its own counts. */
import { createHash } from "node:crypto";
import type { Audit } from "../../audit/port.ts";
import type { Clock, Timers } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { createSignal } from "../../base/signal.ts";
import type { Config, CutoverConfig } from "../../config/schema.ts";
import type { Witness } from "../../proxy/witness.ts";
import type { LocalWrites } from "../../state/follow/local-changes.ts";
import type { Roll } from "../../state/follow/roll.ts";
import type { Following } from "../../state/follow/snapshot.ts";
import type { Leaderships } from "../../state/leading/leaderships.ts";
import { initialState } from "../../state/rules/model.ts";
import type { Store } from "../../state/store/port.ts";
import type { BlockCounts } from "../evidence/likelihood.ts";
import { createMetricsReader } from "../metrics/reader.ts";
import type { Judgement } from "../verdict/verdict.ts";
import type { GuardCounting } from "../window/counting.ts";
import { type Acting, guardActor, isJudged } from "./act.ts";
import type { FleetJudgement } from "./fleet-judgement.ts";
import type { InquirySettings } from "./inquiry.ts";
import { createLead, type Lead } from "./lead.ts";
import type { GuardMetrics } from "./metrics.ts";
import { type GuardConfig, type GuardedCutover, guardDigest, type Tellings, timesOf } from "./tellings.ts";
import { createWatch, type Watch } from "./watch.ts";
import type { CountsListeners } from "./weighing.ts";

const dayMs = 86_400_000;

/** @returns the witnesses of the routes that a guard goes by */
export function guardWitnesses(
  { cutovers }: Pick<Config, "cutovers">,
  counting: Pick<GuardCounting, "witness">,
): (cutover: string, route: string) => readonly Witness[] {
  return (cutover, route) => {
    const of = cutovers[cutover];
    if (of?.guard === undefined) return [];
    const times = timesOf({ guard: of.guard, routes: of.routes });
    // One name may be that of several routes.
    const journeys = of.routes.flatMap(({ name, journey }) => (name === route && journey) || []);
    const begins = of.routes.some(({ journey }) => journey?.start !== undefined) && of.visit === undefined;
    const on = {
      // Who begins is who is assigned; without journeys, and where visits are kept, whoever comes.
      assigns: !begins || journeys.some(({ start }) => start !== undefined),
      attempts: of.guard.routes?.includes(route) !== false,
      starts: times.followsJourneys === true && journeys.some(({ start }) => start !== undefined),
      ends: times.followsJourneys === true && journeys.some(({ end }) => end !== undefined),
    };
    return on.attempts || on.starts || on.ends || on.assigns ? [counting.witness(cutover, times, on)] : [];
  };
}

export interface Guard {
  /** What this instance knows of a cutover's guard; `undefined`: it has none. */
  known(cutover: string): GuardKnown | undefined;
  /** Hears, while this instance leads, of each block of attempts that are over, of the step that stands: of everybody's. */
  onLate(listener: (cutover: string, strata: readonly BlockCounts[]) => void): void;
  /**
   * Hears, while this instance leads, of each block the journeys not yet paid that began alike (in one minute, by one
   * percent), and those of them that were paid in it: of everybody's counts.
   */
  onPaid(listener: (cutover: string, strata: readonly BlockCounts[]) => void): void;
  configure(config: Pick<Config, "cutovers" | "prometheus">): void;
  stop(): void;
}

interface GuardKnown {
  /** By everybody's counts, while this instance leads. */
  readonly fleet: FleetJudgement | undefined;
  /** By this instance's counts alone. */
  readonly own: Judgement | undefined;
  /** Whether there is no store to lead by: each instance goes by its own counts. */
  readonly isAlone: boolean;
  /** The id of the instance that leads, as far as is known here. */
  readonly leader: string | undefined;
  /** Whether any of it goes to new: nothing is judged elsewhere. */
  readonly isJudged: boolean;
  /** Odds of a failure on new, in legacy's, that are still well. */
  readonly tolerance: number;
}

interface GuardOptions {
  /** This instance's id. */
  readonly instance: string;
  readonly store: Pick<Store, "apply" | "instances" | "keep" | "kept">;
  readonly follower: Pick<Following, "current" | "contact"> & Pick<LocalWrites, "makeLocally">;
  readonly roll: Pick<Roll, "members" | "nowMs">;
  readonly leaderships: Pick<Leaderships, "of" | "leader">;
  readonly tellings: Tellings;
  readonly metrics: GuardMetrics;
  readonly audit: Pick<Audit, "madeLocally">;
  /** There is news for this instance's record. */
  readonly announce: () => void;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly log: Log;
}

interface Watched {
  readonly config: string;
  readonly tolerance: number;
  readonly own: Watch;
  readonly lead: Lead;
}

/** What is watched is what is configured: a cutover whose guard stays as it is goes on with its evidence. */
export function openGuard(config: Pick<Config, "cutovers" | "prometheus">, options: GuardOptions): Guard {
  const { metrics, tellings, leaderships } = options;
  let prometheus = config.prometheus;
  const watched = new Map<string, Watched>();
  const late = createSignal<[cutover: string, strata: readonly BlockCounts[]]>();
  const paid = createSignal<[cutover: string, strata: readonly BlockCounts[]]>();

  function configure({ cutovers, prometheus: url }: Pick<Config, "cutovers" | "prometheus">): void {
    prometheus = url;
    tellings.configure({ cutovers });
    const guarded = Object.entries(cutovers).flatMap(([name, { guard, routes, journey }]) => {
      if (guard === undefined) return [];
      const settings = settingsOf({ guard, routes, journey });
      return [{ name, guard, settings, config: guardDigest({ guard, routes }), sense: senseOf(guard) }];
    });
    for (const [name, { config, own, lead }] of watched) {
      if (guarded.some((each) => each.name === name && each.config === config)) continue;
      own.stop();
      lead.stop();
      tellings.judge(name, undefined);
      watched.delete(name);
    }
    metrics.configure(
      guarded.map(({ name, guard }) => ({ name, metrics: (guard.metrics ?? []).map((each) => each.name) })),
    );
    for (const { name, guard, settings, config, sense } of guarded) {
      if (watched.has(name)) continue;
      const listeners: CountsListeners = {
        onLate: (strata) => late.tell(name, strata),
        onPaid: (strata) => paid.tell(name, strata),
      };
      const parts = { ...options, settings, config, sense, listeners, prometheus: () => prometheus };
      const { tolerance } = guard;
      watched.set(name, { config, tolerance, ...watchesOf(name, guard, parts) });
    }
  }

  configure(config);
  return {
    known(cutover) {
      const found = watched.get(cutover);
      if (found === undefined) return undefined;
      return {
        fleet: found.lead.judged(),
        own: found.own.judgement(),
        isAlone: isAlone(options),
        leader: leaderships.leader(cutover),
        isJudged: isJudged(options.follower.current().states.get(cutover) ?? initialState()),
        tolerance: found.tolerance,
      };
    },
    onLate: late.hear,
    onPaid: paid.hear,
    configure,
    stop() {
      for (const { own, lead } of watched.values()) {
        own.stop();
        lead.stop();
      }
      watched.clear();
    },
  };
}

/** A store that answers and does not let itself be written is led by nobody, either. */
function isAlone({ follower }: Pick<GuardOptions, "follower">): boolean {
  const { up, word } = follower.contact();
  return !up || word !== undefined;
}

interface WatchParts extends GuardOptions {
  readonly settings: InquirySettings;
  /** How the guard is configured, and that part of it that the evidence hangs on; as digests. */
  readonly config: string;
  readonly sense: string;
  readonly listeners: CountsListeners;
  /** Its URL, as it is configured now. */
  readonly prometheus: () => string | undefined;
}

function watchesOf(name: string, guard: GuardConfig, options: WatchParts): Pick<Watched, "own" | "lead"> {
  const { settings, store, follower, leaderships, tellings, metrics, log, announce } = options;
  const shared = {
    ...actingOf(name, options),
    settings,
    state: () => follower.current().states.get(name) ?? initialState(),
    timers: options.timers,
    clock: options.clock,
  };
  const leads = () => leaderships.of(name)?.fence() !== undefined;
  const own = createWatch({
    ...shared,
    told: () => tellings.told(name),
    blockClockMs: () => tellings.nowMs(name),
    instances: lastLive(name, options),
    isAlone: () => isAlone(options),
    onJudged(judgement) {
      if (!leads()) metrics.judged(name, isAlone(options) ? judgement?.verdict : undefined);
    },
  });
  const lead = createLead({
    ...shared,
    ...options,
    store,
    leadership: () => leaderships.of(name),
    metrics: readerOf(name, guard, options),
    onJudged(judged, isNews) {
      metrics.judged(name, judged?.verdict);
      metrics.split(name, judged?.share?.isOff === true);
      tellings.judge(name, judged);
      if (!isNews) return;
      if (judged !== undefined) {
        log.info({ cutover: name, verdict: judged.verdict, because: judged.because }, judged.sentence);
      }
      announce();
    },
  });
  return { own, lead };
}

function readerOf(name: string, { metrics: asked }: GuardConfig, options: WatchParts) {
  if (asked === undefined) return undefined;
  const { clock, log, roll, metrics, prometheus: url } = options;
  return createMetricsReader({
    ...{ name, metrics: asked, url, clock, log, storeMs: roll.nowMs },
    onFound: (findings) => metrics.found(name, findings),
  });
}

function actingOf(name: string, { store, follower, metrics, audit, log }: GuardOptions): Acting {
  return {
    name,
    store,
    local: follower,
    log,
    onActed(action, stands, isLocal, reason) {
      metrics.acted(name, action);
      log.warn({ cutover: name, action, version: stands.version, local: isLocal }, `the guard: ${reason}`);
      if (!isLocal || action === "alert") return;
      const change = { action } as const;
      audit.madeLocally({ name, change, actor: guardActor, reason, origin: { via: "guard" }, stands });
    },
  };
}

function settingsOf({
  guard,
  routes,
  journey,
}: GuardedCutover & Pick<CutoverConfig, "journey">): InquirySettings {
  return {
    times: timesOf({ guard, routes }),
    evidence: {
      alpha: guard.budget,
      blocksADay: Math.ceil(dayMs / guard.block),
      tolerance: guard.tolerance,
      mostFailing: guard.maxErrorRate,
      minFailures: guard.minFailures,
    },
    action: guard.action,
    longestJourneyMs: journey?.maxTtl ?? dayMs,
  };
}

/** What the evidence hangs on: with another of these it says another thing. */
function senseOf({ block, sloTimeout, tolerance, maxErrorRate, latency }: GuardConfig): string {
  const sense = JSON.stringify({ block, sloTimeout, tolerance, maxErrorRate, latency });
  return createHash("sha256").update(sense).digest("hex").slice(0, 8);
}

/** @returns how many instances have the cutover; while the store is away, as of before */
function lastLive(name: string, { follower, roll }: Pick<GuardOptions, "follower" | "roll">): () => number {
  let last = 1;
  return () => {
    if (!follower.contact().up) return last;
    const live = roll.members().filter(({ isLapsed, versions }) => !isLapsed && versions[name] !== undefined);
    last = Math.max(1, live.length);
    return last;
  };
}

/** The guard of an instance: what its processes count of each guarded cutover, and a watch over each. */
import type { Audit } from "../../audit/port.ts";
import { systemClock, systemTimers } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { createSignal } from "../../base/signal.ts";
import type { Config, CutoverConfig } from "../../config/schema.ts";
import type { Witness } from "../../proxy/witness.ts";
import type { LocalWrites } from "../../state/follow/local-changes.ts";
import type { Roll } from "../../state/follow/roll.ts";
import type { Following } from "../../state/follow/snapshot.ts";
import { initialState } from "../../state/rules/model.ts";
import type { Store } from "../../state/store/port.ts";
import type { BlockCounts } from "../evidence/likelihood.ts";
import type { Judgement } from "../verdict/verdict.ts";
import type { WindowTimes } from "../window/attempts.ts";
import type { GuardCounting, GuardReports } from "../window/counting.ts";
import type { GuardMetrics } from "./metrics.ts";
import { createWatch, guardActor, type Watch, type WatchOptions } from "./watch.ts";

type GuardConfig = NonNullable<CutoverConfig["guard"]>;

const dayMs = 86_400_000;
/** After a block's end, when its quick look is. */
const quickAfterMs = 1000;

function timesOf({ block, sloTimeout }: GuardConfig): WindowTimes {
  return { blockMs: block, quickAfterMs, lateAfterMs: sloTimeout };
}

/** @returns the witnesses of the routes that a guard goes by */
export function guardWitnesses(
  { cutovers }: Pick<Config, "cutovers">,
  counting: Pick<GuardCounting, "witness">,
): (cutover: string, route: string) => readonly Witness[] {
  return (cutover, route) => {
    const guard = cutovers[cutover]?.guard;
    if (guard === undefined || guard.routes?.includes(route) === false) return [];
    return [counting.witness(cutover, timesOf(guard))];
  };
}

export interface Guard {
  /** What another process of this instance has counted, all of it that is told of still. */
  hear(worker: number, reports: GuardReports): void;
  gone(worker: number): void;
  /** The last judgement of a cutover; `undefined`: it is not judged now. */
  judgement(cutover: string): Judgement | "unguarded" | undefined;
  /** Hears of each block of attempts that are over, of the step that stands. */
  onLate(listener: (cutover: string, counts: BlockCounts) => void): void;
  configure(config: Pick<Config, "cutovers">): void;
  stop(): void;
}

interface GuardOptions {
  readonly store: Pick<Store, "apply">;
  readonly follower: Pick<Following, "current"> & Pick<LocalWrites, "makeLocally">;
  /** Who else watches. */
  readonly roll: Pick<Roll, "members">;
  readonly metrics: GuardMetrics;
  readonly audit: Pick<Audit, "madeLocally">;
  /** Of this process. */
  readonly counting: GuardCounting;
  readonly log: Log;
}

/** What is watched is what is configured: a cutover whose guard stays as it is goes on with its evidence. */
export function openGuard(config: Pick<Config, "cutovers">, options: GuardOptions): Guard {
  const { metrics } = options;
  const told = new Map<number, GuardReports>();
  const watches = new Map<string, { readonly text: string; readonly watch: Watch }>();
  const late = createSignal<[cutover: string, counts: BlockCounts]>();
  const reports = (name: string) =>
    [options.counting.reports(), ...told.values()].map((each) => each[name] ?? []);

  function configure({ cutovers }: Pick<Config, "cutovers">): void {
    const guarded = Object.entries(cutovers).flatMap(([name, { guard }]) =>
      guard === undefined ? [] : [{ name, guard, text: JSON.stringify(guard) }],
    );
    for (const [name, { text, watch }] of watches) {
      if (guarded.some((each) => each.name === name && each.text === text)) continue;
      watch.stop();
      watches.delete(name);
    }
    metrics.configure(guarded.map(({ name }) => name));
    for (const { name, guard, text } of guarded) {
      if (watches.has(name)) continue;
      const onLate = (counts: BlockCounts) => late.tell(name, counts);
      const watch = watchOf(name, guard, { ...options, onLate, reports: () => reports(name) });
      watches.set(name, { text, watch });
    }
  }

  configure(config);
  return {
    hear: (worker, counted) => void told.set(worker, counted),
    gone: (worker) => void told.delete(worker),
    judgement(cutover) {
      const watched = watches.get(cutover);
      return watched === undefined ? "unguarded" : watched.watch.judgement();
    },
    onLate: (listener) => late.hear(listener),
    configure,
    stop() {
      for (const { watch } of watches.values()) watch.stop();
      watches.clear();
    },
  };
}

interface WatchParts extends GuardOptions {
  readonly reports: WatchOptions["reports"];
  readonly onLate: (counts: BlockCounts) => void;
}

function watchOf(name: string, guard: GuardConfig, parts: WatchParts): Watch {
  const { store, follower, roll, audit, counting, log, reports, metrics, onLate } = parts;
  return createWatch({
    name,
    times: timesOf(guard),
    evidence: {
      alpha: guard.budget,
      blocksADay: Math.ceil(dayMs / guard.block),
      tolerance: guard.tolerance,
      mostFailing: guard.maxErrorRate,
      minFailures: guard.minFailures,
    },
    action: guard.action,
    reports,
    blockClockMs: counting.nowMs,
    state: () => follower.current().states.get(name) ?? initialState(),
    instances: () => roll.members().filter(({ isLapsed }) => !isLapsed).length,
    store,
    local: follower,
    timers: systemTimers,
    clock: systemClock,
    log,
    onLate,
    onJudged: (judgement) => metrics.judged(name, judgement?.verdict),
    onActed(action, stands, isLocal, reason) {
      metrics.acted(name, action);
      log.warn({ cutover: name, action, version: stands.version, local: isLocal }, `the guard: ${reason}`);
      if (!isLocal || action === "alert") return;
      const change = { action } as const;
      audit.madeLocally({ name, change, actor: guardActor, reason, origin: { via: "guard" }, stands });
    },
  });
}

/**
 * Keeps one immutable snapshot of every configured cutover current with the store, and tells the fleet which
 * versions this instance decides by.
 *
 *   read         at the start, on a hint, and `pollMs` (jittered downward) after the last read; never two at once.
 *                A hint can be lost, so the poll alone keeps the promise to follow within a second.
 *   heard        a hint that tells the change is followed as it is told, where that is safe (succession.ts)
 *   swap         whole; listeners hear of it before the store does
 *   acknowledge  after each swap, when the store is back, and each second: the lease is three. One that failed is
 *                tried again after the next read
 *   failure      a store out of reach changes nothing but `contact()`; the next read that succeeds is a full one
 *   stale        counted from the contact that counts (heartbeat.ts, and why: completion.ts)
 *   local        what was changed on this instance alone (local-changes.ts) lowers all that is read, and is offered to
 *                the store after each answered read, until the store has accepted it
 *
 * A cutover's version never decreases here. What the store does not know keeps its last good state.
 */

import { type Clock, systemTimers, type Timers, within } from "../../base/clock.ts";
import { coalesce } from "../../base/coalesce.ts";
import { StoreUnavailable } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { WhenStale } from "../rules/completion.ts";
import { initialState } from "../rules/model.ts";
import { type Announcement, accept, type LastGood, successionOf } from "../rules/succession.ts";
import type { Loaded, Store } from "../store/port.ts";
import { createHeartbeat, heartbeatMs } from "./heartbeat.ts";
import { createLocalChanges, type LocalWrites } from "./local-changes.ts";
import { createFollowReport } from "./report.ts";
import { type Following, type Snapshot, sameIn, snapshotOf } from "./snapshot.ts";
import type { SnapshotFile } from "./snapshot-file.ts";

/** Leaves time to spare of the second in which a hand edit must be followed. */
export const defaultPollMs = 700;
/** How long a start, or whoever asked for a refresh, waits for the store. */
const answerBoundMs = 2000;
const stopBoundMs = 1000;

export interface FollowerOptions {
  readonly store: Store;
  /** Of every configured cutover; `follow` changes them. */
  readonly names: readonly string[];
  readonly instance: {
    readonly id: string;
    /** RFC 3339. */
    readonly startedAt: string;
  };
  /**
   * @param own the versions of its snapshot
   * @returns those the instance decides by, where others decide for it (workers); without it, its own
   */
  readonly versions?: (own: Readonly<Record<string, number>>) => Readonly<Record<string, number>>;
  /** The traffic figures to publish in the instance's record, by cutover. */
  readonly traffic: () => Readonly<Record<string, unknown>>;
  /** What this instance does when it is cut off, for its record. */
  readonly whenStale?: () => WhenStale;
  readonly clock: Clock;
  readonly log: Log;
  readonly snapshotFile?: SnapshotFile | undefined;
  /** A content written by hand is refused; once each. */
  readonly onRejected?: (name: string) => void;
  /** The store had lost the cutover and was given it back. */
  readonly onRestored?: (name: string) => void;
  /** The store had lost a change that was accepted. */
  readonly onRegressed?: (name: string) => void;
  readonly pollMs?: number;
  readonly timers?: Timers;
  /** 0 ≤ r < 1; spreads the polls of the instances. */
  readonly random?: () => number;
}

export interface Follower extends Following, LocalWrites {
  /**
   * Reads the last good state, then the store, waiting for it at most 2 s (and as long again for the instance's
   * record to be written); then follows. A store out of reach is logged, never an error.
   */
  start(): Promise<void>;
  /**
   * Follows these cutovers from now on. Resolves when the states of those that are new are in force: the store's, or
   * the last good ones when it does not answer within 2 s.
   */
  follow(names: readonly string[]): Promise<void>;
  /** What the instance decides by has changed: has its record written again. */
  announce(): void;
  /** How long ago the contact that counts (completion.ts) was, in ms; `Infinity` when there was none. */
  inContactAgoMs(): number;
  /** Ends following and withdraws the instance's record. Leaves the store open. Never rejects. */
  stop(): Promise<void>;
}

export function createFollower(options: FollowerOptions): Follower {
  const { store, instance, clock, snapshotFile } = options;
  const { timers = systemTimers, random = Math.random, pollMs = defaultPollMs } = options;
  const { versions = (own) => own } = options;
  const report = createFollowReport({
    log: options.log,
    onRejected: options.onRejected ?? (() => {}),
    onRestored: options.onRestored ?? (() => {}),
    onRegressed: options.onRegressed ?? (() => {}),
  });
  const listeners = new Set<(snapshot: Snapshot, previous: Snapshot) => void>();

  let names = options.names;
  let lastGood: LastGood = new Map();
  let snapshot = snapshotOf(names, lastGood);
  let contact: "none" | "up" | "lost" = "none";
  let lastContactMs = clock.monotonic();
  /** When the last answered read was sent. */
  let lastReadMs = Number.NEGATIVE_INFINITY;
  let phase: "starting" | "following" | "stopped" = "starting";
  let unsubscribe = () => {};
  let cancelPoll = () => {};
  let cancelOverdue = () => {};

  const local = createLocalChanges({
    store,
    instance: instance.id,
    clock,
    timers,
    log: options.log,
    snapshotFile,
    lastGood: () => lastGood,
    onAccepted(name, state) {
      const kept = lastGood.get(name);
      const isNews = names.includes(name) && (kept === undefined || state.version >= kept.version);
      take(isNews ? new Map(lastGood).set(name, state) : lastGood);
    },
  });

  const load = coalesce(async () => {
    if (isStopped()) return;
    cancelPoll();
    cancelOverdue = timers.after(answerBoundMs, () => lost(new StoreUnavailable("no answer in time")));
    const sentMs = clock.monotonic();
    const asked = lastGood;
    try {
      answered(await store.load(names, asked), asked, sentMs);
    } catch (error) {
      lost(error);
    } finally {
      cancelOverdue();
    }
    if (!isStopped()) cancelPoll = timers.after(pollMs * (0.75 + 0.25 * random()), () => void load());
  });

  function answered(loaded: Loaded, asked: LastGood, sentMs: number): void {
    if (isStopped()) return;
    const away = clock.monotonic() - lastContactMs;
    const isBack = contact !== "up";
    if (contact === "lost") report.back(away);
    contact = "up";
    lastContactMs = clock.monotonic();
    lastReadMs = sentMs;
    report.found(loaded);
    // A contact that has not counted for long is made to count now, not at the next heartbeat.
    const isLongAgo = sentMs - heartbeat.inContactMs() > 2 * heartbeatMs;
    const { states, steppedBack, isOutrun } = accept(names, asked, lastGood, loaded);
    for (const { name, kept, offered } of steppedBack) report.steppedBack(name, kept, offered);
    take(states, isBack || heartbeat.isOwed() || isLongAgo);
    if (isOutrun) void load();
    void local.offer();
  }

  function take(next: LastGood, owesRecord = false): void {
    const swapped = adopt(next);
    snapshotFile?.keep(lastGood);
    if (phase === "following" && (swapped || owesRecord)) void heartbeat.write();
  }

  function lost(error: unknown): void {
    if (isStopped()) return;
    if (contact !== "lost") report.lost(error);
    contact = "lost";
  }

  function heard(news?: Announcement): void {
    const isOurs = news === undefined || names.includes(news.name);
    if (phase === "stopped" || !isOurs) return;
    const told = news === undefined ? news : { ...news, isSure: news.isSure && contact === "up" };
    const how = phase === "following" && told ? successionOf(lastGood.get(told.name), told) : "ask";
    if (how === "ask") void load();
    else if (how === "follow" && told) take(new Map(lastGood).set(told.name, told.state));
  }

  /** @returns whether the snapshot was swapped */
  function adopt(next: LastGood): boolean {
    lastGood = next;
    const previous = snapshot;
    const candidate = snapshotOf(names, local.over(next), local.names());
    const changed = names.filter((name) => !sameIn(name, previous, candidate));
    if (changed.length === 0 && names.length === previous.states.size) return false;
    snapshot = candidate;
    for (const name of changed) report.swapped(name, stateIn(previous, name), stateIn(candidate, name));
    for (const listener of [...listeners]) {
      try {
        listener(candidate, previous);
      } catch (error) {
        report.listenerFailed(error);
      }
    }
    return true;
  }

  const heartbeat = createHeartbeat({
    store,
    timers,
    lastReadMs: () => lastReadMs,
    record: () => ({
      ...instance,
      seenAt: new Date(clock.now()).toISOString(),
      versions: versions(Object.fromEntries(names.map((name) => [name, stateIn(snapshot, name).version]))),
      traffic: options.traffic(),
      ...(options.whenStale === undefined ? {} : { stale: options.whenStale() }),
    }),
    onWritten: report.listed,
    onFailed(error) {
      // A lost store is said once, by the reading side.
      if (contact === "up") report.notListed(error);
    },
  });

  function isStopped(): boolean {
    return phase === "stopped";
  }

  return {
    current: () => snapshot,
    onSwap(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    contact: () => ({ up: contact === "up", stalenessMs: clock.monotonic() - lastContactMs }),
    isStale: (afterMs) => clock.monotonic() - heartbeat.inContactMs() > afterMs,
    pendingLocally: local.pending,
    keptLocally: local.kept,
    makeLocally(asked) {
      const applied = local.make(asked, lastGood);
      take(lastGood);
      if (contact === "up") void local.offer();
      return applied;
    },
    refresh: () => within(answerBoundMs, timers, load()).catch(() => undefined),

    async start() {
      const kept = await snapshotFile?.read();
      if (isStopped()) return;
      if (kept !== undefined) {
        local.recall([...kept.local.values()].filter(({ name }) => names.includes(name)));
        adopt(new Map([...kept.states].filter(([name]) => names.includes(name))));
      }
      unsubscribe = store.subscribe(heard);
      await within(answerBoundMs, timers, load()).catch(lost);
      if (isStopped()) return;
      phase = "following";
      if (contact === "up") {
        await within(answerBoundMs, timers, heartbeat.write()).catch(report.notListed);
      } else {
        report.startedWithoutStore(names.filter((name) => !lastGood.has(name)));
        void heartbeat.write();
      }
    },

    async follow(next) {
      const kept = await snapshotFile?.read();
      names = next;
      const unknown = [...(kept?.states ?? [])].filter(
        ([name]) => names.includes(name) && !lastGood.has(name),
      );
      take(new Map([...lastGood, ...unknown]));
      await within(answerBoundMs, timers, load()).catch(() => undefined);
    },

    announce() {
      if (phase === "following") void heartbeat.write();
    },

    inContactAgoMs: () => clock.monotonic() - heartbeat.inContactMs(),

    async stop() {
      if (isStopped()) return;
      phase = "stopped";
      unsubscribe();
      for (const cancel of [cancelPoll, cancelOverdue]) cancel();
      heartbeat.stop();
      // A record under way must land before it is withdrawn, or it would outlive the instance.
      await within(stopBoundMs, timers, heartbeat.write()).catch(() => undefined);
      await within(stopBoundMs, timers, store.leave(instance.id)).catch(report.notWithdrawn);
      if (snapshotFile !== undefined) {
        await within(stopBoundMs, timers, snapshotFile.settled()).catch(() => undefined);
      }
    },
  };
}

function stateIn(snapshot: Snapshot, name: string) {
  return snapshot.states.get(name) ?? initialState();
}

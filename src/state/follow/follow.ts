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
 *   stale        counted from the contact that counts (contact.ts, and why: completion.ts)
 *   local        what was changed on this instance alone (local-changes.ts) lowers all that is read, and is offered to
 *                the store after each answered read, until the store has accepted it
 *
 * A cutover's version never decreases here. What the store does not know keeps its last good state.
 */

import { type Clock, systemTimers, type Timers, within } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { InstanceProfile, InstanceRecord, Roster, WhenStale } from "../rules/completion.ts";
import { type Announcement, accept, successionOf } from "../rules/succession.ts";
import type { Rejection, StartsOf, Store } from "../store/port.ts";
import { answerBoundMs, createHeartbeat, createReading, type Heartbeat, type Reading } from "./contact.ts";
import { createLocalChanges, type LocalChanges, type LocalWrites } from "./local-changes.ts";
import { createFollowReport, type FollowReport } from "./report.ts";
import {
  type Basis,
  createInForce,
  type Following,
  type InForce,
  isDoubtful,
  stateIn,
  type Writing,
} from "./snapshot.ts";
import type { SnapshotFile } from "./snapshot-file.ts";

/** Leaves time to spare of the second in which a hand edit must be followed. */
export const defaultPollMs = 700;
const stopBoundMs = 1000;

export interface FollowerOptions {
  readonly store: Store;
  /** The names of every configured cutover; `follow` changes them. */
  readonly names: readonly string[];
  /** Where cohorts begin; without it no cohort has a percent of its own. */
  readonly starts?: StartsOf;
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
  /** What else a person finds this instance by, for its record. */
  readonly profile?: () => InstanceProfile;
  readonly clock: Clock;
  readonly log: Log;
  readonly snapshotFile?: SnapshotFile | undefined;
  /** A content written by hand is refused; once each. */
  readonly onRejected?: (name: string) => void;
  /** The store had lost a change that was accepted. */
  readonly onRegressed?: (name: string) => void;
  /** The instance's record was not taken, once each; and once when it is taken again. */
  readonly onDoubtful?: () => void;
  /** Who is known of the fleet was read from the store. */
  readonly onRoster?: (roster: Roster) => void;
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
  /** What stands in the store by hand and is not followed, as of the last read that was answered. */
  refusedByHand(): readonly Rejection[];
  /** How long ago the contact that counts (completion.ts) was, in ms; `Infinity` when there was none. */
  inContactAgoMs(): number;
  writing(): Writing;
  /** Ends following and withdraws the instance's record. Leaves the store open. Never rejects. */
  stop(): Promise<void>;
}

/** A follower's parts, and where it is in its life. */
interface Parts {
  readonly options: FollowerOptions;
  readonly timers: Timers;
  readonly report: FollowReport;
  readonly inForce: InForce;
  readonly heartbeat: Heartbeat;
  readonly local: LocalChanges;
  readonly reading: Reading;
  readonly refused: { byHand: readonly Rejection[] };
  readonly life: { phase: "starting" | "following" | "stopped"; unsubscribe: () => void };
  /** Goes on to these, keeps them in the file, and tells the fleet of a swap. */
  readonly take: (next: Partial<Basis>, owesRecord?: boolean) => void;
}

export function createFollower(options: FollowerOptions): Follower {
  const parts = createParts(options);
  const { inForce, heartbeat, local, reading, life, timers } = parts;
  const { clock } = options;
  return {
    current: inForce.current,
    onSwap: inForce.onSwap,
    contact: () => ({ ...heartbeat.refusal(), ...reading.contact() }),
    isDoubtful: (forMs) => isDoubtful(heartbeat.writing(), forMs),
    writing: heartbeat.writing,
    isStale: (afterMs) => clock.monotonic() - heartbeat.inContactMs() > afterMs,
    refusedByHand: () => parts.refused.byHand,
    inContactAgoMs: () => clock.monotonic() - heartbeat.inContactMs(),
    pendingLocally: local.pendingLocally,
    keptLocally: local.keptLocally,
    makeLocally(asked) {
      const applied = local.makeLocally(asked);
      if (reading.contact().up) void local.offer();
      return applied;
    },
    refresh: () => within(answerBoundMs, timers, reading.load()).catch(() => undefined),
    start: () => start(parts),
    follow: (names) => follow(parts, names),
    announce() {
      if (life.phase === "following") void heartbeat.write();
    },
    stop: () => stop(parts),
  };
}

function createParts(options: FollowerOptions): Parts {
  const { store, clock, snapshotFile, log, instance, starts = () => undefined } = options;
  const { timers = systemTimers, random = Math.random, pollMs = defaultPollMs } = options;
  const { onRejected = () => {}, onRegressed = () => {}, onDoubtful = () => {} } = options;
  const report = createFollowReport({ log, onRejected, onRegressed });
  const refused: Parts["refused"] = { byHand: [] };
  const life: Parts["life"] = { phase: "starting", unsubscribe: () => {} };
  const inForce = createInForce({
    names: options.names,
    starts,
    onSwapped: report.swapped,
    onListenerFailed: report.listenerFailed,
  });
  const heartbeat = createHeartbeat({
    store,
    clock,
    timers,
    record: () => recordOf(options, inForce),
    onRoster: options.onRoster,
    onWritten(isMended) {
      report.listed();
      if (isMended) onDoubtful();
    },
    onFailed(error) {
      report.notListed(error);
      onDoubtful();
    },
  });

  function take(next: Partial<Basis>, owesRecord = false): void {
    const swapped = inForce.take(next);
    snapshotFile?.keep(inForce.basis().lastGood);
    if (life.phase === "following" && (swapped || owesRecord)) void heartbeat.write();
  }

  const { basis } = inForce;
  const local = createLocalChanges({
    store,
    ...{ instance: instance.id, called: () => options.profile?.().name, starts },
    clock,
    timers,
    log,
    snapshotFile,
    basis,
    take,
  });
  const reading = createReading({
    store,
    clock,
    timers,
    pollMs,
    random,
    basis,
    onLost: report.lost,
    onAnswered({ loaded, asked, sentMs, isBack, awayMs }) {
      if (awayMs !== undefined) report.back(awayMs);
      report.found(loaded);
      refused.byHand = loaded.rejections;
      heartbeat.answered(sentMs);
      const { names, lastGood } = basis();
      const { states, steppedBack, isOutrun } = accept(names, asked, lastGood, loaded);
      for (const { name, kept, offered } of steppedBack) report.steppedBack(name, kept, offered);
      take({ lastGood: states }, isBack || heartbeat.isOwed());
      void local.offer();
      return isOutrun;
    },
  });
  return { options, timers, report, inForce, heartbeat, local, reading, refused, life, take };
}

function recordOf(
  { instance, clock, versions, traffic, whenStale, profile }: FollowerOptions,
  inForce: InForce,
): InstanceRecord {
  const snapshot = inForce.current();
  const own = Object.fromEntries(
    inForce.basis().names.map((name) => [name, stateIn(snapshot, name).version]),
  );
  return {
    ...instance,
    ...profile?.(),
    seenAt: new Date(clock.now()).toISOString(),
    versions: versions?.(own) ?? own,
    traffic: traffic(),
    ...(whenStale === undefined ? {} : { stale: whenStale() }),
  };
}

/** A hint has come: what it tells is followed as it is told, where that is safe; else the store is read. */
function heard({ inForce, reading, life, take }: Parts, announced?: Announcement): void {
  const { names, lastGood } = inForce.basis();
  if (life.phase === "stopped" || (announced !== undefined && !names.includes(announced.name))) return;
  if (announced === undefined || life.phase !== "following") return void reading.load();
  const told = { ...announced, isSure: announced.isSure && reading.contact().up };
  const how = successionOf(lastGood.get(told.name), told);
  if (how === "ask") void reading.load();
  else if (how === "follow") take({ lastGood: new Map(lastGood).set(told.name, told.state) });
}

async function start(parts: Parts): Promise<void> {
  const { options, timers, report, inForce, heartbeat, local, reading, life } = parts;
  const kept = await options.snapshotFile?.read();
  if (life.phase === "stopped") return;
  if (kept !== undefined) {
    const { names } = inForce.basis();
    inForce.take({
      local: local.recalled([...kept.local.values()].filter(({ name }) => names.includes(name))),
      lastGood: new Map([...kept.states].filter(([name]) => names.includes(name))),
    });
  }
  life.unsubscribe = options.store.subscribe((announced) => heard(parts, announced));
  await within(answerBoundMs, timers, reading.load()).catch(reading.lost);
  if (isStopped(parts)) return;
  life.phase = "following";
  if (reading.contact().up) {
    await within(answerBoundMs, timers, heartbeat.write()).catch(report.notListed);
  } else {
    const { names, lastGood } = inForce.basis();
    report.startedWithoutStore(names.filter((name) => !lastGood.has(name)));
    void heartbeat.write();
  }
}

async function follow(
  { options, timers, inForce, reading, take }: Parts,
  names: readonly string[],
): Promise<void> {
  const kept = await options.snapshotFile?.read();
  const { lastGood } = inForce.basis();
  const unknown = [...(kept?.states ?? [])].filter(([name]) => names.includes(name) && !lastGood.has(name));
  take({ names, lastGood: new Map([...lastGood, ...unknown]) });
  await within(answerBoundMs, timers, reading.load()).catch(() => undefined);
}

async function stop({ options, timers, report, heartbeat, reading, life }: Parts): Promise<void> {
  if (life.phase === "stopped") return;
  life.phase = "stopped";
  life.unsubscribe();
  reading.stop();
  heartbeat.stop();
  const { store, instance, snapshotFile } = options;
  // A record under way must land before it is withdrawn, or it would outlive the instance.
  await within(stopBoundMs, timers, heartbeat.write()).catch(() => undefined);
  await within(stopBoundMs, timers, store.leave(instance.id)).catch(report.notWithdrawn);
  if (snapshotFile !== undefined) {
    await within(stopBoundMs, timers, snapshotFile.settled()).catch(() => undefined);
  }
}

/** Asked anew: it may have been stopped while something was awaited. */
function isStopped({ life }: Parts): boolean {
  return life.phase === "stopped";
}

/**
 * An instance's contact with the store: it reads the states, and it keeps its record there, each second since the lease is
 * three. The contact that counts (completion.ts) is the sending of the last answered read before the last acknowledged
 * record.
 */
import type { Clock, Timers } from "../../base/clock.ts";
import { coalesce } from "../../base/coalesce.ts";
import { StoreUnavailable, storeWordOf } from "../../base/errors.ts";
import { type InstanceRecord, leaseMs, type Roster } from "../rules/completion.ts";
import type { LastGood } from "../rules/succession.ts";
import type { Loaded, Store } from "../store/port.ts";
import type { Basis, Following, Writing } from "./snapshot.ts";

/** How long a start or a refresh waits for the store. */
export const answerBoundMs = 2000;
const heartbeatMs = 1000;
/** Of each member of the fleet, between two looks for silent ones. */
const lookMs = 50;

export interface Heartbeat {
  /** Resolves when a record written after the asking is acknowledged, or has failed. Never rejects. */
  write(): Promise<void>;
  /** Takes note of when a read was sent that has been answered, by the monotonic clock. */
  answered(sentMs: number): void;
  /** Whether a record is due before the next second is over: the last one failed, or none has counted for long. */
  isOwed(): boolean;
  /** The contact that counts, by the monotonic clock; -Infinity when there was none. */
  inContactMs(): number;
  /** How the store refuses the record now; `undefined`: it takes it, or does not answer. */
  refusal(): { readonly word: string; readonly refusedForMs: number } | undefined;
  writing(): Writing;
  stop(): void;
}

interface HeartbeatOptions {
  readonly store: Pick<Store, "acknowledge" | "roster">;
  readonly record: () => InstanceRecord;
  readonly clock: Pick<Clock, "monotonic">;
  readonly timers: Timers;
  /** @param isMended the record before was not taken */
  readonly onWritten: (isMended: boolean) => void;
  readonly onFailed: (error: unknown) => void;
  /** Who is known of the fleet was read. */
  readonly onRoster?: ((roster: Roster) => void) | undefined;
}

export function createHeartbeat(options: HeartbeatOptions): Heartbeat {
  const { store, clock, timers } = options;
  let refused: { readonly word: string; readonly sinceMs: number } | undefined;
  let writtenMs = Number.NEGATIVE_INFINITY;
  let mendedMs = Number.NEGATIVE_INFINITY;
  let silentMs = Number.NEGATIVE_INFINITY;
  let nextLookMs = Number.NEGATIVE_INFINITY;
  let inContactMs = Number.NEGATIVE_INFINITY;
  /** When the last answered read was sent. */
  let lastReadMs = Number.NEGATIVE_INFINITY;
  let hasFailed = false;
  let isStopped = false;
  let cancel = () => {};

  const write = coalesce(async () => {
    if (isStopped) return;
    cancel();
    const readMs = lastReadMs;
    const sentMs = clock.monotonic();
    try {
      const record = options.record();
      await store.acknowledge(record);
      inContactMs = readMs;
      const isMended = hasFailed;
      if (isMended) mendedMs = clock.monotonic();
      writtenMs = sentMs;
      hasFailed = false;
      refused = undefined;
      options.onWritten(isMended);
      void lookForSilent(record.id);
    } catch (error) {
      hasFailed = true;
      const word = storeWordOf(error);
      const nowMs = clock.monotonic();
      refused = word === undefined ? undefined : { word, sinceMs: refused?.sinceMs ?? nowMs };
      if (!isStopped) options.onFailed(error);
    }
    if (!isStopped) cancel = timers.after(heartbeatMs, () => void write());
  });

  /**
   * One that is cut off may learn what nobody else knows: it is missed by its record. In a large fleet each looks less
   * often, or all the records would be read by all of them each second.
   */
  async function lookForSilent(self: string): Promise<void> {
    if (clock.monotonic() < nextLookMs) return;
    try {
      const roster = await store.roster();
      options.onRoster?.(roster);
      const { nowMs, members } = roster;
      nextLookMs = clock.monotonic() + members.length * lookMs - heartbeatMs / 2;
      const isSilent = members.some(({ id, seenAtMs }) => id !== self && nowMs >= seenAtMs + leaseMs);
      if (isSilent) silentMs = clock.monotonic();
    } catch {
      // The record tells how the store is.
    }
  }

  return {
    write,
    answered(sentMs) {
      lastReadMs = sentMs;
    },
    // A contact that has not counted for long is made to count now, not at the next heartbeat.
    isOwed: () => hasFailed || lastReadMs - inContactMs > 2 * heartbeatMs,
    inContactMs: () => inContactMs,
    refusal: () => refused && { word: refused.word, refusedForMs: clock.monotonic() - refused.sinceMs },
    writing() {
      const nowMs = clock.monotonic();
      return {
        writtenAgoMs: nowMs - writtenMs,
        troubledAgoMs: hasFailed ? 0 : nowMs - mendedMs,
        silentAgoMs: nowMs - silentMs,
      };
    },
    stop() {
      isStopped = true;
      cancel();
    },
  };
}

interface Answer {
  readonly loaded: Loaded;
  /** The caller's states when the store was asked. */
  readonly asked: LastGood;
  /** When the read was sent, by the monotonic clock. */
  readonly sentMs: number;
  /** Whether the store did not answer before; if it was lost, for how many ms. */
  readonly isBack: boolean;
  readonly awayMs: number | undefined;
}

/** What is read, and whether the store answers. */
export interface Reading extends Pick<Following, "contact"> {
  /** Reads now; resolves when a read that began after the asking is over. Never rejects. */
  load(): Promise<void>;
  /** The caller had no answer in time. */
  lost(error: unknown): void;
  stop(): void;
}

interface ReadingOptions {
  readonly store: Pick<Store, "load">;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Between two reads that nobody asks for, at most. */
  readonly pollMs: number;
  /** 0 ≤ r < 1; shortens the time to the next read by at most a quarter. */
  readonly random: () => number;
  /** The cutovers that are asked for, and what the store is told of them. */
  readonly basis: () => Pick<Basis, "names" | "lastGood">;
  /** @returns whether it is to be read again at once */
  readonly onAnswered: (answer: Answer) => boolean;
  /** Once for each time the store is lost. */
  readonly onLost: (error: unknown) => void;
}

/** Reads on demand and by itself, never twice at once. */
export function createReading(options: ReadingOptions): Reading {
  const { store, clock, timers, pollMs, random, onAnswered, onLost } = options;
  let contact: "none" | "up" | "lost" = "none";
  let word: string | undefined;
  let lastContactMs = clock.monotonic();
  let isStopped = false;
  let cancelPoll = () => {};
  let cancelOverdue = () => {};

  const load = coalesce(async () => {
    if (isStopped) return;
    cancelPoll();
    cancelOverdue = timers.after(answerBoundMs, () => lost(new StoreUnavailable("no answer in time")));
    const sentMs = clock.monotonic();
    const { names, lastGood } = options.basis();
    try {
      answered(await store.load(names, lastGood), lastGood, sentMs);
    } catch (error) {
      lost(error);
    } finally {
      cancelOverdue();
    }
    if (!isStopped) cancelPoll = timers.after(pollMs * (0.75 + 0.25 * random()), () => void load());
  });

  function answered(loaded: Loaded, asked: LastGood, sentMs: number): void {
    if (isStopped) return;
    const nowMs = clock.monotonic();
    const isBack = contact !== "up";
    const awayMs = contact === "lost" ? nowMs - lastContactMs : undefined;
    contact = "up";
    word = undefined;
    lastContactMs = nowMs;
    if (onAnswered({ loaded, asked, sentMs, isBack, awayMs })) void load();
  }

  function lost(error: unknown): void {
    if (isStopped) return;
    const isFirst = contact !== "lost";
    contact = "lost";
    word = storeWordOf(error);
    if (isFirst) onLost(error);
  }

  return {
    load,
    lost,
    contact: () => ({
      up: contact === "up",
      stalenessMs: clock.monotonic() - lastContactMs,
      ...(word === undefined ? {} : { word }),
    }),
    stop() {
      isStopped = true;
      cancelPoll();
      cancelOverdue();
    },
  };
}

/**
 * Owners that could not be recorded in time wait here and are handed in until the store has taken them: at least
 * once, and harmlessly so, since recording what is owned changes nothing. With a folder they wait in a file too
 * (spool-file.ts), so that what a killed process knew is handed in by the next one on this host.
 */
import { type Clock, type Timers, within } from "../../base/clock.ts";
import { errorText, type Log } from "../../base/log.ts";
import type { Side } from "../../state/rules/model.ts";
import type { NamedKey, OwnerStore } from "../stores/port.ts";
import type { SpoolFile } from "./spool-file.ts";

export interface Fact extends NamedKey {
  readonly cutover: string;
  readonly side: Side;
  /** When it is no longer worth keeping; ms since the epoch. */
  readonly until: number;
}

export interface SpoolCounts {
  /** The key had the other side as its owner when the fact was handed in. */
  disputed(cutover: string): void;
  /** A fact was given up: too many wait. */
  lost(cutover: string): void;
}

export interface SpoolOptions {
  readonly owners: Pick<OwnerStore, "record">;
  /** Without it facts wait in memory only. */
  readonly file: SpoolFile | undefined;
  readonly clock: Pick<Clock, "now">;
  readonly timers: Timers;
  readonly log: Log;
  readonly counts: SpoolCounts;
  /** Hears the owner of each key handed in. */
  readonly onRecorded: (fact: Fact, owner: Side) => void;
  /** Most facts that wait; 100,000 without it. */
  readonly most?: number;
}

export interface Spool {
  /** Resolves when the fact is in the file, or as soon as it has taken too long. Never rejects. */
  add(fact: Fact): Promise<void>;
  /** How many facts wait. */
  waiting(): number;
  /** Takes over what earlier processes left behind. Never rejects. */
  start(): Promise<void>;
  /** Hands in nothing more; what waits stays in the file for the next process. */
  close(): Promise<void>;
}

const retryMs = 250;
const atOnce = 64;
/** The longest a response waits for the file. */
const fileMs = 250;

export function createSpool(options: SpoolOptions): Spool {
  const { owners, file, clock, timers, log, counts, onRecorded, most = 100_000 } = options;
  const facts = new Map<string, Fact>();
  let handing: Promise<void> | undefined;
  let cancel = () => {};
  let closed = false;
  let isFileFailing = false;

  /** @returns whether the fact waits now and did not before */
  function take(fact: Fact): boolean {
    const id = `${fact.claimed}:${fact.cutover}:${fact.key}`;
    if (facts.has(id)) return false;
    if (facts.size >= most) {
      counts.lost(fact.cutover);
      return false;
    }
    facts.set(id, fact);
    return true;
  }

  async function write(taken: readonly Fact[]): Promise<void> {
    if (file === undefined || taken.length === 0) return;
    try {
      await file.append(taken);
      if (isFileFailing) log.info({}, "the spool's file can be written again");
      isFileFailing = false;
    } catch (error) {
      if (!isFileFailing) log.warn({ error: errorText(error) }, "the spool's file could not be written");
      isFileFailing = true;
    }
  }

  /** @returns whether the fact waits no longer */
  async function handIn(id: string, fact: Fact): Promise<boolean> {
    const ttlMs = fact.until - clock.now();
    if (ttlMs > 0) {
      try {
        const before = await owners.record(fact.cutover, fact, fact.side, ttlMs, true);
        if (before !== undefined && before !== fact.side) {
          counts.disputed(fact.cutover);
          log.warn(
            { cutover: fact.cutover, side: fact.side },
            "a key handed in late is owned by the other side",
          );
        }
        onRecorded(fact, before ?? fact.side);
      } catch {
        return false;
      }
    }
    facts.delete(id);
    return true;
  }

  async function handInAll(): Promise<void> {
    while (facts.size > 0 && !closed) {
      const batch = [...facts].slice(0, atOnce);
      const done = await Promise.all(batch.map(([id, fact]) => handIn(id, fact)));
      if (done.includes(false)) return;
    }
    if (facts.size === 0) await file?.clear().catch(() => undefined);
  }

  function run(): void {
    if (closed || handing !== undefined) return;
    handing = handInAll().finally(() => {
      handing = undefined;
      if (facts.size > 0) schedule();
    });
  }

  function schedule(): void {
    if (closed || handing !== undefined) return;
    cancel();
    cancel = timers.after(retryMs, run);
  }

  return {
    async add(fact) {
      if (!take(fact)) return;
      if (facts.size === 1) schedule();
      await within(fileMs, timers, write([fact])).catch(() => undefined);
    },
    waiting: () => facts.size,
    async start() {
      if (file === undefined) return;
      try {
        const left = await file.adopt(async (found) => write(found.filter(take)));
        if (left > 0) log.info({ owners: left }, "took over owners that an earlier process could not record");
      } catch (error) {
        log.warn({ error: errorText(error) }, "the spool's folder could not be read");
      }
      if (facts.size > 0) run();
    },
    async close() {
      closed = true;
      cancel();
      await handing;
      await file?.close(facts.size === 0).catch(() => undefined);
    },
  };
}

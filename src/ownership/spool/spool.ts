/**
 * Owners that could not be recorded in time wait here and are handed in until the store has taken them: at least
 * once, and harmlessly so, since recording what is owned changes nothing. With a folder they wait in a file too
 * (spool-file.ts), so that what a killed process knew is handed in by the next one on this host.
 */
import { type Clock, type Timers, within } from "../../base/clock.ts";
import { errorText, type Log } from "../../base/log.ts";
import type { Side } from "../../state/rules/model.ts";
import type { OwnerStore } from "../stores/port.ts";
import type { LateOwner, SpoolFile } from "./spool-file.ts";

export interface SpoolCounts {
  /** The key had the other side as its owner when its own was handed in. */
  disputed(cutover: string): void;
  /** An owner was given up: too many wait. */
  lost(cutover: string): void;
}

export interface SpoolOptions {
  readonly owners: Pick<OwnerStore, "record">;
  /** Without it owners wait in memory only. */
  readonly file: SpoolFile | undefined;
  readonly clock: Pick<Clock, "now">;
  readonly timers: Timers;
  readonly log: Log;
  readonly counts: SpoolCounts;
  /** The store did not take a key that was handed in. */
  readonly onRefused?: (cutover: string, error: unknown) => void;
  /** Hears the owner of each key handed in. */
  readonly onRecorded: (late: LateOwner, owner: Side) => void;
  /** Most owners that wait; 100,000 without it. */
  readonly most?: number;
}

export interface Spool {
  /** Resolves when the owner is in the file, or as soon as that has taken too long. Never rejects. */
  add(late: LateOwner): Promise<void>;
  /** Whether an owner of the key waits, by a fact or a claim. */
  has(cutover: string, key: string): boolean;
  /** How many owners wait. */
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
  const { file, timers, log } = options;
  const waiting = createWaiting(options);
  const write = writing(options);
  let handing: Promise<void> | undefined;
  let cancel = () => {};
  let closed = false;

  async function handInAll(): Promise<void> {
    /** Their store takes nothing just now; that of others may. */
    const refused = new Set<string>();
    for (;;) {
      const batch = waiting.first(atOnce, refused);
      if (batch.length === 0 || closed) break;
      await Promise.all(
        batch.map(async (late) => {
          if (await handIn(options, late)) waiting.delete(late);
          else refused.add(late.cutover);
        }),
      );
    }
    if (waiting.count() === 0) await file?.clear().catch(() => undefined);
  }

  function run(): void {
    if (closed || handing !== undefined) return;
    handing = handInAll().finally(() => {
      handing = undefined;
      if (waiting.count() > 0) schedule();
    });
  }

  function schedule(): void {
    if (closed || handing !== undefined) return;
    cancel();
    cancel = timers.after(retryMs, run);
  }

  return {
    async add(late) {
      if (!waiting.add(late)) return;
      if (waiting.count() === 1) schedule();
      await within(fileMs, timers, write([late])).catch(() => undefined);
    },
    has: waiting.has,
    waiting: waiting.count,
    async start() {
      if (file === undefined) return;
      try {
        const left = await file.adopt((found) => write(found.filter(waiting.add)));
        if (left > 0) log.info({ owners: left }, "took over owners that an earlier process could not record");
      } catch (error) {
        log.warn({ error: errorText(error) }, "the spool's folder could not be read");
      }
      if (waiting.count() > 0) run();
    },
    async close() {
      closed = true;
      cancel();
      await handing;
      await file?.close(waiting.count() === 0).catch(() => undefined);
    },
  };
}

/** The owners that wait: of each key the first. */
function createWaiting({ counts, most = 100_000 }: Pick<SpoolOptions, "counts" | "most">) {
  const waiting = new Map<string, LateOwner>();
  const idOf = ({ claimed, cutover, key }: LateOwner) => `${claimed}:${cutover}:${key}`;
  return {
    /** @returns whether it waits now and did not before */
    add(late: LateOwner): boolean {
      const id = idOf(late);
      if (waiting.has(id)) return false;
      if (waiting.size >= most) {
        counts.lost(late.cutover);
        return false;
      }
      waiting.set(id, late);
      return true;
    },
    /** @param but cutovers that are left out */
    first(count: number, but: ReadonlySet<string>): readonly LateOwner[] {
      const first: LateOwner[] = [];
      for (const late of waiting.values()) {
        if (first.length === count) break;
        if (!but.has(late.cutover)) first.push(late);
      }
      return first;
    },
    delete: (late: LateOwner) => waiting.delete(idOf(late)),
    has: (cutover: string, key: string) =>
      waiting.size > 0 && [true, false].some((claimed) => waiting.has(`${claimed}:${cutover}:${key}`)),
    count: () => waiting.size,
  };
}

/** @returns writes into the file; never rejects: what it cannot write waits in memory, and the log says so once */
function writing({ file, log }: Pick<SpoolOptions, "file" | "log">) {
  let isFailing = false;
  return async (taken: readonly LateOwner[]): Promise<void> => {
    if (file === undefined || taken.length === 0) return;
    try {
      await file.append(taken);
      if (isFailing) log.info({}, "the spool's file can be written again");
      isFailing = false;
    } catch (error) {
      if (!isFailing) log.warn({ error: errorText(error) }, "the spool's file could not be written");
      isFailing = true;
    }
  };
}

/** @returns whether it need not wait any longer */
async function handIn(options: SpoolOptions, late: LateOwner): Promise<boolean> {
  const { owners, clock, log, counts, onRecorded, onRefused } = options;
  const { cutover, side } = late;
  const ttlMs = late.until - clock.now();
  if (ttlMs <= 0) return true;
  try {
    const before = await owners.record(cutover, late, side, ttlMs, true);
    if (before !== undefined && before !== side) {
      counts.disputed(cutover);
      log.warn({ cutover, side }, "a key handed in late is owned by the other side");
    }
    onRecorded(late, before ?? side);
    return true;
  } catch (error) {
    onRefused?.(cutover, error);
    return false;
  }
}

/**
 * Keeps the audit file: the changes of every configured cutover as the store's history has them, whoever made them and
 * on whichever instance, each once and in order; and what only this instance knows (port.ts).
 *
 * After each swap the history is read from the version the file has on, so that nothing is missed while the process is
 * down or the store away, as far back as the store remembers; what it has forgotten is said (`gap`). A file that can not
 * be written holds up nothing: lines wait, the log says so, and it is tried again each second. Of refusals more than
 * `burst` at once, or a second, are counted instead of written, so that nobody can fill the disk with them.
 */

import { type Clock, systemTimers, type Timers } from "../base/clock.ts";
import { coalesce } from "../base/coalesce.ts";
import { errorText, type Log } from "../base/log.ts";
import { StoreUnavailable } from "../base/unavailable.ts";
import type { Following } from "../state/follow/snapshot.ts";
import type { HistoryEntry } from "../state/rules/history.ts";
import type { Store } from "../state/store/port.ts";
import { type AuditFile, type AuditFileOptions, openAuditFile } from "./file.ts";
import {
  annotationLine,
  changeLine,
  gapLine,
  type Line,
  localLine,
  proposalLine,
  refusedLine,
  turnedAwayLine,
} from "./lines.ts";
import type { Audit } from "./port.ts";

export interface JournalOptions extends Pick<AuditFileOptions, "rotateBytes" | "keepFiles"> {
  readonly path: string;
  readonly instance: string;
  readonly store: Pick<Store, "history">;
  readonly follower: Pick<Following, "current" | "onSwap">;
  readonly clock: Clock;
  readonly log: Log;
  readonly timers?: Timers;
}

/** How the file stands: what the metrics tell. */
export interface JournalStatus {
  /** False while it can not be written. */
  readonly up: boolean;
  /** Lines in memory alone, which are lost with the process. */
  readonly waiting: number;
  /** Lines that are not in the file and never will be: more came than are written, or can wait. */
  readonly omitted: number;
}

export interface Journal extends Audit {
  status(): JournalStatus;
  /** Writes what there is to write; the file is closed then. Gives up after 2 s. Never rejects. */
  close(): Promise<void>;
}

const burst = 200;
const refillPerSecond = 20;
const maxWaiting = 10_000;
/** The store keeps about so many entries. */
const longestHistory = 10_000;
const againMs = 1000;
const closeBoundMs = 2000;

export function createJournal(options: JournalOptions): Journal {
  const { instance, store, follower, clock, log, timers = systemTimers } = options;
  /** What only this instance knows and is not in the file yet. */
  let waiting: Line[] = [];
  let omitted = 0;
  let omittedInAll = 0;
  let tokens = burst;
  let filledMs = clock.monotonic();
  let file: AuditFile | undefined;
  const versions = new Map<string, number>();
  let isFailing = false;
  let isClosed = false;
  let cancelAgain = () => {};

  const now = () => new Date(clock.now()).toISOString();

  const work = coalesce(async () => {
    cancelAgain();
    try {
      await write();
      if (isFailing) log.info({ file: file?.path }, "the audit file is written again");
      isFailing = false;
    } catch (error) {
      // The follower says it when the store is away.
      if (!(error instanceof StoreUnavailable)) {
        if (!isFailing)
          log.error({ error: errorText(error) }, "the audit file can not be written: lines wait");
        isFailing = true;
        // Opened again, it is known how far it goes, and a line that was cut is ended.
        await file?.close().catch(() => undefined);
        file = undefined;
      }
      if (!isClosed) cancelAgain = timers.after(againMs, () => void work());
    }
  });

  async function write(): Promise<void> {
    const behind = () =>
      [...follower.current().states].filter(([name, state]) => state.version > (versions.get(name) ?? 0));
    if (file === undefined) {
      if (waiting.length === 0 && omitted === 0 && behind().length === 0) return;
      file = await open();
    }
    await writeWaiting(file);
    for (const [name, { version }] of behind()) {
      const written = versions.get(name) ?? 0;
      const entries = await store.history(name, Math.min(version - written, longestHistory) + 1);
      const lines = linesSince(name, written, entries);
      if (lines.length === 0) continue;
      const reached = new Map(versions).set(name, entries[0]?.version ?? written);
      await file.append(lines, reached);
      versions.set(name, entries[0]?.version ?? written);
    }
  }

  async function writeWaiting(to: AuditFile): Promise<void> {
    const lines = waiting;
    const more = omitted;
    if (lines.length === 0 && more === 0) return;
    const told = more === 0 ? lines : [...lines, { kind: "omitted", at: now(), refusals: more, instance }];
    await to.append(told, versions);
    waiting = waiting.slice(lines.length);
    omitted -= more;
  }

  async function open(): Promise<AuditFile> {
    const opened = await openAuditFile({
      ...options,
      now: () => clock.now(),
      begin: () => ({ at: now(), instance }),
      onRemoved: (path) => log.warn({ file: path }, "an old audit file was removed: there were too many"),
    });
    for (const [name, version] of opened.versions) versions.set(name, version);
    if (opened.path !== options.path) log.info({ file: opened.path }, "the audit file of this instance");
    return opened;
  }

  function add(line: Line): void {
    if (isClosed) return;
    if (waiting.length < maxWaiting) waiting.push(line);
    else omit();
    void work();
  }

  function omit(): void {
    omitted += 1;
    omittedInAll += 1;
  }

  /** Whoever is refused may come as often as they like; the lines may not. */
  function addRefused(line: () => Line): void {
    if (isWithinRate()) add(line());
    else omit();
  }

  function isWithinRate(): boolean {
    const passed = (clock.monotonic() - filledMs) / 1000;
    filledMs = clock.monotonic();
    tokens = Math.min(burst, tokens + passed * refillPerSecond);
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  }

  const leave = follower.onSwap(() => void work());
  void work();

  return {
    status: () => ({ up: !isFailing, waiting: waiting.length, omitted: omittedInAll }),
    refused: (refused) => addRefused(() => refusedLine(now(), instance, refused)),
    turnedAway: (turned) => addRefused(() => turnedAwayLine(now(), instance, turned)),
    proposal: (told) => add(proposalLine(now(), instance, told)),
    madeLocally: (made) => add(localLine(now(), instance, made)),
    annotated: (name, version, annotation) => add(annotationLine(name, version, annotation)),
    async close() {
      leave();
      const bound = new Promise<void>((resolve) => timers.after(closeBoundMs, resolve));
      await Promise.race([work(), bound]);
      isClosed = true;
      cancelAgain();
      await file?.close().catch(() => undefined);
    },
  };
}

/** The entries after the written version, oldest first, and the versions missing among them. PURE. */
export function linesSince(name: string, written: number, entries: readonly HistoryEntry[]): Line[] {
  const lines: Line[] = [];
  let last = written;
  for (const entry of [...entries].reverse()) {
    if (entry.version <= last) continue;
    if (entry.version > last + 1) lines.push(gapLine(name, last + 1, entry.version - 1));
    lines.push(changeLine(name, entry));
    last = entry.version;
  }
  return lines;
}

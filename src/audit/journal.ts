/**
 * Keeps the audit file: the changes of every configured cutover as the store's history has them, of any person and any
 * instance, each once and in order; and what only this instance knows (port.ts).
 *
 * After each swap the history is read from the version the file has on, so that nothing is missed while the process is
 * down or the store away, as far back as the store remembers; what it has forgotten is said (`gap`). A file that cannot
 * be written delays nothing: lines wait, the log says so, and it is tried again each second. Refusals beyond `burst` at
 * once, or beyond `refillPerSecond`, are counted instead of written, so that nobody can fill the disk with them.
 */
import { type Clock, systemTimers, type Timers } from "../base/clock.ts";
import { coalesce } from "../base/coalesce.ts";
import { StoreUnavailable } from "../base/errors.ts";
import { errorText, type Log } from "../base/log.ts";
import type { HistoryEntry } from "../state/rules/history.ts";
import type { Store } from "../state/store/port.ts";
import { type AuditFile, type AuditFileOptions, openAuditFile } from "./file.ts";
import {
  type AuditLine,
  annotationLine,
  changeLine,
  doubtLine,
  freezeLine,
  gapLine,
  listLine,
  localLine,
  ownerLine,
  planLine,
  proposalLine,
  refusedLine,
  scheduleLine,
  turnedAwayLine,
} from "./lines.ts";
import type { Audit } from "./port.ts";

export interface JournalOptions extends Pick<AuditFileOptions, "rotateBytes" | "keepFiles"> {
  readonly path: string;
  readonly instance: string;
  readonly store: Pick<Store, "history">;
  /** What is in force on this instance, and a call after each swap. */
  readonly follower: {
    current(): { readonly states: ReadonlyMap<string, { readonly version: number }> };
    onSwap(listener: () => void): () => void;
  };
  readonly clock: Clock;
  readonly log: Log;
  readonly timers?: Timers;
}

/** How the file stands: what the metrics tell. */
export interface JournalStatus {
  /** False while it cannot be written. */
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
  const { instance, follower, clock, log, timers = systemTimers } = options;
  const backlog = createBacklog(instance, clock);
  const isWithinRate = createRate(clock);
  const writer = createWriter(options, backlog);
  let isFailing = false;
  let isClosed = false;
  let cancelAgain = () => {};

  const work = coalesce(async () => {
    cancelAgain();
    try {
      await writer.write();
      if (isFailing) log.info({ file: writer.path() }, "the audit file is written again");
      isFailing = false;
    } catch (error) {
      // The follower says it when the store is away.
      if (!(error instanceof StoreUnavailable)) {
        if (!isFailing)
          log.error({ error: errorText(error) }, "the audit file can not be written: lines wait");
        isFailing = true;
        await writer.close();
      }
      if (!isClosed) cancelAgain = timers.after(againMs, () => void work());
    }
  });

  function add(line: AuditLine): void {
    if (isClosed) return;
    backlog.add(line);
    void work();
  }

  /** What is beyond the rate is written with the next line: it is no reason to write. */
  function addRefused(line: () => AuditLine): void {
    if (isWithinRate()) add(line());
    else backlog.omit();
  }

  const now = () => timeText(clock);
  const leave = follower.onSwap(() => void work());
  void work();

  return {
    status: () => ({ up: !isFailing, ...backlog.status() }),
    refused: (refused) => addRefused(() => refusedLine(now(), instance, refused)),
    turnedAway: (turned) => addRefused(() => turnedAwayLine(now(), instance, turned)),
    proposal: (event) => add(proposalLine(now(), instance, event)),
    owner: (event) => add(ownerLine(now(), instance, event)),
    doubt: (event) => add(doubtLine(now(), instance, event)),
    list: (event) => add(listLine(now(), instance, event)),
    plan: (event) => add(planLine(now(), instance, event)),
    freeze: (event) => add(freezeLine(now(), instance, event)),
    schedule: (event) => add(scheduleLine(now(), instance, event)),
    madeLocally: (made) => add(localLine(now(), instance, made)),
    annotated: (name, version, annotation) => add(annotationLine(name, version, annotation)),
    async close() {
      leave();
      let cancelBound = () => {};
      const bound = new Promise<void>((resolve) => {
        cancelBound = timers.after(closeBoundMs, resolve);
      });
      await Promise.race([work(), bound]);
      cancelBound();
      isClosed = true;
      cancelAgain();
      await writer.close();
    },
  };
}

/** What only this instance knows and is not in the file yet. */
interface Backlog {
  /** Adds the line, or counts it where too many wait. */
  add(line: AuditLine): void;
  /** Counts a line that is not to be written. */
  omit(): void;
  isEmpty(): boolean;
  /**
   * Writes all of it; what was written waits no more.
   *
   * @returns whether there was anything
   * @throws the file system's error: all of it still waits
   */
  writeTo(file: AuditFile): Promise<boolean>;
  status(): Pick<JournalStatus, "waiting" | "omitted">;
}

function createBacklog(instance: string, clock: Clock): Backlog {
  let lines: AuditLine[] = [];
  let omitted = 0;
  let omittedInAll = 0;

  function omit(): void {
    omitted += 1;
    omittedInAll += 1;
  }

  return {
    add(line) {
      if (lines.length < maxWaiting) lines.push(line);
      else omit();
    },
    omit,
    isEmpty: () => lines.length === 0 && omitted === 0,
    async writeTo(file) {
      const count = lines.length;
      const refusals = omitted;
      if (count === 0 && refusals === 0) return false;
      const more = refusals === 0 ? [] : [{ kind: "omitted", at: timeText(clock), refusals, instance }];
      await file.append([...lines, ...more]);
      lines = lines.slice(count);
      omitted -= refusals;
      return true;
    },
    status: () => ({ waiting: lines.length, omitted: omittedInAll }),
  };
}

/** @returns takes one of `burst`, which come back at `refillPerSecond`; false when there is none */
function createRate(clock: Clock): () => boolean {
  let tokens = burst;
  let filledMs = clock.monotonic();
  return () => {
    const passed = (clock.monotonic() - filledMs) / 1000;
    filledMs = clock.monotonic();
    tokens = Math.min(burst, tokens + passed * refillPerSecond);
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}

interface Writer {
  /** Brings the file up to the backlog and the history. @throws StoreUnavailable; the file system's error */
  write(): Promise<void>;
  /** `undefined`: it is not open. */
  path(): string | undefined;
  /** It is opened again when there is more to write: then it is known anew how far it goes. Never rejects. */
  close(): Promise<void>;
}

function createWriter(options: JournalOptions, backlog: Backlog): Writer {
  const { store, follower, clock, log } = options;
  const versions = new Map<string, number>();
  let file: AuditFile | undefined;

  const behind = () =>
    [...follower.current().states].filter(([name, { version }]) => version > (versions.get(name) ?? 0));

  async function open(): Promise<AuditFile> {
    const opened = await openAuditFile({
      ...options,
      now: () => clock.now(),
      onRemoved: (path) => log.warn({ file: path }, "an old audit file was removed: there were too many"),
    });
    for (const [name, version] of opened.versions) versions.set(name, version);
    if (opened.path !== options.path) log.info({ file: opened.path }, "the audit file of this instance");
    return opened;
  }

  async function writeHistory(to: AuditFile, name: string, version: number): Promise<void> {
    const written = versions.get(name) ?? 0;
    const entries = await store.history(name, Math.min(version - written, longestHistory) + 1);
    const lines = linesSince(name, written, entries);
    if (lines.length === 0) return;
    await to.append(lines);
    versions.set(name, entries[0]?.version ?? written);
    await to.rotateWhenFull(versions);
  }

  return {
    async write() {
      if (file === undefined && backlog.isEmpty() && behind().length === 0) return;
      file ??= await open();
      const to = file;
      if (await backlog.writeTo(to)) await to.rotateWhenFull(versions);
      for (const [name, { version }] of behind()) await writeHistory(to, name, version);
    },
    path: () => file?.path,
    async close() {
      const closing = file;
      file = undefined;
      await closing?.close().catch(() => undefined);
    },
  };
}

function timeText(clock: Clock): string {
  return new Date(clock.now()).toISOString();
}

/** The entries after the written version, oldest first, and the versions missing among them. PURE. */
function linesSince(name: string, written: number, entries: readonly HistoryEntry[]): AuditLine[] {
  const lines: AuditLine[] = [];
  let last = written;
  for (const entry of [...entries].reverse()) {
    if (entry.version <= last) continue;
    if (entry.version > last + 1) lines.push(gapLine(name, last + 1, entry.version - 1));
    lines.push(changeLine(name, entry));
    last = entry.version;
  }
  return lines;
}

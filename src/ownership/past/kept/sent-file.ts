/**
 * Which requests this process has sent and heard no answer to, on the disk of its host: FOLDER/PID-ID.sent, in places of
 * 512 bytes, a line of JSON each, or blanks. A request has its place written before it is sent, and gives it back when what
 * became of it is known; so what is read from the file of a killed process is what nobody knows the end of.
 *
 *   durable   as far as the kernel: a killed process loses nothing of it, a machine that dies what it had not yet written
 *             to the disk. No request waits for a sync
 *   bounded   as many places as requests wait at once, 16,384 at most; a place that was given back is written over, or
 *             blanked a moment later
 *   slow      one write is under way at a time, whatever the disk does; a request waits for its own 250 ms at most, and once
 *             one has waited in vain none does before a write is done again. What is sent unwritten is counted
 */
import { write } from "node:fs";
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import * as z from "zod";
import { type FileLock, lockFile } from "../../../base/file-lock.ts";
import { jsonOf } from "../../../base/json.ts";
import { errorText, type Log } from "../../../base/log.ts";
import { createDeadlines, type Waiting } from "../../../base/waiting/deadlines.ts";
import { sides } from "../../../state/rules/model.ts";
import type { DoubtNote } from "../port.ts";

export type SentEntry = Omit<DoubtNote, "sinceMs" | "outcome">;

export interface SentPlace {
  /** Resolves when it may be sent; never rejects. Absent: at once. */
  readonly written: Promise<void> | undefined;
  /** What became of it is known. */
  giveBack(): void;
}

export interface SentFile {
  take(entry: SentEntry): SentPlace;
  /** Removes the file, unless a place in it is not given back. Never rejects. */
  close(): Promise<void>;
}

interface SentFileOptions {
  readonly path: string;
  readonly log: Pick<Log, "warn">;
  /** A request was sent, or is, whose place is not written. */
  readonly onUnwritten: () => void;
  /** Most places; 16,384 without it. */
  readonly most?: number;
  readonly waitMs?: number;
}

export const sentEnding = ".sent";

const placeBytes = 512;
/** Places that one write has at most: 128 KiB. */
const blockPlaces = 256;
const lineFeed = 0x0a;
const blankAfterMs = 20;
/** A file that could not be opened is not tried again for so long. */
const patienceMs = 10_000;

const form = z.object({
  cutover: z.string(),
  side: z.enum(sides),
  route: z.string(),
  sentAtMs: z.number(),
  digest: z.string(),
  others: z.array(z.string()),
});

/** What a killed process left: what is torn or blank is none. */
export function readSent(text: string): SentEntry[] {
  return text.split("\n").flatMap((line) => form.safeParse(jsonOf(line)).data ?? []);
}

/** @returns at most a place's length, with as many of its keys as there is room for; `undefined`: it has none for the first */
function lineOf({ cutover, side, route, sentAtMs, digest, others }: SentEntry): string | undefined {
  const with_ = (some: readonly string[]) =>
    JSON.stringify({ cutover, side, route, sentAtMs, digest, others: some });
  const least = with_([]);
  const room = placeBytes - 1 - Buffer.byteLength(least);
  if (room < 0) return undefined;
  // Each takes its 32 digits, quotes and a comma.
  return others.length === 0 ? least : with_(others.slice(0, Math.floor(room / 35)));
}

interface Writing {
  readonly at: number;
  /** Empty: blanks. */
  readonly line: string;
  readonly done: (isWritten: boolean) => void;
}

export function createSentFile(options: SentFileOptions): SentFile {
  const { onUnwritten, most = 16_384, waitMs = 250 } = options;
  const deadlines = createDeadlines(waitMs);
  const writer = createWriter(options);
  /** Numbers of places that are blank, and of those that were given back and are not. */
  const blank: number[] = [];
  let over: number[] = [];
  let count = 0;
  let taken = 0;
  let isBehind = false;
  let blanking: ReturnType<typeof setTimeout> | undefined;

  function blankAll(): void {
    blanking = undefined;
    const all = over;
    over = [];
    for (const at of all) writer.write({ at, line: "", done: () => blank.push(at) });
  }

  function giveBack(at: number): void {
    taken -= 1;
    over.push(at);
    blanking ??= setTimeout(blankAll, blankAfterMs).unref();
  }

  function begin(at: number, line: string): SentPlace {
    let isDone = false;
    let isOver = false;
    let send = () => {};
    const written = isBehind
      ? undefined
      : new Promise<void>((resolve) => {
          send = resolve;
        });
    const waiting: Waiting = {
      ...{ dueAt: 0, before: undefined, behind: undefined },
      expired() {
        isBehind = true;
        onUnwritten();
        send();
      },
    };
    if (written === undefined) onUnwritten();
    else deadlines.wait(waiting);
    writer.write({
      at,
      line,
      done(isWritten) {
        const isInTime = waiting.dueAt !== 0;
        isDone = true;
        deadlines.end(waiting);
        if (isWritten) isBehind = false;
        else if (isInTime) onUnwritten();
        send();
        if (isOver) giveBack(at);
      },
    });
    return {
      written,
      giveBack() {
        if (isOver) return;
        isOver = true;
        if (isDone) giveBack(at);
      },
    };
  }

  return {
    take(entry) {
      const line = lineOf(entry);
      const at =
        line === undefined ? undefined : (over.pop() ?? blank.pop() ?? (count < most ? count++ : undefined));
      if (line === undefined || at === undefined) {
        onUnwritten();
        return { written: undefined, giveBack: () => {} };
      }
      taken += 1;
      return begin(at, line);
    },
    async close() {
      // Places may be given back while they are being written.
      await writer.idle();
      clearTimeout(blanking);
      blankAll();
      await writer.close(() => taken === 0);
    },
  };
}

interface OpenFile {
  readonly handle: FileHandle;
  readonly lock: FileLock;
}

/** The file as it is to be. */
function createImage() {
  let bytes = Buffer.alloc(0);
  return {
    put({ at, line }: Writing): void {
      const to = (at + 1) * placeBytes;
      if (to > bytes.length) bytes = Buffer.concat([bytes, Buffer.alloc(Math.max(bytes.length, to), " ")]);
      bytes.fill(" ", at * placeBytes, to);
      bytes.write(line, at * placeBytes);
      bytes[to - 1] = lineFeed;
    },
    /** @returns a copy of the places and of what stands between them, and at which byte it begins: the image changes meanwhile */
    around(run: readonly Writing[]): { readonly part: Buffer; readonly from: number } {
      const places = run.map(({ at }) => at);
      const from = Math.min(...places) * placeBytes;
      return { part: Buffer.from(bytes.subarray(from, (Math.max(...places) + 1) * placeBytes)), from };
    },
  };
}

/**
 * Writes places, one write at a time: all that wait in a block of the file, and what stands between them, in one. So under
 * load, where a write is heard of once a turn of the event loop, a place waits for a turn or two and not for all before it.
 * Opens the file with the first.
 */
function createWriter({ path, log }: Pick<SentFileOptions, "path" | "log">) {
  let file: OpenFile | undefined;
  const image = createImage();
  let waiting: Writing[] = [];
  let isBusy = false;
  let isFailing = false;
  let notBeforeMs = 0;
  let onIdle = () => {};

  async function openFile(): Promise<void> {
    if (performance.now() < notBeforeMs) throw new Error("the file could not be opened just now");
    try {
      await mkdir(dirname(path), { recursive: true });
      // Locked before it is there, or another process might take it for one left behind.
      const lock = await lockFile(path);
      file = { lock, handle: await open(path, "w", 0o600) };
    } catch (error) {
      notBeforeMs = performance.now() + patienceMs;
      throw error;
    }
  }

  /** Where nothing is being written, what waits is. */
  function pump(): void {
    if (isBusy) return;
    isBusy = waiting.length > 0;
    if (!isBusy) onIdle();
    else if (file !== undefined) writeNext();
    else openFile().then(writeNext, (error) => end(takeAll(), error));
  }

  function writeNext(): void {
    const run = takeRun();
    const { part, from } = image.around(run);
    write(file?.handle.fd ?? -1, part, 0, part.length, from, (error, count) => {
      end(run, error ?? (count < part.length ? new Error("there was no room for all of it") : undefined));
    });
  }

  function end(run: readonly Writing[], error: unknown): void {
    if (error !== undefined && !isFailing) {
      log.warn({ error: errorText(error) }, "what is sent could not be written down");
    }
    isFailing = error !== undefined;
    for (const { done } of run) done(!isFailing);
    isBusy = false;
    pump();
  }

  function takeAll(): Writing[] {
    const all = waiting;
    waiting = [];
    return all;
  }

  /** Whoever has waited longest, and those in its block. */
  function takeRun(): Writing[] {
    const blockOf = ({ at }: Writing) => Math.floor(at / blockPlaces);
    const [first] = waiting;
    const isNext = (each: Writing) => first !== undefined && blockOf(each) === blockOf(first);
    const run = waiting.filter(isNext);
    waiting = waiting.filter((each) => !isNext(each));
    return run;
  }

  const idle = () =>
    new Promise<void>((resolve) => {
      onIdle = resolve;
      pump();
    });

  return {
    write(writing: Writing): void {
      image.put(writing);
      waiting.push(writing);
      pump();
    },
    /** Resolves when nothing waits to be written. */
    idle,
    /** @param isOver whether nothing in the file is needed any more; asked when all is written */
    async close(isOver: () => boolean): Promise<void> {
      await idle();
      const { handle, lock } = file ?? {};
      file = undefined;
      await handle?.close().catch(() => undefined);
      if (handle !== undefined && isOver()) await rm(path, { force: true }).catch(() => undefined);
      await lock?.release().catch(() => undefined);
    },
  };
}

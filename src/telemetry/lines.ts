/**
 * The way of log lines to a file descriptor, standard output above all, without ever holding up the event loop.
 *
 *   write      goes out at once, after what came before it (`ready` must be seen the moment it is true)
 *   writeSoon  waits for company: 100 ms or 64 KiB, whichever comes first (one system call for many requests)
 *
 * One write is under way at a time, in a thread of libuv's; what comes meanwhile goes out with a later one. When
 * the reader is too slow and more than `maxLength` waits, further lines are dropped and counted: memory is worth
 * more than log lines. A closed pipe (EPIPE) or any other failure loses lines, counted, and is never an error of
 * the proxy's. `end` hands over all that waits; a process that exits without it does so in its exit handler, where
 * order is kept as long as somebody reads. Where several processes write to one pipe (`isShared`), no write is longer
 * than what the system keeps in one piece.
 *
 * A reader that stops reading and keeps the pipe open holds up the end of the process, too: Node waits for the
 * write under way. That is every program's lot on a blocking pipe, and SIGKILL's to end.
 */
import { write as writeFd, writeSync } from "node:fs";

const soonMs = 100;
const soonLength = 65_536;
/** PIPE_BUF of Linux. */
const pieceBytes = 4096;
const retryMs = 10;
const exitRetries = 100;
const exitPauseMs = 50;

export interface Lines {
  /** @param line with its line feed */
  write(line: string): void;
  /** @param line with its line feed, in ASCII: many of them are turned into bytes at a twentieth of UTF-8's cost */
  writeSoon(line: string): void;
  /** Lines lost so far. */
  dropped(): number;
  /** Blocks until all but the write under way is handed over. For the last words of a process. */
  flushSync(): void;
  /** Resolves when all is handed over, or after the time given. Lines that come later are dropped. */
  end(withinMs?: number): Promise<void>;
}

export interface LinesOptions {
  readonly fd: number;
  readonly maxLength?: number;
  /** Other processes write there too. */
  readonly isShared?: boolean;
}

export function createLines(options: LinesOptions): Lines {
  const { fd, maxLength = 4 * 1024 * 1024, isShared = false } = options;
  let waiting = "";
  let waitingIsAscii = true;
  let underWay: Buffer | undefined;
  let timer: NodeJS.Timeout | undefined;
  /** A line that must not wait came while a write was under way. */
  let urgent = false;
  let usable = true;
  let dropped = 0;
  const whenIdle: (() => void)[] = [];

  function accept(line: string): boolean {
    if (usable && waiting.length + (underWay?.length ?? 0) + line.length <= maxLength) {
      waiting += line;
      return true;
    }
    dropped += 1;
    return false;
  }

  function handOver(): void {
    if (underWay !== undefined) {
      urgent = true;
      return;
    }
    clearTimeout(timer);
    timer = undefined;
    if (waiting === "") {
      urgent = false;
      for (const resolve of whenIdle.splice(0)) resolve();
      return;
    }
    const length = isShared ? pieceLength(waiting) : waiting.length;
    underWay = Buffer.from(waiting.slice(0, length), waitingIsAscii ? "latin1" : "utf8");
    waiting = waiting.slice(length);
    waitingIsAscii ||= waiting === "";
    urgent = waiting !== "";
    writeFd(fd, underWay, written);
  }

  function written(error: NodeJS.ErrnoException | null, bytes: number): void {
    if (underWay === undefined) return;
    if (error?.code === "EAGAIN") {
      setTimeout(() => underWay !== undefined && writeFd(fd, underWay, written), retryMs);
      return;
    }
    if (error !== null) fail(error, underWay);
    const rest = error === null ? underWay.subarray(bytes) : Buffer.alloc(0);
    if (rest.length > 0) {
      underWay = rest;
      writeFd(fd, rest, written);
      return;
    }
    underWay = undefined;
    if (urgent || whenIdle.length > 0) handOver();
    else handOverSoon();
  }

  function handOverSoon(): void {
    if (waiting.length >= soonLength) handOver();
    else if (waiting !== "") timer ??= setTimeout(handOver, soonMs).unref();
  }

  /** The bytes are lost; when nobody will ever read, so is all that waits. */
  function fail(error: unknown, lost: Buffer): void {
    dropped += lineFeeds(lost);
    if (!hasCode(error, "EPIPE")) return;
    usable = false;
    dropped += lineFeeds(Buffer.from(waiting));
    waiting = "";
  }

  function flushSync(): void {
    // Its thread needs a moment and no turn of the event loop: what follows must not overtake it.
    if (underWay !== undefined) pause(exitPauseMs);
    let rest: Buffer = Buffer.from(waiting);
    waiting = "";
    for (let retries = 0; rest.length > 0; ) {
      try {
        rest = rest.subarray(writeSync(fd, rest));
      } catch (error) {
        if (hasCode(error, "EAGAIN") && retries++ < exitRetries) pause(retryMs);
        else {
          fail(error, rest);
          return;
        }
      }
    }
  }

  process.on("exit", flushSync);

  return {
    write(line) {
      waitingIsAscii = false;
      if (accept(line)) handOver();
    },
    writeSoon(line) {
      if (accept(line) && underWay === undefined) handOverSoon();
    },
    dropped: () => dropped,
    flushSync,
    async end(withinMs = 1000) {
      const idle = new Promise<void>((resolve) => whenIdle.push(resolve));
      handOver();
      let limit: NodeJS.Timeout | undefined;
      await Promise.race([idle, new Promise((resolve) => (limit = setTimeout(resolve, withinMs)))]);
      clearTimeout(limit);
      usable = false;
      process.off("exit", flushSync);
    },
  };
}

/** How much of the text can be written in one piece: whole lines, at least one. */
function pieceLength(text: string): number {
  let length = Math.min(text.length, pieceBytes);
  while (length > 0) {
    length = text.lastIndexOf("\n", length - 1) + 1;
    if (Buffer.byteLength(text.slice(0, length)) <= pieceBytes) break;
    length -= 1;
  }
  return length > 0 ? length : text.indexOf("\n") + 1 || text.length;
}

function lineFeeds(bytes: Buffer): number {
  let count = 0;
  for (const byte of bytes) if (byte === 0x0a) count += 1;
  return count;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

/** Holds the whole thread: for the exit handler, where nothing else runs any more. */
function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

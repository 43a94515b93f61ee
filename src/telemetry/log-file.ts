/**
 * The way of log lines to a file descriptor, standard output above all, without ever holding up the event loop.
 *
 *   write      goes out at once, after what came before it (`ready` must be seen the moment it is true)
 *   writeSoon  waits for company: 100 ms or 64 KiB, whichever comes first (one system call for many requests)
 *
 * One write is under way at a time, in a thread of libuv's; what comes meanwhile goes out with a later one. When
 * the reader is too slow and more than `maxBytes` waits, further lines are dropped and counted: memory is worth
 * more than log lines. A closed pipe (EPIPE) or any other failure loses lines, counted, and is never an error of
 * the proxy's. `end` hands over all that waits; a process that exits without it does so in its exit handler, where
 * order is kept as long as somebody reads. Where several processes write to one pipe (`isShared`), no write is longer
 * than what the system keeps in one piece.
 *
 * A reader that stops reading and keeps the pipe open holds up the end of the process, too: Node waits for the
 * write under way. That is every program's lot on a blocking pipe, and SIGKILL's to end.
 */
import { closeSync, mkdirSync, openSync, write as writeFd, writeSync } from "node:fs";
import { dirname } from "node:path";

const soonMs = 100;
const soonBytes = 65_536;
/** PIPE_BUF of Linux. */
const pieceBytes = 4096;
const lineFeed = 0x0a;
const retryMs = 10;
const exitRetries = 100;
const exitPauseMs = 50;

export interface LogFile {
  /** @param line with its line feed */
  write(line: string): void;
  /** @param line with its line feed, in ASCII, which becomes bytes at a fraction of UTF-8's cost */
  writeSoon(line: string): void;
  /** Lines lost so far. */
  dropped(): number;
  /** Blocks until all but the write under way is handed over. For the last words of a process. */
  flushSync(): void;
  /** Resolves when all is handed over, or after the time given. Lines that come later are dropped. */
  end(withinMs?: number): Promise<void>;
}

interface LogFileOptions {
  readonly fd: number;
  readonly maxBytes?: number;
  /** Other processes write there too. */
  readonly isShared?: boolean;
}

/**
 * Opens the place where a process writes its log.
 *
 * @param path of a file, appended to; standard output without it
 * @param isShared whether other processes write there too
 */
export function openLog(
  path: string | undefined,
  isShared: boolean,
): { readonly lines: LogFile; readonly end: () => Promise<void> } {
  if (path === undefined) {
    const lines = createLogFile({ fd: process.stdout.fd, isShared });
    return { lines, end: () => lines.end() };
  }
  mkdirSync(dirname(path), { recursive: true });
  const fd = openSync(path, "a");
  const lines = createLogFile({ fd, isShared });
  return {
    lines,
    async end() {
      await lines.end();
      closeSync(fd);
    },
  };
}

export function createLogFile(options: LogFileOptions): LogFile {
  const { fd, maxBytes = 4 * 1024 * 1024, isShared = false } = options;
  /** What waits is between `from` and `to`. What is under way is before it, or in a buffer of its own by now. */
  let buffer = Buffer.allocUnsafeSlow(2 * soonBytes);
  let from = 0;
  let to = 0;
  let underWay: Buffer | undefined;
  let timer: NodeJS.Timeout | undefined;
  /** A line that must not wait came while a write was under way. */
  let urgent = false;
  let usable = true;
  let dropped = 0;
  const whenIdle: (() => void)[] = [];

  function accept(line: string, bytes: number, encoding: "latin1" | "utf8"): boolean {
    if (!usable || to - from + (underWay?.length ?? 0) + bytes > maxBytes) {
      dropped += 1;
      return false;
    }
    if (to + bytes > buffer.length) moveOn(bytes);
    to += buffer.write(line, to, encoding);
    return true;
  }

  /** Has room for so many bytes behind what waits. */
  function moveOn(bytes: number): void {
    const next = Buffer.allocUnsafeSlow(2 * Math.max(soonBytes, to - from + bytes));
    to = buffer.copy(next, 0, from, to);
    from = 0;
    buffer = next;
  }

  function handOver(): void {
    if (underWay !== undefined) {
      urgent = true;
      return;
    }
    clearTimeout(timer);
    timer = undefined;
    if (from === to) {
      urgent = false;
      for (const resolve of whenIdle.splice(0)) resolve();
      return;
    }
    const waiting = buffer.subarray(from, to);
    underWay = isShared ? waiting.subarray(0, pieceLength(waiting)) : waiting;
    from += underWay.length;
    urgent = from < to;
    writeFd(fd, underWay, written);
  }

  function written(error: NodeJS.ErrnoException | null, bytes: number): void {
    if (underWay === undefined) return;
    if (error?.code === "EAGAIN") {
      setTimeout(() => underWay !== undefined && writeFd(fd, underWay, written), retryMs);
      return;
    }
    if (error !== null) fail(error, underWay);
    const rest = error === null ? underWay.subarray(bytes) : underWay.subarray(underWay.length);
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
    if (to - from >= soonBytes) handOver();
    else if (from < to) timer ??= setTimeout(handOver, soonMs).unref();
  }

  /** The bytes are lost; when nobody will ever read, so is all that waits. */
  function fail(error: unknown, lost: Buffer): void {
    dropped += lineFeeds(lost);
    if (!hasCode(error, "EPIPE")) return;
    usable = false;
    dropped += lineFeeds(buffer.subarray(from, to));
    from = to;
  }

  function flushSync(): void {
    // Its thread needs a moment and no turn of the event loop: what follows must not overtake it.
    if (underWay !== undefined) pause(exitPauseMs);
    let rest = buffer.subarray(from, to);
    from = to;
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
      if (accept(line, Buffer.byteLength(line), "utf8")) handOver();
    },
    writeSoon(line) {
      if (accept(line, line.length, "latin1") && underWay === undefined) handOverSoon();
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

/** How much of the lines can be written in one piece: whole ones, at least one. */
function pieceLength(lines: Buffer): number {
  const whole = lines.lastIndexOf(lineFeed, pieceBytes - 1) + 1;
  return whole || lines.indexOf(lineFeed) + 1 || lines.length;
}

function lineFeeds(bytes: Buffer): number {
  let count = 0;
  for (const byte of bytes) if (byte === lineFeed) count += 1;
  return count;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

/** Holds the whole thread: for the exit handler, where nothing else runs any more. */
function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/**
 * The way of log lines to a file descriptor, standard output above all. The event loop never waits for it.
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
 * A reader that stops reading and keeps standard output open does not keep the process from its end: while it is full
 * writes answer EAGAIN, and `end` gives up what nobody takes. The flag that makes them is shared by all who have the
 * same opening, and a worker that starts or ends clears it (libuv, Node): so a pipe is opened a second time. What
 * cannot be (a socket) may block a thread of libuv's, for which Node would wait for ever: the process then kills itself.
 */
import { closeSync, constants, fstatSync, mkdirSync, openSync, write as writeFd, writeSync } from "node:fs";
import { dirname } from "node:path";
import { systemTimers, within } from "../base/clock.ts";
import { codeOf } from "../base/errors.ts";

const soonMs = 100;
const soonBytes = 65_536;
/** PIPE_BUF of Linux. */
const pieceBytes = 4096;
const lineFeed = 0x0a;
const retryMs = 10;
const exitRetries = 100;
const exitPauseMs = 50;
/** How long the process may take to its end once its last words have not gone out. */
const stuckMs = 2000;

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
  /** At the end a write is still under way. @param isStuck whether it still is */
  readonly onStuck?: (isStuck: () => boolean) => void;
}

/**
 * Opens the place where a process writes its log.
 *
 * @param path of a file, appended to; standard output without it
 * @param isShared whether other processes write there too
 */
export function openLogFile(path: string | undefined, isShared: boolean): LogFile {
  if (path === undefined) {
    const own = withoutWaiting(process.stdout.fd);
    if (own !== undefined) return closedAtEnd(own, isShared);
    return createLogFile({ fd: process.stdout.fd, isShared, onStuck: endByForce });
  }
  mkdirSync(dirname(path), { recursive: true });
  return closedAtEnd(openSync(path, "a"), isShared);
}

/** @returns the pipe once more, whose writes answer EAGAIN while it is full: the flag is of this opening alone */
function withoutWaiting(fd: number): number | undefined {
  try {
    if (!fstatSync(fd).isFIFO()) return undefined;
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

/** Ends the process once it wants to end, or has had time to. A timer like that keeps no process alive. */
function endByForce(isStuck: () => boolean): void {
  const end = () => isStuck() && process.kill(process.pid, "SIGKILL");
  process.on("exit", end);
  setTimeout(end, stuckMs).unref();
}

function closedAtEnd(fd: number, isShared: boolean): LogFile {
  const file = createLogFile({ fd, isShared });
  return {
    ...file,
    async end(withinMs) {
      await file.end(withinMs);
      closeSync(fd);
    },
  };
}

export function createLogFile(options: LogFileOptions): LogFile {
  const { fd, maxBytes = 4 * 1024 * 1024, isShared = false, onStuck = () => {} } = options;
  const waiting = createWaitingLines(maxBytes);
  const output = createOutput(fd, written);
  let timer: NodeJS.Timeout | undefined;
  /** A line that must not wait came while a write was under way. */
  let urgent = false;
  const whenIdle: (() => void)[] = [];

  function handOver(): void {
    if (output.bytes() > 0) {
      urgent = true;
      return;
    }
    clearTimeout(timer);
    timer = undefined;
    if (waiting.bytes() === 0) {
      urgent = false;
      for (const resolve of whenIdle.splice(0)) resolve();
      return;
    }
    const next = isShared ? waiting.takePiece() : waiting.takeAll();
    urgent = waiting.bytes() > 0;
    output.write(next);
  }

  function handOverSoon(): void {
    if (waiting.bytes() >= soonBytes) handOver();
    else if (waiting.bytes() > 0) timer ??= setTimeout(handOver, soonMs).unref();
  }

  function written(failure: Failure | undefined): void {
    if (failure !== undefined) waiting.fail(failure);
    if (urgent || whenIdle.length > 0) handOver();
    else handOverSoon();
  }

  function flushSync(): void {
    // Its thread needs a moment and no turn of the event loop: what follows must not overtake it.
    if (output.bytes() > 0) pause(exitPauseMs);
    const failure = writeWhole(fd, waiting.takeAll());
    if (failure !== undefined) waiting.fail(failure);
  }

  process.on("exit", flushSync);

  return {
    write(line) {
      if (waiting.add(line, Buffer.byteLength(line), "utf8", output.bytes())) handOver();
    },
    writeSoon(line) {
      const underWay = output.bytes();
      if (waiting.add(line, line.length, "latin1", underWay) && underWay === 0) handOverSoon();
    },
    dropped: waiting.dropped,
    flushSync,
    async end(withinMs = 1000) {
      const idle = new Promise<void>((resolve) => whenIdle.push(resolve));
      handOver();
      await within(withinMs, systemTimers, idle).catch(() => undefined);
      waiting.refuse();
      output.giveUp();
      const isStuck = () => output.bytes() > 0;
      if (isStuck()) onStuck(isStuck);
      process.off("exit", flushSync);
    },
  };
}

/**
 * Lines as bytes, in the order they came, and how many were lost. What was taken is looked at for as long as it is
 * written, and never changed.
 */
function createWaitingLines(maxBytes: number) {
  /** They are between `from` and `to`. */
  let buffer = Buffer.allocUnsafeSlow(2 * soonBytes);
  let from = 0;
  let to = 0;
  let refuses = false;
  let dropped = 0;

  /** Makes room behind them in another buffer: what was taken of this one may be on its way. */
  function moveOn(bytes: number): void {
    const next = Buffer.allocUnsafeSlow(2 * Math.max(soonBytes, to - from + bytes));
    to = buffer.copy(next, 0, from, to);
    from = 0;
    buffer = next;
  }

  function take(end: number): Buffer {
    const taken = buffer.subarray(from, end);
    from = end;
    return taken;
  }

  return {
    bytes: () => to - from,
    /** @param underWay how many bytes are not written yet of those taken @returns whether it waits now, or is lost */
    add(line: string, bytes: number, encoding: "latin1" | "utf8", underWay: number): boolean {
      if (refuses || to - from + underWay + bytes > maxBytes) {
        dropped += 1;
        return false;
      }
      if (to + bytes > buffer.length) moveOn(bytes);
      to += buffer.write(line, to, encoding);
      return true;
    },
    /** From now on every line that comes is lost. */
    refuse(): void {
      refuses = true;
    },
    /** What was taken is lost; where nobody will ever read, so is all that waits and comes. */
    fail({ error, lost }: Failure): void {
      dropped += lineFeeds(lost);
      if (codeOf(error) !== "EPIPE") return;
      refuses = true;
      dropped += lineFeeds(take(to));
    },
    dropped: () => dropped,
    takeAll: () => take(to),
    /** As many whole lines as the system keeps in one piece, at least one. */
    takePiece: () => take(from + pieceLength(buffer.subarray(from, to))),
  };
}

interface Failure {
  readonly error: unknown;
  /** What was not written. */
  readonly lost: Buffer;
}

/** Writes one buffer at a time, whole, in a thread of libuv's. @param done hears of the end of each */
function createOutput(fd: number, done: (failure: Failure | undefined) => void) {
  let underWay: Buffer | undefined;
  let retry: NodeJS.Timeout | undefined;
  let isGivenUp = false;

  function write(bytes: Buffer): void {
    underWay = bytes;
    writeFd(fd, bytes, (error, length) => {
      if (error?.code === "EAGAIN" && !isGivenUp) retry = setTimeout(write, retryMs, bytes);
      else if (error === null && length < bytes.length) write(bytes.subarray(length));
      else {
        underWay = undefined;
        done(error === null ? undefined : { error, lost: bytes });
      }
    });
  }

  return {
    write,
    /** Tries no more what nobody takes. */
    giveUp() {
      isGivenUp = true;
      clearTimeout(retry);
    },
    /** How many are under way. */
    bytes: () => underWay?.length ?? 0,
  };
}

/** Blocks until the bytes are written; a reader that does not read is waited for, but not for long. */
function writeWhole(fd: number, bytes: Buffer): Failure | undefined {
  let rest = bytes;
  for (let retries = 0; rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      if (codeOf(error) !== "EAGAIN" || retries++ >= exitRetries) return { error, lost: rest };
      pause(retryMs);
    }
  }
  return undefined;
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

/** Stops the whole thread: for the exit handler, where nothing else runs any more. */
function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

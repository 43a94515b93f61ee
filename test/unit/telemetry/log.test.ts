import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, mkdtempSync, openSync, read, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { ExchangeRecord } from "../../../src/proxy/witness.ts";
import { accessLog, createLog } from "../../../src/telemetry/log.ts";
import { createLogFile } from "../../../src/telemetry/log-file.ts";
import { bundleInto } from "../../support/bundled-program.ts";
import { recordOf } from "../../support/exchange-record.ts";

type Child = ChildProcessByStdio<null, Readable, Readable>;

const children: Child[] = [];
const cleanups: (() => void)[] = [];

let folder: string;
let program: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "cutover-log-child-"));
  program = await bundleInto(folder, fileURLToPath(new URL("log-child.ts", import.meta.url)));
});
afterAll(() => rmSync(folder, { recursive: true }));

function start(what: string): Child {
  const child = spawn(process.execPath, [program, what], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  return child;
}

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  for (const cleanup of cleanups.splice(0)) cleanup();
});

function parsed(output: string): Record<string, unknown>[] {
  expect(output.endsWith("\n")).toBe(true);
  return output
    .slice(0, -1)
    .split("\n")
    .map((line) => JSON.parse(line));
}

const isoTime = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describe("the log of a process", () => {
  test("shows ready at once, and loses nothing on SIGTERM", async () => {
    const child = start("serve");
    const [first] = await once(child.stdout, "data");
    expect(child.exitCode).toBeNull();
    expect(parsed(String(first))).toEqual([
      { level: "info", time: isoTime, proxy: "http://127.0.0.1:1", msg: "ready" },
    ]);

    child.kill("SIGTERM");
    const [rest, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
    const lines = parsed(rest);
    expect(code).toBe(0);
    expect(lines.slice(0, 100).map((line) => line.request_id)).toEqual(numbers(0, 100));
    expect(lines.slice(100).map((line) => line.msg)).toEqual(["stopped"]);
  });

  test("loses nothing when the process exits without waiting, and keeps the order", async () => {
    const child = start("exit");
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
    expect(code).toBe(0);
    expect(parsed(output).map((line) => line.request_id ?? line.msg)).toEqual([
      ...numbers(0, 100),
      "last",
      ...numbers(100, 200),
    ]);
  });

  test("loses nothing when the process dies of an exception", async () => {
    const child = start("throw");
    const [output] = await Promise.all([text(child.stdout), once(child, "exit")]);
    expect(parsed(output)).toHaveLength(10);
  });

  test("survives its reader: a closed pipe loses lines, counted, and ends nothing", async () => {
    const child = start("until-dropped");
    await once(child.stdout, "data");
    child.stdout.destroy();
    const [said, [code]] = await Promise.all([text(child.stderr), once(child, "exit")]);
    expect(code).toBe(0);
    expect(JSON.parse(said).dropped).toBeGreaterThan(0);
  });

  test("drops lines, counted, rather than hold more than its bound for a reader that does not read", async () => {
    const child = start("flood");
    const said = await once(child.stderr, "data"); // the flood is over, nothing was read yet
    const { dropped } = JSON.parse(String(said[0]));
    const [output] = await Promise.all([text(child.stdout), once(child, "exit")]);
    const ids = parsed(output).map((line) => Number(line.request_id));
    expect(dropped).toBeGreaterThan(0);
    expect(ids.length + dropped).toBe(200_000);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    // The bound, the write under way with it, and what the pipe itself takes.
    expect(output.length).toBeLessThan(2 * 1024 * 1024);
  });
});

describe("lines", () => {
  test.each([
    ["a full device (ENOSPC)", "/dev/full", "w"],
    ["a descriptor that cannot be written (EBADF)", "/dev/null", "r"],
  ])("count as dropped on %s, each once, and later ones are tried again", async (_, path, flags) => {
    const fd = openSync(path, flags);
    const lines = createLogFile({ fd });
    lines.write("one\n");
    lines.writeSoon("two\n");
    await expect.poll(() => lines.dropped()).toBe(2);
    lines.write("three\n");
    await lines.end();
    expect(lines.dropped()).toBe(3);
    closeSync(fd);
  });

  test("are written as UTF-8 where they are not ASCII, beside those of requests", async () => {
    const { readFd, writeFd } = pipe();
    const lines = createLogFile({ fd: writeFd });
    lines.writeSoon("one\n");
    lines.write("zwölf ☃\n");
    lines.writeSoon("three\n");
    const whole = "one\nzwölf ☃\nthree\n";
    const ended = lines.end();
    const received = await readBytes(readFd, Buffer.byteLength(whole));
    await ended;
    expect(received).toBe(whole);
  });

  test("wait for a non-blocking pipe that is full, and arrive whole", async () => {
    const { readFd, writeFd } = pipe();
    const lines = createLogFile({ fd: writeFd });
    const line = `${"x".repeat(199)}\n`;
    for (let n = 0; n < 1000; n++) lines.write(line); // three times what a pipe takes
    const ended = lines.end(10_000);
    const received = await readBytes(readFd, 200_000);
    await ended;
    expect(received).toBe(line.repeat(1000));
    expect(lines.dropped()).toBe(0);
  });

  test("are given up, counted, by a last flush that a full pipe holds up for a second", () => {
    const { writeFd } = pipe();
    const lines = createLogFile({ fd: writeFd });
    for (let n = 0; n < 2000; n++) lines.writeSoon(`${"x".repeat(99)}\n`);
    lines.flushSync();
    expect(lines.dropped()).toBeGreaterThan(0);
  });

  test("are dropped after the end, counted, and leave no listener behind", async () => {
    const listeners = process.listenerCount("exit");
    const fd = openSync("/dev/null", "w");
    const lines = createLogFile({ fd });
    lines.writeSoon("one\n");
    await lines.end();
    lines.write("two\n");
    expect(lines.dropped()).toBe(1);
    expect(process.listenerCount("exit")).toBe(listeners);
    closeSync(fd);
  });
});

function lineOf(change: Partial<ExchangeRecord>): Record<string, unknown> {
  return parsed(written(change))[0] ?? {};
}

function written(change: Partial<ExchangeRecord>, enabled = true): string {
  const lines: string[] = [];
  const access = accessLog({ destination: { writeSoon: (line) => lines.push(line) }, enabled });
  access.settled?.(recordOf(change), change.outcome ?? "server_error");
  return lines.join("");
}

describe("the line of a request", () => {
  test("has a fixed shape", () => {
    expect(lineOf({})).toEqual({
      level: "info",
      time: isoTime,
      msg: "request",
      cutover: "checkout",
      route: "pay",
      side: "legacy",
      reason: "journey",
      outcome: "server_error",
      code: null,
      status: 503,
      duration_ms: 12.346,
      request_id: "a-1",
      method: "POST",
    });
  });

  test("says by its code what the proxy refused, or how the side failed", () => {
    expect(lineOf({ outcome: "timeout", code: "idle_timeout" })).toMatchObject({
      outcome: "timeout",
      code: "idle_timeout",
    });
  });

  test("names the other side where that had what the one decided for had not, and no field of it else", () => {
    expect(lineOf({ side: "none", orElse: "new" })).toMatchObject({ side: "none", or_else: "new" });
    expect(lineOf({})).not.toHaveProperty("or_else");
  });

  test("keeps its shape when nothing was decided and nothing answered", () => {
    const line = lineOf({ side: "none", reason: undefined, status: undefined });
    expect(Object.keys(line)).toEqual(Object.keys(lineOf({})));
    expect(line).toMatchObject({ side: "none", reason: "none", status: null });
  });

  test.each(['","level":"fatal', "a\nb", "\\", "\u0000\u001f\u007f", "é☃", "\ud800"])(
    "carries the request id %j as one JSON string",
    (requestId) => {
      expect(lineOf({ requestId }).request_id).toBe(requestId);
    },
  );

  test("is ASCII, whatever stands in it", () => {
    expect(written({ requestId: "é☃" })).toMatch(/^[\n -~]+$/);
  });

  test("carries the time of now", () => {
    const before = Date.now();
    const time = Date.parse(String(lineOf({}).time));
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(Date.now());
  });

  test("is not written when the access log is off", () => {
    expect(written({}, false)).toBe("");
  });
});

describe("the level", () => {
  test("keeps what is below it out", () => {
    const written: string[] = [];
    const log = createLog({ level: "warn", destination: { write: (line) => written.push(line) } });
    log.info("not this");
    log.warn("this");
    expect(parsed(written.join("")).map((line) => line.msg)).toEqual(["this"]);
  });
});

/** Both ends of a pipe, the writing one non-blocking. */
function pipe(): { readonly readFd: number; readonly writeFd: number } {
  const folder = mkdtempSync(join(tmpdir(), "cutover-log-"));
  const path = join(folder, "pipe");
  execFileSync("mkfifo", [path]);
  const writeFd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const readFd = openSync(path, "r");
  cleanups.push(() => {
    closeSync(readFd);
    closeSync(writeFd);
    rmSync(folder, { recursive: true });
  });
  return { readFd, writeFd };
}

async function readBytes(fd: number, length: number): Promise<string> {
  const buffer = Buffer.alloc(length);
  const readSome = promisify(read);
  for (let at = 0; at < length; ) at += (await readSome(fd, buffer, at, length - at, null)).bytesRead;
  return buffer.toString();
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, n) => `${from + n}`);
}

/**
 * The built command line as a user has it: bin/cutover.js in a process of its own. A command that ends (`runCutover`),
 * one whose words are watched as they come (`startCutover`), and an instance that serves (`startServe`). Of the
 * environment only what node needs is passed on, and each process ends with the test's.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { type LogLine, openLog } from "./followed-log.ts";
import { endsWithTest, pidOf } from "./processes.ts";

export const checkout = fileURLToPath(new URL("../..", import.meta.url));
const program = "bin/cutover.js";
const bin = join(checkout, program);
const ready = z.object({ instance: z.string(), proxy: z.string(), admin: z.string() });

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcessWithoutNullStreams;
  readonly finished: Promise<Finished>;
  /** Resolves with stdout and stderr so far once `seen` finds what it waits for in them. */
  until(seen: (stdout: string, stderr: string) => boolean): Promise<Omit<Finished, "code">>;
}

export interface Setting {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export function startCutover(argv: readonly string[], { env = {}, cwd = checkout }: Setting = {}): Started {
  const child = spawn(process.execPath, [bin, ...argv], {
    cwd,
    env: { PATH: process.env.PATH ?? "", TZ: "Asia/Jakarta", ...env },
  });
  endsWithTest(child);
  let stdout = "";
  let stderr = "";
  let look: () => void = () => undefined;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    look();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    look();
  });
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
  return {
    child,
    finished,
    until: (seen) =>
      new Promise((resolve, reject) => {
        look = () => {
          if (seen(stdout, stderr)) resolve({ stdout, stderr });
        };
        look();
        finished.then(
          ({ code }) => reject(new Error(`ended with ${code} before that was seen\n${stdout}\n${stderr}`)),
          reject,
        );
      }),
  };
}

export function runCutover(argv: readonly string[], setting: Setting = {}): Promise<Finished> {
  return startCutover(argv, setting).finished;
}

export interface Served {
  readonly id: string;
  readonly pid: number;
  /** `http://127.0.0.1:PORT` */
  readonly proxy: string;
  readonly admin: string;
  /** All that this process has logged, and what else stands in the file before its end. */
  log(): Promise<string>;
  /** The JSON lines that it has logged. */
  lines(): Promise<readonly LogLine[]>;
  /** Resolves when as many lines as told have this message, with them. Rejects when it ends before, or after 30 s. */
  said(message: string, times?: number): Promise<readonly LogLine[]>;
  signal(name: NodeJS.Signals): void;
  /** Resolves with the exit code, once it is gone. */
  readonly exit: Promise<number | null>;
  /** SIGKILL. Resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM. @returns the exit code */
  stop(): Promise<number | null>;
  /** Another configuration in the same file. */
  rewrite(yaml: string): Promise<void>;
  /** The processes it started. */
  workers(): Promise<readonly number[]>;
}

export interface ServeOptions {
  /** A folder of the test's own, for the configuration and the log; the process has it as its own, too. */
  readonly folder: string;
  /** Names the files. Processes of one name, one after the other, write into one log. */
  readonly name: string;
  readonly yaml: string;
  /** Another checkout, which is built; without it this one. */
  readonly from?: string;
  /** Starts the process; without it this one does. */
  readonly runner?: Runner;
  /** As `--inspect=127.0.0.1:0`. */
  readonly nodeFlags?: readonly string[];
}

/** Starts a process in a folder, with what it prints appended to a file. */
export interface Runner {
  run(
    words: readonly string[],
    folder: string,
    logged: string,
  ): Promise<{ readonly pid: number; readonly exit: Promise<number | null> }>;
}

export const ownProcess: Runner = {
  async run([program = "", ...words], folder, logged) {
    const log = await open(logged, "a");
    const child = spawn(program, words, {
      cwd: folder,
      env: { PATH: process.env.PATH ?? "" },
      stdio: ["ignore", log.fd, log.fd],
    });
    await log.close();
    endsWithTest(child);
    const exit = once(child, "exit").then(([code]) => z.int().nullable().parse(code));
    return { pid: pidOf(child), exit };
  },
};

/** `cutover serve`, with its log in a file: what it says under load takes no turns of the test's event loop. */
export async function startServe(options: ServeOptions): Promise<Served> {
  const { folder, name, yaml, from = checkout, runner = ownProcess, nodeFlags = [] } = options;
  const config = join(folder, `${name}.yaml`);
  const logged = join(folder, `${name}.log`);
  await writeFile(config, yaml);
  const log = await openLog(logged);
  const words = [process.execPath, ...nodeFlags, join(from, program), "serve", "--config", config];
  const { pid, exit } = await runner.run(words, folder, logged);
  let isOver = false;
  void exit.then(() => {
    isOver = true;
  });
  const signal = (signal: NodeJS.Signals) => {
    if (!isOver) process.kill(pid, signal);
  };
  const said = (message: string, times = 1) => log.said(message, times, () => isOver);

  const [line] = await said("ready").catch((error: unknown) => {
    signal("SIGKILL");
    throw error;
  });
  const { instance, proxy, admin } = ready.parse(line);
  return {
    id: instance,
    pid,
    proxy,
    admin,
    log: () => readFile(logged, "utf8"),
    lines: () => log.lines(),
    said,
    signal,
    exit,
    async kill() {
      signal("SIGKILL");
      await exit;
    },
    async stop() {
      signal("SIGTERM");
      return exit;
    },
    rewrite: (text) => writeFile(config, text),
    async workers() {
      const listed = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
      return listed.trim().split(/\s+/).filter(Boolean).map(Number);
    },
  };
}

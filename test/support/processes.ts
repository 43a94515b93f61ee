/** Programs as processes of their own, with what they say in a file, stopped by their pid. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { open, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

export interface Program {
  readonly command: string;
  readonly words: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Where its stdout and stderr go. */
  readonly logPath: string;
  /**
   * Is asked again and again, with all it has said so far, until it gives something. What it throws or rejects
   * with means: not yet.
   */
  readonly ready: (said: string) => Promise<unknown>;
}

export interface RunningProgram {
  said(): Promise<string>;
  /** SIGTERM, and SIGKILL when that takes longer than 15 s. @returns the exit code, null when it was killed */
  stop(): Promise<number | null>;
}

const patienceMs = 15_000;

/** Resolves once the program is ready. Of the environment only what node needs is passed on. */
export async function startProgram(program: Program): Promise<RunningProgram> {
  const { command, words, cwd, env = {}, logPath, ready } = program;
  const log = await open(logPath, "w");
  const child = spawn(command, words, {
    cwd,
    env: { PATH: process.env.PATH ?? "", ...env },
    stdio: ["ignore", log.fd, log.fd],
  });
  await log.close();
  endsWithTest(child);
  let failure: Error | undefined;
  child.once("error", (error) => {
    failure = error;
  });

  const said = () => readFile(logPath, "utf8");
  const running: RunningProgram = {
    said,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
        return child.exitCode;
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      const impatient = setTimeout(() => child.kill("SIGKILL"), patienceMs);
      await gone;
      clearTimeout(impatient);
      return child.exitCode;
    },
  };
  const deadline = performance.now() + patienceMs * 2;
  for (;;) {
    const isReady = await ready(await said()).then(
      (answer) => answer !== undefined,
      () => false,
    );
    if (isReady) return running;
    if (failure !== undefined || child.exitCode !== null || performance.now() > deadline) {
      child.kill("SIGKILL");
      throw (
        failure ?? new Error(`${command} did not become ready, exit code ${child.exitCode}\n${await said()}`)
      );
    }
    await sleep(20);
  }
}

const running = new Set<ChildProcess>();
function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}
process.on("exit", killAll);
// A process of vitest's is ended by this signal, which alone would end it without the event above.
process.once("SIGTERM", () => {
  killAll();
  process.kill(process.pid, "SIGTERM");
});

/** Has the child killed when this process exits, so that a test run that fails or is stopped leaves nothing behind. */
export function endsWithTest(child: ChildProcess): void {
  running.add(child);
  child.once("exit", () => running.delete(child));
}

export function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error("the process did not start");
  return pid;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

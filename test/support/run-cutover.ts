/** Runs the built command line as a user does: bin/cutover.js in a process of its own. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const bin = fileURLToPath(new URL("../../bin/cutover.js", import.meta.url));
export const checkout = fileURLToPath(new URL("../..", import.meta.url));

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

/** Of the environment only what node needs is passed on. */
export function startCutover(argv: readonly string[], { env = {}, cwd = checkout }: Setting = {}): Started {
  const child = spawn(process.execPath, [bin, ...argv], {
    cwd,
    env: { PATH: process.env.PATH ?? "", TZ: "Asia/Jakarta", ...env },
  });
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

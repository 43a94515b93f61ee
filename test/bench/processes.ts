/** Processes under measurement: started on one core, and what /proc says of them and their children. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { cpuSoFar } from "../support/cpu-time.ts";

export interface Running {
  readonly pid: number;
  stop(): Promise<void>;
}

/** Its output goes nowhere, its complaints to ours. It ends with this process. */
export function startOnCore(core: number, command: readonly string[], cwd: string): Running {
  const child = spawn("taskset", ["-c", `${core}`, ...command], {
    cwd,
    stdio: ["ignore", "ignore", "inherit"],
    env: { PATH: process.env.PATH ?? "", NODE_ENV: "production" },
  });
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  // taskset becomes the command: the process is the same.
  if (child.pid === undefined) throw new Error(`${command[0]} could not be started`);
  return {
    pid: child.pid,
    async stop() {
      process.off("exit", kill);
      await end(child);
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const hard = setTimeout(() => child.kill("SIGKILL"), 15_000);
  await gone;
  clearTimeout(hard);
}

export interface Usage {
  /** User and system time of the process and all below it, threads that have ended left out. */
  readonly cpuSeconds: number;
  readonly rssMiB: number;
}

export function usageOf(root: number): Usage {
  let cpuMs = 0;
  let rssKiB = 0;
  for (const pid of treeOf(root)) {
    cpuMs += cpuSoFar(pid);
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    rssKiB += Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  }
  return { cpuSeconds: cpuMs / 1e3, rssMiB: rssKiB / 1024 };
}

/** @returns the process and all below it */
export function treeOf(root: number): readonly number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    try {
      parents.set(pid, parentOf(pid));
    } catch {
      // It ended while we looked.
    }
  }
  const tree = [root];
  for (const pid of tree) for (const [child, parent] of parents) if (parent === pid) tree.push(child);
  return tree;
}

/** The fourth field of /proc/PID/stat; the second, in brackets, may hold spaces. */
function parentOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[1]);
}

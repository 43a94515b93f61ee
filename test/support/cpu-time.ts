/** CPU time of programs, user and system, of all their threads; in milliseconds. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** @returns what a program that ends by itself has used @throws Error when it fails */
export function cpuOfRun(words: readonly string[]): number {
  // The shell asks wait4(2), which Node does not tell of.
  const script = 'TIMEFORMAT="%3U %3S"; time "$@" >/dev/null 2>/dev/null';
  const { status, stderr } = spawnSync("bash", ["-c", script, "bash", ...words], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${words.join(" ")} ended with ${status}`);
  const [user = Number.NaN, system = Number.NaN] = stderr.trim().split(" ").map(Number);
  return (user + system) * 1000;
}

/** @returns what a process has used so far, by its threads that live */
export function cpuSoFar(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    // Time on a core, to the nanosecond; /proc/PID/stat counts in hundredths of a second.
    const [onCore] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ");
    nanoseconds += Number(onCore);
  }
  return nanoseconds / 1e6;
}

/**
 * A share of a core for each worker, by Linux's control groups, the first on the first core, the second on the second: what
 * two workers do that have a core each, on a machine where load and upstreams need the rest of one.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { treeOf } from "./processes.ts";

/** Of the first version, where that has the processors; of the second else. */
const first = "/sys/fs/cgroup/cpu";
const second = "/sys/fs/cgroup";
/** Short, so that a throttled process waits but for moments. */
const periodMicros = 10_000;

export interface Limit {
  /** After the processes have ended. */
  remove(): Promise<void>;
}

/**
 * @param pid of a process that serves by itself, or by the workers below it
 * @param share of a core, for each of them
 * @throws the file system's error: not root, or no such groups here
 */
export function limitWorkers(pid: number, share: number): Limit {
  const below = treeOf(pid).slice(1);
  const workers = below.length === 0 ? [pid] : below;
  const folders = workers.map((each) => limit(each, share));
  for (const [core, each] of workers.entries())
    execFileSync("taskset", ["-a", "-c", "-p", `${core % availableParallelism()}`, `${each}`]);
  return {
    async remove() {
      // A group is empty a moment after its process is gone.
      for (const folder of folders)
        while (readFileSync(join(folder, "cgroup.procs"), "utf8") !== "") await sleep(10);
      for (const folder of folders) rmdirSync(folder);
    },
  };
}

/** @returns the group's folder */
function limit(pid: number, share: number): string {
  const quota = `${Math.round(share * periodMicros)}`;
  const isFirst = existsSync(join(first, "cgroup.procs"));
  const folder = join(isFirst ? first : second, `cutover-bench-${pid}`);
  if (!isFirst) writeFileSync(join(second, "cgroup.subtree_control"), "+cpu");
  mkdirSync(folder);
  if (isFirst) {
    writeFileSync(join(folder, "cpu.cfs_period_us"), `${periodMicros}`);
    writeFileSync(join(folder, "cpu.cfs_quota_us"), quota);
  } else writeFileSync(join(folder, "cpu.max"), `${quota} ${periodMicros}`);
  writeFileSync(join(folder, "cgroup.procs"), `${pid}`);
  return folder;
}

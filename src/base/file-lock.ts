/**
 * Keeps a second process off a file: a lock file beside it names the process that has it, by its id and, where the
 * system tells (Linux), the time it started, so that an id used again by another program after a crash is not taken
 * for the owner.
 *
 *   lockFile   for as long as a process runs. Processes that do not see each other's ids (other hosts, other
 *              containers) are not kept apart
 *   inTurn     for a moment, by whoever shares the file, on whatever host: who has it is waited for
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, readlink, rename, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { codeOf } from "./errors.ts";
import { textIn } from "./replace-file.ts";

export interface FileLock {
  /** Removes the lock file, unless another process has taken it over. Never throws. */
  release(): Promise<void>;
}

/** @throws Error with code ELOCKED, naming the process that has the file; the file system's error */
export async function lockFile(path: string): Promise<FileLock> {
  const lock = `${path}.lock`;
  const mine = `${process.pid} ${(await startOf(process.pid)) ?? ""}\n`;
  // A lock that disappears while it is looked at is tried for again.
  for (let attempt = 0; attempt < 10; attempt++) {
    if (await create(lock, mine)) return { release: () => remove(lock, mine) };
    const found = await textIn(lock);
    if (found === undefined) continue;
    const owner = Number.parseInt(found, 10);
    if (await runs(found)) {
      const text = `${path} is in use by the process ${owner} (${lock}): only one may have it`;
      throw Object.assign(new Error(text), { code: "ELOCKED" });
    }
    await takeAway(lock, found);
  }
  throw new Error(`${path}: no lock to be had (${lock})`);
}

/** A lock of a moment that has stood for so long was left behind by a process that is out of sight. */
const abandonedMs = 5000;
/** Between two looks at a lock that another has; spread, so that many do not come in one instant. */
const lookMs = 5;

/**
 * Does the work while nobody else does theirs on the file by this function. Creates the file's folder if need be.
 *
 * @param work is told of a check whether it still has its turn: one that was frozen for long may have lost it
 * @throws what the work throws; the file system's error
 */
export async function inTurn<T>(
  path: string,
  work: (isMine: () => Promise<boolean>) => Promise<T>,
): Promise<T> {
  const lock = `${path}.lock`;
  const place = await placeOfProcess();
  const start = (await startOf(process.pid)) ?? "";
  const mine = `${process.pid} ${start} ${place} ${randomBytes(8).toString("hex")}\n`;
  let seen: { readonly text: string; readonly sinceMs: number } | undefined;
  await mkdir(dirname(path), { recursive: true });
  while (!(await create(lock, mine))) {
    const text = await textIn(lock);
    if (text === undefined) continue;
    if (seen?.text !== text) seen = { text, sinceMs: performance.now() };
    if (performance.now() - seen.sinceMs > abandonedMs || (await isOfTheDead(text, place, start))) {
      await takeAway(lock, text);
    } else await sleep(lookMs + Math.random() * lookMs);
  }
  try {
    return await work(async () => (await textIn(lock)) === mine);
  } finally {
    await remove(lock, mine);
  }
}

/** Whether a lock was made by a process that would be seen here and is not there any more. */
async function isOfTheDead(text: string, place: string, ownStart: string): Promise<boolean> {
  const [id = "", start = "", where = ""] = text.trim().split(" ");
  if (where !== place) return false;
  return id === `${process.pid}` ? start !== ownStart : !(await runs(text));
}

/** Processes of one place see each other's ids: a host, or a container of it. */
async function placeOfProcess(): Promise<string> {
  const namespace = await readlink("/proc/self/ns/pid").catch(() => "");
  return `${hostname()}/${namespace}`.replaceAll(/\s/g, "_");
}

async function create(lock: string, text: string): Promise<boolean> {
  try {
    const file = await open(lock, "wx", 0o600);
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Whether the process named in the lock still runs. This process's own id is one from before a restart. */
async function runs(text: string): Promise<boolean> {
  const [id = "", start = ""] = text.trim().split(" ");
  const pid = Number(id);
  if (!/^[1-9]\d*$/.test(id) || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (codeOf(error) !== "EPERM") return false;
  }
  return start === "" || ((await startOf(pid)) ?? start) === start;
}

/**
 * Removes a lock that was found abandoned. By renaming it first: should another process have put its own lock there
 * in the meantime, what was renamed is not what was found, and goes back.
 */
async function takeAway(lock: string, found: string): Promise<void> {
  const aside = `${lock}.${randomBytes(8).toString("hex")}.tmp`;
  try {
    await rename(lock, aside);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw error;
  }
  if ((await textIn(aside)) === found) await rm(aside, { force: true });
  else await rename(aside, lock);
}

async function remove(lock: string, mine: string): Promise<void> {
  try {
    if ((await textIn(lock)) === mine) await rm(lock, { force: true });
  } catch {
    return;
  }
}

/** When the process started, in the kernel's ticks since boot (proc(5), stat, field 22). */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The second field, the program's name in parentheses, may hold anything.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

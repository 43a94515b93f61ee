/**
 * The files behind the spool: one a process, FOLDER/PID-ID.spool, JSON lines, locked (base/file-lock.ts) while its
 * process runs. A file whose process is gone is taken over by the next one that starts on this host.
 */
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { createAppendFile } from "../../base/append-file.ts";
import { codeOf } from "../../base/errors.ts";
import { type FileLock, lockFile } from "../../base/file-lock.ts";
import { jsonOf } from "../../base/json.ts";
import { type Side, sides } from "../../state/rules/model.ts";
import type { NamedKey } from "../stores/port.ts";

/** An owner, by fact or claim, that the store could not record in time. */
export interface LateOwner extends NamedKey {
  readonly cutover: string;
  readonly side: Side;
  /** When it is no longer worth keeping; ms since the epoch. */
  readonly until: number;
}

export interface SpoolFile {
  /** @throws the file system's error */
  append(owners: readonly LateOwner[]): Promise<void>;
  /** All of them are recorded: empties the file. @throws the file system's error */
  clear(): Promise<void>;
  /**
   * Takes over the files of processes that are gone.
   *
   * @param keep makes their owners this process's; a file is removed once it resolves
   * @returns how many owners there were
   * @throws the file system's error
   */
  adopt(keep: (owners: readonly LateOwner[]) => Promise<void>): Promise<number>;
  /** @param done whether nothing in the file is needed any more: it is then removed */
  close(done: boolean): Promise<void>;
}

const line = z.object({
  cutover: z.string(),
  key: z.string(),
  /** It is not in files of before claims and facts were told apart: a fact also serves as a claim, not the other way. */
  claimed: z.boolean().default(false),
  side: z.enum(sides),
  until: z.number(),
});
const ending = ".spool";

/** Touches nothing before the first owner comes. @param id tells this process from others of the same number */
export function createSpoolFile(folder: string, id: string): SpoolFile {
  const path = join(folder, `${process.pid}-${id}${ending}`);
  // Locked before the first line is written, or another process might take the file for one left behind.
  const file = createAppendFile(path, { isLocked: true });
  return {
    append: (owners) => file.append(owners.map((owner) => `${JSON.stringify(owner)}\n`).join("")),
    clear: () => file.clear(),
    async adopt(keep) {
      let count = 0;
      for (const name of await namesIn(folder)) {
        const other = join(folder, name);
        if (name.endsWith(ending) && other !== path) count += await takeOver(other, keep);
      }
      return count;
    },
    close: (done) => (done ? file.remove() : file.close()),
  };
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

async function takeOver(
  other: string,
  keep: (owners: readonly LateOwner[]) => Promise<void>,
): Promise<number> {
  let lock: FileLock;
  try {
    lock = await lockFile(other);
  } catch {
    // Its process runs.
    return 0;
  }
  try {
    const owners = readOwners(await readFile(other, "utf8"));
    await keep(owners);
    await rm(other, { force: true });
    return owners.length;
  } catch (error) {
    // Another process that starts just now was faster.
    if (codeOf(error) === "ENOENT") return 0;
    throw error;
  } finally {
    await lock.release();
  }
}

/** What does not read was cut short by a crash, before anybody relied on it. */
function readOwners(text: string): LateOwner[] {
  return text.split("\n").flatMap((each) => line.safeParse(jsonOf(each)).data ?? []);
}

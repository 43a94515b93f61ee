/**
 * The files behind the spool: one a process, FOLDER/PID-ID.spool, JSON lines, kept by a lock (base/file-lock.ts)
 * while its process runs. A file whose process is gone is taken over by the next one that starts on this host.
 */
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { createAppendFile } from "../../base/append-file.ts";
import { type FileLock, lockFile } from "../../base/file-lock.ts";
import { sides } from "../../state/rules/model.ts";
import type { Fact } from "./spool.ts";

export interface SpoolFile {
  /** @throws the file system's error */
  append(facts: readonly Fact[]): Promise<void>;
  /** All facts are recorded: empties the file. @throws the file system's error */
  clear(): Promise<void>;
  /**
   * Takes over the files of processes that are gone.
   *
   * @param keep makes their facts this process's; a file is removed once it resolves
   * @returns how many facts there were
   * @throws the file system's error
   */
  adopt(keep: (facts: readonly Fact[]) => Promise<void>): Promise<number>;
  /** @param done whether nothing in the file is needed any more: it is then removed */
  close(done: boolean): Promise<void>;
}

const line = z.object({
  cutover: z.string(),
  key: z.string(),
  /** Not in files of before claims and facts were told apart: a fact also holds a claim, not the other way. */
  claimed: z.boolean().default(false),
  side: z.enum(sides),
  until: z.number(),
});
const ending = ".spool";

/** Touches nothing before the first fact comes. @param id tells this process from others of the same number */
export function createSpoolFile(folder: string, id: string): SpoolFile {
  const path = join(folder, `${process.pid}-${id}${ending}`);
  const file = createAppendFile(path);
  let lock: Promise<FileLock> | undefined;

  async function locked(): Promise<FileLock> {
    await mkdir(folder, { recursive: true });
    return lockFile(path);
  }

  async function takeOver(other: string, keep: (facts: readonly Fact[]) => Promise<void>): Promise<number> {
    let held: FileLock;
    try {
      held = await lockFile(other);
    } catch {
      // Its process runs.
      return 0;
    }
    try {
      const facts = readFacts(await readFile(other, "utf8"));
      await keep(facts);
      await rm(other, { force: true });
      return facts.length;
    } catch (error) {
      // Another process that starts just now was faster.
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return 0;
      throw error;
    } finally {
      await held.release();
    }
  }

  return {
    async append(facts) {
      // Before the first fact is written, or another process might take the file for one left behind.
      lock ??= locked().catch((error: unknown) => {
        lock = undefined;
        throw error;
      });
      await lock;
      await file.append(facts.map((fact) => `${JSON.stringify(fact)}\n`).join(""));
    },
    async clear() {
      if (lock !== undefined) await file.clear();
    },
    async adopt(keep) {
      let names: string[];
      try {
        names = await readdir(folder);
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "ENOENT") return 0;
        throw error;
      }
      let count = 0;
      for (const name of names) {
        const other = join(folder, name);
        if (name.endsWith(ending) && other !== path) count += await takeOver(other, keep);
      }
      return count;
    },
    async close(done) {
      await file.close();
      if (lock === undefined) return;
      if (done) await rm(path, { force: true });
      await (await lock).release();
    },
  };
}

/** What does not read was cut short by a crash, before anybody relied on it. */
function readFacts(text: string): Fact[] {
  return text.split("\n").flatMap((each) => {
    try {
      return [line.parse(JSON.parse(each))];
    } catch {
      return [];
    }
  });
}

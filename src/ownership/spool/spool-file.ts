/**
 * The files behind the spool: one a process, FOLDER/PID-ID.spool, JSON lines, locked (base/file-lock.ts) while its
 * process runs. A file whose process is gone is taken over by the next one that starts on this host.
 */
import { join } from "node:path";
import * as z from "zod";
import { createAppendFile, takeOverFiles } from "../../base/append-file.ts";
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
    adopt: (keep) =>
      takeOverFiles(folder, ending, path, async (text) => {
        const owners = readOwners(text);
        await keep(owners);
        return owners.length;
      }),
    close: (done) => (done ? file.remove() : file.close()),
  };
}

/** What does not read was cut short by a crash, before anybody relied on it. */
function readOwners(text: string): LateOwner[] {
  return text.split("\n").flatMap((each) => line.safeParse(jsonOf(each)).data ?? []);
}

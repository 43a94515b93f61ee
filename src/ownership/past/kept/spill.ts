/**
 * Notes that the store has not taken, on the disk of this host: FOLDER/PID-ID.notes, JSON lines of digests, so that they
 * outlive their process. What is noted again is there twice, which harms nothing (port.ts); once the file has grown by
 * far over what still waits it is written anew, and emptied when the store has taken all.
 */
import * as z from "zod";
import { type AppendFile, createAppendFile } from "../../../base/append-file.ts";
import { jsonOf } from "../../../base/json.ts";
import { sides } from "../../../state/rules/model.ts";
import { type DoubtNote, doubtOutcomes, type KeyNote, type PastNotes } from "../port.ts";

export interface Spill {
  /**
   * @param of whose they are
   * @param all what of theirs waits, should the file be written anew
   * @throws the file system's error
   */
  keep(of: object, notes: PastNotes, all: () => PastNotes): Promise<void>;
  /** The store has taken all of theirs. Never rejects. */
  done(of: object): Promise<void>;
  /** Removes the file, unless notes of somebody's are in it. Never rejects. */
  close(): Promise<void>;
}

export const notesEnding = ".notes";
const leastBytes = 4 * 1024 * 1024;

export function createSpill(path: string): Spill {
  // Locked before the first line is written, or another process might take the file for one left behind.
  const file: AppendFile = createAppendFile(path, { isLocked: true });
  const waiting = new Map<object, () => PastNotes>();
  let bytesThen = 0;

  return {
    async keep(of, notes, all) {
      waiting.set(of, all);
      await file.append(textOf(notes));
      if (file.size() < Math.max(leastBytes, 3 * bytesThen)) return;
      await file.rewrite(() => [...waiting.values()].map((each) => textOf(each())).join(""));
      bytesThen = file.size();
    },
    async done(of) {
      if (!waiting.delete(of) || waiting.size > 0) return;
      bytesThen = 0;
      await file.clear().catch(() => undefined);
    },
    close: () => (waiting.size === 0 ? file.remove() : file.close()).catch(() => undefined),
  };
}

function textOf({ keys, doubts }: PastNotes): string {
  const lines = [...keys.map((key) => ({ key })), ...doubts.map((doubt) => ({ doubt }))];
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}

const side = z.enum(sides);
const answered = z.object({ legacy: z.number().optional(), new: z.number().optional() });
const decision = z.object({
  atMs: z.number(),
  side,
  reason: z.string(),
  version: z.number(),
  route: z.string(),
});
const key = z.object({
  cutover: z.string(),
  digest: z.string(),
  ttlMs: z.number(),
  decisions: z.array(decision),
  answered,
});
const doubt = z.object({
  cutover: z.string(),
  side,
  digest: z.string(),
  others: z.array(z.string()),
  sentAtMs: z.number(),
  sinceMs: z.number(),
  route: z.string(),
  outcome: z.enum(doubtOutcomes).nullable(),
});
const form = z.union([z.object({ key }), z.object({ doubt })]);

/** What does not read was cut short by a crash. */
export function readSpilled(text: string): PastNotes {
  const keys: KeyNote[] = [];
  const doubts: DoubtNote[] = [];
  for (const line of text.split("\n")) {
    const read = form.safeParse(jsonOf(line)).data;
    if (read === undefined) continue;
    if ("key" in read) keys.push(keyNote(read.key));
    else doubts.push(read.doubt);
  }
  return { keys, doubts };
}

function keyNote({ answered: told, ...rest }: z.output<typeof key>): KeyNote {
  const { legacy, new: onNew } = told;
  return {
    ...rest,
    answered: {
      ...(legacy === undefined ? {} : { legacy }),
      ...(onNew === undefined ? {} : { new: onNew }),
    },
  };
}

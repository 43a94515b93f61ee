/**
 * Records in a file of one JSON line each, read whole at the start; of several lines of one id the last counts. The
 * file is rewritten without what is over at the start, and whenever it has grown to twice what it then was.
 */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { createAppendFile } from "../../base/append-file.ts";
import type { Clock } from "../../base/clock.ts";
import { createRecords, type Records, type StoredRecord } from "./records.ts";

const line = z.object({ id: z.string(), value: z.string(), until: z.number() });

export interface RecordFile {
  readonly records: Records;
  close(): Promise<void>;
}

/**
 * @param leastBytes a file smaller than this is not rewritten before the next start; 4 MiB without it
 * @throws Error when the file can not be read or written, or holds a line that is no record
 */
export async function openRecordFile(
  path: string,
  clock: Pick<Clock, "now">,
  leastBytes = 4_194_304,
): Promise<RecordFile> {
  const latest = new Map((await readRecords(path)).map((record) => [record.id, record]));
  const file = createAppendFile(path);
  const records = createRecords({ clock, records: [...latest.values()], persist });
  let rewriteAt = Number.POSITIVE_INFINITY;

  async function persist(record: StoredRecord): Promise<void> {
    await file.append(textOf(record));
    if (file.size() >= rewriteAt) void rewrite().catch(() => undefined);
  }

  async function rewrite(): Promise<void> {
    // Once, however many ask; and not again at once where it can not be done.
    rewriteAt = Number.POSITIVE_INFINITY;
    try {
      await file.rewrite(() => records.all().map(textOf).join(""));
    } finally {
      rewriteAt = Math.max(leastBytes, 2 * file.size());
    }
  }

  await rewrite();
  return { records, close: () => file.close() };
}

function textOf(record: StoredRecord): string {
  return `${JSON.stringify(record)}\n`;
}

async function readRecords(path: string): Promise<StoredRecord[]> {
  const lines = (await readText(path)).split("\n");
  // What follows the last line feed was cut short by a crash, or is empty.
  lines.pop();
  return lines.map((text, i) => {
    try {
      return line.parse(JSON.parse(text));
    } catch {
      throw new Error(`${path}: line ${i + 1} is no record`);
    }
  });
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}

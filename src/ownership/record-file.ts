/**
 * Records in a file of one JSON line each, read whole at the start and then rewritten without what has expired; of
 * several lines of one id the last counts.
 */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { replaceFile } from "../state/replace-file.ts";
import type { Clock } from "../state/store.ts";
import { createAppendFile } from "./append-file.ts";
import { createRecords, type Records, type StoredRecord } from "./records.ts";

const line = z.object({ id: z.string(), value: z.string(), until: z.number() });

export interface RecordFile {
  readonly records: Records;
  close(): Promise<void>;
}

/** @throws Error when the file can not be read or written, or holds a line that is no record */
export async function openRecordFile(path: string, clock: Pick<Clock, "now">): Promise<RecordFile> {
  const latest = new Map((await readRecords(path)).map((record) => [record.id, record]));
  const records = [...latest.values()].filter(({ until }) => until > clock.now());
  await replaceFile(path, records.map(textOf).join(""));
  const file = createAppendFile(path);
  return {
    records: createRecords({ clock, records, persist: (record) => file.append(textOf(record)) }),
    close: () => file.close(),
  };
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

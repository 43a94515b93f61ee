/**
 * Owners of the embedded store: an append-only file, one JSON line a record, read whole at the start and then
 * rewritten without what has expired. A line is durable (fdatasync) before its owner is told to anybody; lines
 * that come together share one sync. A last line cut short by a crash was told to nobody and is dropped.
 */
import { open, readFile } from "node:fs/promises";
import { z } from "zod";
import { sides } from "../state/model.ts";
import { replaceFile } from "../state/replace-file.ts";
import type { Clock } from "../state/store.ts";
import { createMemoryOwnerStore, type OwnerRecord } from "./memory.ts";
import type { OwnerStore } from "./owner-store.ts";

const line = z.object({ id: z.string(), side: z.enum(sides), until: z.number() });

/** @throws Error when the file can not be read or written, or holds a line that is no record */
export async function openFileOwnerStore(options: {
  readonly path: string;
  readonly clock: Pick<Clock, "now">;
}): Promise<OwnerStore> {
  const { path, clock } = options;
  const records = (await readRecords(path)).filter(({ until }) => until > clock.now());
  await replaceFile(path, records.map(textOf).join(""));
  const file = await open(path, "a", 0o600);

  let waiting: { readonly text: string; readonly settle: (error?: unknown) => void }[] = [];
  let flushing = false;
  const flush = async () => {
    if (flushing) return;
    flushing = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      let failure: unknown;
      try {
        await file.appendFile(batch.map(({ text }) => text).join(""));
        await file.datasync();
      } catch (error) {
        failure = error;
      }
      for (const { settle } of batch) settle(failure);
    }
    flushing = false;
  };

  return createMemoryOwnerStore({
    clock,
    records,
    persist: (record) =>
      new Promise((resolve, reject) => {
        const settle = (error?: unknown) => (error === undefined ? resolve() : reject(error));
        waiting.push({ text: textOf(record), settle });
        void flush();
      }),
    onClose: () => file.close(),
  });
}

function textOf(record: OwnerRecord): string {
  return `${JSON.stringify(record)}\n`;
}

async function readRecords(path: string): Promise<OwnerRecord[]> {
  const lines = (await readText(path)).split("\n");
  lines.pop();
  return lines.map((text, i) => {
    try {
      return line.parse(JSON.parse(text));
    } catch {
      throw new Error(`${path}: line ${i + 1} is no owner's record`);
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

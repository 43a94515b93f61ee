/**
 * Short texts by id, each with an end, in the memory of one process; and the same kept in a file.
 *
 * With `persist` a record is told to anybody only once it is durable. The file has one JSON line for each change, and
 * is read whole at the start; of several lines of one id the last counts. It is rewritten without what is over at the
 * start, and whenever it has grown to twice what it then was.
 */
import * as z from "zod";
import { createAppendFile } from "../../base/append-file.ts";
import type { Clock } from "../../base/clock.ts";
import { StoreUnavailable } from "../../base/errors.ts";
import { textIn } from "../../base/replace-file.ts";

export interface StoredRecord {
  readonly id: string;
  readonly value: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

export interface Records {
  /** Those that have not expired, durable or about to be. */
  all(): readonly StoredRecord[];
  /** @throws StoreUnavailable when it could not be made durable */
  get(id: string): Promise<string | undefined>;
  /** As `get`, with its end. */
  find(id: string): Promise<StoredRecord | undefined>;
  /**
   * Replaces a record by what `judge` makes of it, at once for all that come after.
   *
   * @param judge `undefined` leaves the record as it is; `kept` its end
   * @returns what there was before, once what there is now is durable
   * @throws StoreUnavailable when it could not be made durable: it is then as it was
   */
  change(
    id: string,
    judge: (
      kept: string | undefined,
    ) => { readonly value: string; readonly ttlMs: number | "kept" } | undefined,
  ): Promise<string | undefined>;
}

interface RecordsOptions {
  readonly clock: Pick<Clock, "now">;
  readonly records?: readonly StoredRecord[];
  /** Makes a record durable; when it rejects, the change has not happened. */
  readonly persist?: (record: StoredRecord) => Promise<void>;
}

interface Kept {
  readonly record: StoredRecord;
  /** Settles when the record is durable, or gone again. */
  readonly durable: Promise<void>;
}

const firstSweep = 1024;
const done = Promise.resolve();

export function createRecords({ clock, records = [], persist }: RecordsOptions): Records {
  const kept = new Map<string, Kept>(records.map((record) => [record.id, { record, durable: done }]));
  let sweepAt = Math.max(firstSweep, 2 * kept.size);

  const alive = (id: string): Kept | undefined => {
    const found = kept.get(id);
    if (found === undefined || found.record.until > clock.now()) return found;
    kept.delete(id);
    return undefined;
  };
  /** Whenever their number has doubled since the last time, what has expired goes. */
  const sweep = () => {
    if (kept.size < sweepAt) return;
    for (const id of [...kept.keys()]) alive(id);
    sweepAt = Math.max(firstSweep, 2 * kept.size);
  };
  async function write(record: StoredRecord, before: Kept | undefined): Promise<void> {
    if (persist === undefined) return;
    try {
      await persist(record);
    } catch (cause) {
      if (kept.get(record.id)?.record === record) {
        if (before === undefined) kept.delete(record.id);
        else kept.set(record.id, before);
      }
      throw new StoreUnavailable("the record could not be made durable", { cause });
    }
  }

  return {
    all: () => [...kept.keys()].flatMap((id) => alive(id)?.record ?? []),
    async get(id) {
      const found = alive(id);
      await found?.durable;
      return found?.record.value;
    },
    async find(id) {
      const found = alive(id);
      await found?.durable;
      return found?.record;
    },
    async change(id, judge) {
      const before = alive(id);
      const next = judge(before?.record.value);
      if (next !== undefined) {
        const { value, ttlMs } = next;
        const now = clock.now();
        const until = ttlMs === "kept" ? (before?.record.until ?? now) : now + ttlMs;
        const record = { id, value, until };
        const durable = write(record, before);
        kept.set(id, { record, durable });
        sweep();
        await durable;
      } else await before?.durable;
      return before?.record.value;
    },
  };
}

const recordLine = z.object({ id: z.string(), value: z.string(), until: z.number() });

interface RecordFile {
  readonly records: Records;
  close(): Promise<void>;
}

/**
 * @param leastBytes a file smaller than this is not rewritten before the next start; 4 MiB without it
 * @throws Error when the file cannot be read or written, or a line of it is no record
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
    // Once, however many ask; and not again at once where it cannot be done.
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
  const lines = ((await textIn(path)) ?? "").split("\n");
  // What follows the last line feed was cut short by a crash, or is empty.
  lines.pop();
  return lines.map((text, i) => {
    try {
      return recordLine.parse(JSON.parse(text));
    } catch {
      throw new Error(`${path}: line ${i + 1} is no record`);
    }
  });
}

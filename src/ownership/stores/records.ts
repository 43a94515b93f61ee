/**
 * Short texts by id, each with an end, in the memory of one process. With `persist` (record-file.ts) a record is
 * told to anybody only once it is durable.
 */

import type { Clock } from "../../base/clock.ts";
import { StoreUnavailable } from "../../base/unavailable.ts";

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
  /**
   * Replaces a record by what `judge` makes of it, at once for all that come after.
   *
   * @param judge `undefined` leaves the record as it is
   * @returns what there was before, once what there is now is durable
   * @throws StoreUnavailable when it could not be made durable: it is then as it was
   */
  change(
    id: string,
    judge: (held: string | undefined) => { readonly value: string; readonly ttlMs: number } | undefined,
  ): Promise<string | undefined>;
}

export interface RecordsOptions {
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
    async change(id, judge) {
      const before = alive(id);
      const next = judge(before?.record.value);
      if (next !== undefined) {
        const record = { id, value: next.value, until: clock.now() + next.ttlMs };
        const durable = write(record, before);
        kept.set(id, { record, durable });
        sweep();
        await durable;
      } else await before?.durable;
      return before?.record.value;
    },
  };
}

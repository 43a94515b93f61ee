/**
 * Owners in the memory of one process. The file store hands in what it has read and `persist`: an owner is then
 * told to anybody only once its record is durable.
 */
import type { Side } from "../state/model.ts";
import { type Clock, StoreUnavailable } from "../state/store.ts";
import type { OwnerStore } from "./owner-store.ts";

export interface OwnerRecord {
  /** Cutover and key. */
  readonly id: string;
  readonly side: Side;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

export interface MemoryOwnerStoreOptions {
  readonly clock: Pick<Clock, "now">;
  readonly records?: readonly OwnerRecord[];
  /** Makes a record durable; when it rejects, the claim has not happened. */
  readonly persist?: (record: OwnerRecord) => Promise<void>;
  readonly onClose?: () => Promise<void>;
}

interface Kept {
  readonly record: OwnerRecord;
  /** Settles when the record is durable, or is gone again. */
  readonly durable: Promise<void>;
}

const firstSweep = 1024;

export function createMemoryOwnerStore(options: MemoryOwnerStoreOptions): OwnerStore {
  const { clock, records = [], persist = async () => {} } = options;
  const done = Promise.resolve();
  const owners = new Map<string, Kept>(records.map((record) => [record.id, { record, durable: done }]));
  let sweepAt = Math.max(firstSweep, 2 * owners.size);

  const alive = (id: string): Kept | undefined => {
    const kept = owners.get(id);
    if (kept === undefined || kept.record.until > clock.now()) return kept;
    owners.delete(id);
    return undefined;
  };
  /** Whenever their number has doubled since the last time, what has expired goes. */
  const sweep = () => {
    if (owners.size < sweepAt) return;
    for (const id of [...owners.keys()]) alive(id);
    sweepAt = Math.max(firstSweep, 2 * owners.size);
  };
  const ownerOf = async (id: string): Promise<Side | undefined> => {
    const kept = alive(id);
    await kept?.durable;
    return kept?.record.side;
  };

  return {
    lookup: (cutover, keys) => Promise.all(keys.map((key) => ownerOf(idOf(cutover, key)))),
    async claim(cutover, key, side, ttlMs) {
      const id = idOf(cutover, key);
      const before = alive(id);
      if (before === undefined) {
        const record = { id, side, until: clock.now() + ttlMs };
        const durable = persist(record).catch((cause) => {
          owners.delete(id);
          throw new StoreUnavailable("the owner could not be made durable", { cause });
        });
        owners.set(id, { record, durable });
        sweep();
      }
      return (await ownerOf(id)) ?? side;
    },
    async close() {
      await options.onClose?.();
    },
  };
}

/** A cutover's name holds no colon. */
function idOf(cutover: string, key: string): string {
  return `${cutover}:${key}`;
}

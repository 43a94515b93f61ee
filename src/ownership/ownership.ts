/**
 * Who holds an order or a key, answered from a bounded memory first and then from the store, within a deadline.
 *
 * A store that does not answer in time costs no request: it goes by journey and bucket, and is counted as
 * unknown. An owner never changes while it is kept, so what is remembered can not be wrong; it can only outlive
 * the record by what the memory holds, and then still says where the order is.
 */
import type { Side } from "../state/model.ts";
import { createLru } from "./lru.ts";
import type { OwnerStore } from "./owner-store.ts";
import type { OwnerKey, Ownership } from "./port.ts";

/** What is found out about owners, for metrics. */
export interface OwnershipCounts {
  /** Two keys of one request have different owners; the first in config order won. */
  conflict(cutover: string): void;
  /** The store could not be asked in time: the request went by journey and bucket. */
  unknown(cutover: string): void;
  /** An owner could not be recorded in time. */
  unrecorded(cutover: string): void;
}

export interface OwnershipOptions {
  readonly owners: OwnerStore;
  readonly counts: OwnershipCounts;
  /** Most owners remembered; 100,000 without it. */
  readonly remembered?: number;
}

export function createOwnership({ owners, counts, remembered = 100_000 }: OwnershipOptions): Ownership {
  const memory = createLru<Side>(remembered);

  const remember = (cutover: string, key: string, side: Side): Side => {
    memory.set(`${cutover}:${key}`, side);
    return side;
  };

  async function lookup(cutover: string, keys: readonly OwnerKey[]): Promise<readonly (Side | undefined)[]> {
    const found = keys.map(({ key }) => memory.get(`${cutover}:${key}`));
    if (!found.includes(undefined)) return found;
    const stored = await owners.lookup(
      cutover,
      keys.map(({ key }) => key),
    );
    return keys.map(({ key }, i) => {
      const side = found[i] ?? stored[i];
      return side === undefined ? undefined : remember(cutover, key, side);
    });
  }

  return {
    async find(cutover, keys) {
      try {
        const sides = (await lookup(cutover, keys)).filter((side) => side !== undefined);
        const conflict = new Set(sides).size > 1;
        if (conflict) counts.conflict(cutover);
        return { owner: sides[0], conflict, unknown: false };
      } catch {
        counts.unknown(cutover);
        return { owner: undefined, conflict: false, unknown: true };
      }
    },
    async claim(cutover, keys, side) {
      for (const { key, ttlMs, claimed } of keys) {
        if (!claimed) continue;
        try {
          const owner = remember(cutover, key, await owners.claim(cutover, key, side, ttlMs));
          if (owner !== side) return owner;
        } catch {
          counts.unrecorded(cutover);
        }
      }
      return side;
    },
    async learn(cutover, keys, side) {
      await Promise.all(
        keys.map(async ({ key, ttlMs }) => {
          try {
            remember(cutover, key, await owners.claim(cutover, key, side, ttlMs));
          } catch {
            remember(cutover, key, side);
            counts.unrecorded(cutover);
          }
        }),
      );
    },
  };
}

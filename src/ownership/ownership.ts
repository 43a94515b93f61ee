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
import type { Found, OwnerKey, Ownership } from "./port.ts";

/** What is found out about owners, for metrics. */
export interface OwnershipCounts {
  /** Two keys of one request have different owners; the first in config order won. */
  conflict(cutover: string): void;
  /** The store could not be asked in time: the request went by journey and bucket. */
  unknown(cutover: string): void;
  /** A body that may hold a key is larger than what is held, or is not JSON in UTF-8: it gave no key. */
  unreadBody(cutover: string): void;
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

  const recall = (cutover: string, key: OwnerKey) => memory.get(`${cutover}:${key.key}`);

  function found(
    cutover: string,
    keys: readonly OwnerKey[],
    sides: readonly (Side | undefined)[],
    unknown: boolean,
  ): Found {
    const known = sides.filter((side) => side !== undefined);
    if (new Set(known).size > 1) counts.conflict(cutover);
    const claimable = keys.filter(({ claimed }, i) => claimed && sides[i] === undefined);
    return { owner: known[0], claimable, unknown };
  }

  return {
    find(cutover, keys) {
      const remembered = keys.map((key) => recall(cutover, key));
      if (!remembered.includes(undefined)) return found(cutover, keys, remembered, false);
      const asked = owners.lookup(
        cutover,
        keys.map(({ key }) => key),
      );
      return asked.then(
        (stored) => {
          const sides = keys.map(({ key }, i) => {
            const side = remembered[i] ?? stored[i];
            return side === undefined ? undefined : remember(cutover, key, side);
          });
          return found(cutover, keys, sides, false);
        },
        () => {
          counts.unknown(cutover);
          return found(cutover, keys, remembered, true);
        },
      );
    },
    async claim(cutover, keys, side) {
      const holders = await Promise.all(
        keys.map(async ({ key, ttlMs }) => {
          try {
            return remember(cutover, key, await owners.claim(cutover, key, side, ttlMs));
          } catch {
            counts.unrecorded(cutover);
            return remember(cutover, key, side);
          }
        }),
      );
      if (new Set(holders).size > 1) counts.conflict(cutover);
      return holders[0] ?? side;
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

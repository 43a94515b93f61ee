/**
 * Who owns an order or a key, answered from a bounded memory first and then from the store, within a deadline.
 *
 * A store that does not answer in time costs no request: it goes by journey and bucket, and is counted as unknown;
 * what it should have recorded is remembered here and waits in the spool. For a while after an outage a key the store
 * does not know still counts as unknown: other instances may not have handed in yet what they learned meanwhile.
 *
 * What other instances record is remembered here too, as far as it is heard of: an outage then finds every instance
 * knowing the owners of before, and a callback elsewhere needs no question.
 *
 * Neither a fact nor a claim changes while it is kept, so what is remembered can not be wrong; it can only outlive the
 * record by what the memory holds, and then still says where the order is. The two are remembered apart (store.ts),
 * so that no client can have orders forgotten by using many keys.
 */

import { createBoundedMap } from "../base/bounded-map.ts";
import type { Clock } from "../base/clock.ts";
import type { Side } from "../state/rules/model.ts";
import type { Claimed, Found, OwnerKey, Ownership } from "./port.ts";
import type { Spool } from "./spool/spool.ts";
import type { NamedKey, OwnerStore, OwnershipStores } from "./stores/port.ts";

/** What is found out about owners, for metrics. */
export interface OwnershipCounts {
  /** Two keys of one request have different owners; the first in config order won. */
  conflict(cutover: string): void;
  /** The store could not be asked in time, or is only just back: the request went by journey and bucket. */
  unknown(cutover: string): void;
  /** An owner could not be recorded in time. */
  unrecorded(cutover: string): void;
  /** What one side was to own was the other's already: both know the key. */
  disputed(cutover: string): void;
}

export interface OwnershipOptions {
  readonly owners: OwnerStore;
  /** When the store was last within reach again (monotonic ms): who asked nothing meanwhile goes by it. */
  readonly backSinceMs?: () => number;
  /** As the stores' own. */
  readonly watch?: OwnershipStores["watch"] | undefined;
  readonly spool: Pick<Spool, "add">;
  /** Hears of each key that a side has made and nobody owned before, as far as is known. */
  readonly onLearned?: ((cutover: string, key: OwnerKey, side: Side) => void) | undefined;
  readonly counts: OwnershipCounts;
  readonly clock: Pick<Clock, "now" | "monotonic">;
  /** Most facts remembered, and of claims half as many; 200,000 without it. */
  readonly remembered?: number;
}

/** How long other instances may take to hand in what waited in their spools. */
export const recoveryMs = 5000;

export interface RememberingOwnership extends Ownership {
  /** The store has told who owns a key. */
  remember(cutover: string, key: NamedKey, side: Side): void;
}

export function createOwnership(options: OwnershipOptions): RememberingOwnership {
  const { owners, backSinceMs = () => Number.NEGATIVE_INFINITY, spool, counts, clock } = options;
  const { remembered = 200_000 } = options;
  const facts = createBoundedMap<Side>(remembered);
  const claims = createBoundedMap<Side>(Math.ceil(remembered / 2));
  let failedAtMs = Number.NEGATIVE_INFINITY;

  const memoryOf = ({ claimed }: NamedKey) => (claimed ? claims : facts);
  const remember = (cutover: string, key: NamedKey, side: Side) =>
    memoryOf(key).set(`${cutover}:${key.key}`, side);
  const recall = (cutover: string, key: NamedKey) => memoryOf(key).get(`${cutover}:${key.key}`);
  options.watch?.(remember);
  const isTroubled = () => clock.monotonic() < Math.max(failedAtMs, backSinceMs()) + recoveryMs;
  const failed = () => {
    failedAtMs = clock.monotonic();
  };

  function found(
    cutover: string,
    keys: readonly OwnerKey[],
    sides: readonly (Side | undefined)[],
    isUnknown: boolean,
  ): Found {
    const owner = firstOf(sides);
    if (sides.some((side) => side !== undefined && side !== owner)) counts.conflict(cutover);
    const unknown = isUnknown && owner === undefined;
    if (unknown) counts.unknown(cutover);
    const claimable = keys.some(({ claimed }, i) => claimed && sides[i] === undefined);
    return { keys, sides, owner, claimable, unknown };
  }

  async function ask(
    cutover: string,
    keys: readonly OwnerKey[],
    known: readonly (Side | undefined)[],
  ): Promise<Found> {
    const missing = keys.filter((_, i) => known[i] === undefined);
    try {
      const answers = (await owners.lookup(cutover, missing)).values();
      const sides = known.map((side, i) => {
        const told = side ?? answers.next().value;
        const key = keys[i];
        if (side === undefined && told !== undefined && key !== undefined) remember(cutover, key, told);
        return told;
      });
      return found(cutover, keys, sides, isTroubled());
    } catch {
      failed();
      return found(cutover, keys, known, true);
    }
  }

  /** @returns the owner there was before, if any; `undefined` also when it could not be recorded */
  async function record(cutover: string, key: OwnerKey, side: Side, must: boolean): Promise<Claimed> {
    try {
      const before = await owners.record(cutover, key, side, key.ttlMs);
      remember(cutover, key, before ?? side);
      return { owner: before, unknown: false };
    } catch {
      failed();
      // Another request with this key may have got here first.
      const known = recall(cutover, key);
      if (known !== undefined) return { owner: known, unknown: false };
      if (must) return { owner: undefined, unknown: true };
      counts.unrecorded(cutover);
      remember(cutover, key, side);
      const { claimed, ttlMs } = key;
      await spool.add({ cutover, key: key.key, claimed, side, until: clock.now() + ttlMs });
      return { owner: undefined, unknown: true };
    }
  }

  return {
    remember,

    find(cutover, keys) {
      const known = keys.map((key) => key.side ?? recall(cutover, key));
      // Keys that are claimed by use need no question of their own: the claim tells. Not while their absence may lie.
      const isAnswered = keys.every(({ claimed }, i) => claimed || known[i] !== undefined);
      if (isAnswered && (!known.includes(undefined) || !isTroubled())) {
        return found(cutover, keys, known, false);
      }
      return ask(cutover, keys, known);
    },

    async claim(cutover, { keys, sides, ...before }, side, must) {
      const claims = await Promise.all(
        keys.map((key, i) =>
          key.claimed && sides[i] === undefined ? record(cutover, key, side, must) : undefined,
        ),
      );
      const unknown = claims.some((claim) => claim?.unknown);
      const owners = sides.map((known, i) => known ?? claims[i]?.owner);
      const owner = firstOf(owners);
      if (unknown && !before.unknown) counts.unknown(cutover);
      if (owners.some((other) => other !== undefined && other !== owner)) counts.conflict(cutover);
      return { owner, unknown };
    },

    async ownerOf(cutover, key) {
      const fact = { key, claimed: false };
      const claim = { key, claimed: true };
      const known = recall(cutover, fact);
      if (known !== undefined) return known;
      try {
        const [byFact, byClaim] = await owners.lookup(cutover, [fact, claim]);
        return byFact ?? byClaim ?? (isTroubled() ? "unknown" : undefined);
      } catch {
        return recall(cutover, claim) ?? "unknown";
      }
    },

    async learn(cutover, keys, side) {
      await Promise.all(
        keys.map(async (key) => {
          const remembered = recall(cutover, key);
          const known = key.side ?? remembered;
          const owner = known ?? (await record(cutover, key, side, false)).owner;
          if (owner !== undefined && owner !== side) counts.disputed(cutover);
          // A key that tells its side is in no record: that it was made before only this memory knows.
          const isNew = key.side === undefined ? owner === undefined : remembered === undefined;
          if (key.side !== undefined) remember(cutover, key, key.side);
          if (isNew) options.onLearned?.(cutover, key, owner ?? side);
        }),
      );
    },
  };
}

function firstOf(sides: readonly (Side | undefined)[]): Side | undefined {
  return sides.find((side) => side !== undefined);
}

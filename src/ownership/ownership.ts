/**
 * Who owns an order or a key, answered from a bounded memory first and then from the store, within a deadline.
 *
 * A store that does not answer in time costs no request: it goes by journey and bucket, and is counted as unknown;
 * what it should have recorded is remembered here and waits in the spool. For a while after an outage a key the store
 * does not know still counts as unknown: other instances may not have handed in yet what they learned meanwhile
 * (doubt.ts). What the store does not take is told to other instances and to other workers of this one before the
 * answer is released.
 *
 * What other instances record is remembered here too, as far as it is heard of: an outage then finds every instance
 * knowing the owners of before, and a callback elsewhere needs no question.
 *
 * Neither a fact nor a claim changes while it is kept, so what is remembered cannot be wrong; it can only outlive its
 * record, and then still says where the order is. Where a fact is released, all that can be told forget it.
 */
import { randomBytes } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import type { Side } from "../state/rules/model.ts";
import { createDoubts, type Doubts, type DoubtsOptions } from "./doubt.ts";
import type { OwnerMemory } from "./owner-memory.ts";
import type { Claimed, Found, OwnerKey, Ownership } from "./port.ts";
import type { Spool } from "./spool/spool.ts";
import type { OwnerStore, OwnershipStores } from "./stores/port.ts";

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

interface OwnershipOptions extends DoubtsOptions {
  /** Without it, one of the ownership's own. */
  readonly doubts?: Doubts;
  readonly owners: OwnerStore;
  /** As the stores' own. */
  readonly watch?: OwnershipStores["watch"] | undefined;
  readonly share?: OwnershipStores["share"] | undefined;
  readonly memory: OwnerMemory;
  readonly spool: Pick<Spool, "add">;
  /** Hears of each key that a side has made and nobody owned before, as far as is known. */
  readonly onLearned?: ((cutover: string, key: OwnerKey, side: Side) => void) | undefined;
  readonly counts: OwnershipCounts;
  readonly clock: Pick<Clock, "now" | "monotonic">;
}

export function createOwnership(options: OwnershipOptions): Ownership {
  const { owners, memory, counts, onLearned } = options;
  const { recall, remember } = memory;
  const doubts = options.doubts ?? createDoubts(options);
  const asking: Asking = { ...options, doubts };
  options.watch?.(remember, { doubt: doubts.hear, released: memory.release });

  return {
    find(cutover, keys, claims = true) {
      const known = keys.map((key) => key.side ?? recall(cutover, key));
      // Keys that will be claimed need no question of their own: the claim tells. Not while their absence may lie.
      const isAnswered = keys.every(({ claimed }, i) => (claims && claimed) || known[i] !== undefined);
      if (isAnswered && (!known.includes(undefined) || !doubts.of(cutover).isNow())) {
        return found(counts, cutover, keys, known, false);
      }
      return lookUp(asking, cutover, keys, known);
    },

    async claim(cutover, { keys, sides, ...before }, side, must) {
      const claims = await claimAll(asking, cutover, keys, sides, side, must);
      const { owning, unknown } = claims;
      const owner = firstOf(owning);
      if (unknown && !before.unknown) counts.unknown(cutover);
      if (areTwo(owning)) counts.conflict(cutover);
      if (claims.made.length === 0) return { owner, unknown };
      const settle = (sent: boolean) => void settleAll(asking, cutover, claims.made, sent);
      if (!unknown || !must) return { owner, unknown, settle };
      settle(false);
      return { owner, unknown };
    },

    async ownerOf(cutover, key) {
      const fact = { key, claimed: false };
      const claim = { key, claimed: true };
      const known = recall(cutover, fact);
      if (known !== undefined) return known;
      try {
        const [byFact, byClaim] = await owners.lookup(cutover, [fact, claim]);
        return byFact ?? byClaim ?? (doubts.of(cutover).isNow() ? "unknown" : undefined);
      } catch {
        return recall(cutover, claim) ?? "unknown";
      }
    },

    async learn(cutover, keys, side) {
      await Promise.all(
        keys.map(async (key) => {
          const remembered = recall(cutover, key);
          const known = key.side ?? remembered;
          const owner = known ?? (await record(asking, cutover, key, side, false)).owner;
          if (owner !== undefined && owner !== side) counts.disputed(cutover);
          // A key that tells its side is in no record: that it was made before only this memory knows.
          const isNew = key.side === undefined ? owner === undefined : remembered === undefined;
          if (key.side !== undefined) remember(cutover, key, key.side);
          if (isNew) onLearned?.(cutover, key, owner ?? side);
        }),
      );
    },

    async release(cutover, keys, side) {
      await Promise.all(
        keys.map(async ({ key }) => {
          const isReleased = await owners.release(cutover, key, side).catch(() => false);
          // What is in no record may yet be handed in: then only this memory knows it.
          if (isReleased) memory.release(cutover, key, side);
        }),
      );
    },
  };
}

interface Asking extends OwnershipOptions {
  readonly doubts: Doubts;
}

function found(
  counts: OwnershipCounts,
  cutover: string,
  keys: readonly OwnerKey[],
  sides: readonly (Side | undefined)[],
  isUnknown: boolean,
): Found {
  const owner = firstOf(sides);
  if (areTwo(sides)) counts.conflict(cutover);
  const unknown = isUnknown && owner === undefined;
  if (unknown) counts.unknown(cutover);
  const claimable = keys.some(({ claimed }, i) => claimed && sides[i] === undefined);
  return { keys, sides, owner, claimable, unknown };
}

/** Asks the store for those keys whose owner is not known. */
async function lookUp(
  { owners, memory, counts, doubts }: Asking,
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
      if (side === undefined && told !== undefined && key !== undefined) memory.remember(cutover, key, told);
      return told;
    });
    return found(counts, cutover, keys, sides, doubts.of(cutover).isNow());
  } catch (error) {
    doubts.of(cutover).begin(error, false);
    return found(counts, cutover, keys, known, true);
  }
}

/** @returns the owner there was before, if any; `undefined` also when it could not be recorded */
async function record(
  asking: Asking,
  cutover: string,
  key: OwnerKey,
  side: Side,
  must: boolean,
  token?: string,
): Promise<Claimed> {
  const { owners, memory, counts, doubts } = asking;
  try {
    const before = await owners.record(cutover, key, side, key.ttlMs, false, token);
    // A tentative claim may be given back: it is remembered once its request was sent.
    if (token === undefined || before !== undefined) memory.remember(cutover, key, before ?? side);
    return { owner: before, unknown: false };
  } catch (error) {
    doubts.of(cutover).begin(error, !must);
    // Another request with this key may have got here first. But what a server refuses to keep it tells all the same, and
    // that may be heard before its refusal: the same side's word of what a side has made may be this very one.
    const known = memory.recall(cutover, key);
    if (known !== undefined && (key.claimed || known !== side)) return { owner: known, unknown: false };
    if (must) return { owner: undefined, unknown: true };
    counts.unrecorded(cutover);
    memory.remember(cutover, key, side);
    await passOn(asking, cutover, key, side);
    return { owner: undefined, unknown: true };
  }
}

/** A key that could not be recorded waits in the spool, and is told to whoever can be told. Never rejects. */
async function passOn(
  { owners, spool, share, clock, doubts }: Asking,
  cutover: string,
  key: OwnerKey,
  side: Side,
): Promise<void> {
  const { claimed, ttlMs } = key;
  // A server that does not answer at all publishes nothing either.
  const announced = doubts.of(cutover).isRefusal() ? owners.announce?.(cutover, key, side) : undefined;
  await Promise.all([
    spool.add({ cutover, key: key.key, claimed, side, until: clock.now() + ttlMs }),
    announced?.catch(() => undefined),
    share?.(cutover, key, side).catch(() => undefined),
  ]);
}

/** A claim that is tentative. */
interface Made {
  readonly key: OwnerKey;
  readonly token: string;
  readonly side: Side;
  /** Of the memory, when it was claimed. */
  readonly timesForgotten: number;
}

interface Claims {
  /** At the places of the keys, as far as they were owned before. */
  readonly owning: readonly (Side | undefined)[];
  readonly unknown: boolean;
  readonly made: readonly Made[];
}

/** Claims one key after the other, in the order of the configuration: where one has an owner, the rest go there too. */
async function claimAll(
  asking: Asking,
  cutover: string,
  keys: readonly OwnerKey[],
  sides: readonly (Side | undefined)[],
  side: Side,
  must: boolean,
): Promise<Claims> {
  const owning = [...sides];
  let made: Made[] = [];
  let unknown = false;
  const claimOne = async (key: OwnerKey, i: number, to: Side) => {
    const token = randomBytes(9).toString("base64url");
    const { timesForgotten } = asking.memory;
    const claimed = await record(asking, cutover, key, to, must, token);
    unknown ||= claimed.unknown;
    if (claimed.owner !== undefined) owning[i] = claimed.owner;
    else if (!claimed.unknown) made.push({ key, token, side: to, timesForgotten });
  };
  for (const [i, key] of keys.entries()) {
    if (key.claimed && owning[i] === undefined) await claimOne(key, i, firstOf(owning) ?? side);
  }
  // One claimed first, for a side that the request does not go to after all: it goes along.
  const owner = firstOf(owning) ?? side;
  const astray = made.filter(({ side: to }) => to !== owner);
  if (astray.length > 0) {
    made = made.filter(({ side: to }) => to === owner);
    await settleAll(asking, cutover, astray, false);
    for (const { key } of astray) await claimOne(key, keys.indexOf(key), owner);
  }
  return { owning, unknown, made };
}

/** What cannot be settled is as good as a lasting claim: nobody else gives it back. */
async function settleAll(
  { owners, memory }: Asking,
  cutover: string,
  made: readonly Made[],
  sent: boolean,
): Promise<void> {
  await Promise.all(
    made.map(async ({ key, token, side, timesForgotten }) => {
      // A person may have put it right while its request was under way.
      if (sent && memory.timesForgotten === timesForgotten) memory.remember(cutover, key, side);
      await owners.settle(cutover, key, token, sent).catch(() => undefined);
    }),
  );
}

function firstOf(sides: readonly (Side | undefined)[]): Side | undefined {
  return sides.find((side) => side !== undefined);
}

function areTwo(sides: readonly (Side | undefined)[]): boolean {
  return sides.includes("legacy") && sides.includes("new");
}

/**
 * What this process knows of a key, for a person who wants to put its owner right: what is remembered of it, whether
 * requests with it are under way, and whether one was sent and not answered, so that nobody knows what it has done.
 */
import { createBoundedMap } from "../base/bounded-map.ts";
import type { Clock } from "../base/clock.ts";
import type { OwnerMemory } from "./owner-memory.ts";
import type { OwnerKey } from "./port.ts";
import type { Spool } from "./spool/spool.ts";
import type { KeyQuestion, KnownOfKey } from "./stores/by-hand.ts";

export interface KeyDesk {
  /** A request with the keys is sent. @param request itself: what it is told by when it ends */
  began(request: object, cutover: string, keys: readonly OwnerKey[]): void;
  /** @param isAnswered whether it is known what has become of it */
  ended(request: object, isAnswered: boolean): void;
  look(question: KeyQuestion): KnownOfKey;
}

interface DeskOptions {
  readonly memory: OwnerMemory;
  readonly spool: Pick<Spool, "has">;
  readonly clock: Pick<Clock, "monotonic">;
}

/** How long a request that was not answered leaves its keys in doubt. */
const doubtMs = 600_000;
const mostDoubts = 10_000;

export function createKeyDesk({ memory, spool, clock }: DeskOptions): KeyDesk {
  const underWay = new Map<object, { readonly cutover: string; readonly keys: readonly OwnerKey[] }>();
  const doubts = createBoundedMap<number>(mostDoubts);

  return {
    began(request, cutover, keys) {
      if (keys.length > 0) underWay.set(request, { cutover, keys });
    },
    ended(request, isAnswered) {
      const ended = underWay.get(request);
      if (ended === undefined) return;
      underWay.delete(request);
      for (const { key } of ended.keys) {
        if (!isAnswered) doubts.set(`${ended.cutover}:${key}`, clock.monotonic() + doubtMs);
      }
    },
    look({ cutover, key, forget }) {
      if (forget) memory.forget(cutover, key);
      let inFlight = 0;
      for (const { cutover: of, keys } of underWay.values()) {
        if (of === cutover && keys.some((one) => one.key === key)) inFlight += 1;
      }
      const isDoubtful = (doubts.get(`${cutover}:${key}`) ?? 0) > clock.monotonic();
      return {
        fact: memory.recall(cutover, { key, claimed: false }) ?? null,
        claim: memory.recall(cutover, { key, claimed: true }) ?? null,
        inFlight,
        inDoubt: isDoubtful || spool.has(cutover, key),
      };
    },
  };
}

/** What the processes of an instance know, taken together. @returns `undefined` where one of them does not say */
export function knownOfAll(told: readonly (KnownOfKey | undefined)[]): KnownOfKey | undefined {
  const known = told.flatMap((one) => one ?? []);
  if (known.length < told.length) return undefined;
  const first = (of: "fact" | "claim") => known.find((one) => one[of] !== null)?.[of] ?? null;
  return {
    fact: first("fact"),
    claim: first("claim"),
    inFlight: known.reduce((sum, one) => sum + one.inFlight, 0),
    inDoubt: known.some((one) => one.inDoubt),
  };
}

/**
 * What this process knows of a key, for a person who wants to put its owner right: what is remembered of it, whether
 * requests with it are under way, and whether one was sent and not answered, so that nobody knows what it has done.
 */
import { createBoundedMap } from "../base/bounded-map.ts";
import type { Clock } from "../base/clock.ts";
import { createCrowd } from "../base/waiting/crowd.ts";
import type { OwnerMemory } from "./owner-memory.ts";
import type { KeyCarrier, OwnerKey } from "./port.ts";
import type { Spool } from "./spool/spool.ts";
import type { KeyQuestion, KnownOfKey } from "./stores/by-hand.ts";

export interface KeyDesk {
  /** A request with the keys is sent. @param request itself: what it is told by when it ends */
  began(request: KeyCarrier, cutover: string, keys: readonly OwnerKey[]): void;
  /** @param isAnswered whether it is known what has become of it */
  ended(request: KeyCarrier, isAnswered: boolean): void;
  look(question: KeyQuestion): KnownOfKey;
}

interface DeskOptions {
  readonly memory: OwnerMemory;
  readonly spool: Pick<Spool, "has">;
  readonly clock: Pick<Clock, "monotonic">;
}

interface Carrying {
  readonly request: KeyCarrier;
  cutover: string;
  keys: readonly OwnerKey[];
}

/** How long a request that was not answered leaves its keys in doubt. */
const doubtMs = 600_000;
const mostDoubts = 10_000;

export function createKeyDesk({ memory, spool, clock }: DeskOptions): KeyDesk {
  const underWay = createCrowd<Carrying>(({ request }, at) => {
    request.deskAt = at;
  });
  const doubts = createBoundedMap<number>(mostDoubts);

  const carryingOf = (request: KeyCarrier): Carrying | undefined => {
    const carrying = underWay.at(request.deskAt);
    return carrying?.request === request ? carrying : undefined;
  };

  return {
    began(request, cutover, keys) {
      if (keys.length === 0) return;
      const before = carryingOf(request);
      if (before === undefined) underWay.add({ request, cutover, keys });
      else {
        before.cutover = cutover;
        before.keys = keys;
      }
    },
    ended(request, isAnswered) {
      const ended = carryingOf(request);
      if (ended === undefined || !underWay.delete(ended, request.deskAt ?? -1)) return;
      for (const { key } of ended.keys) {
        if (!isAnswered) doubts.set(`${ended.cutover}:${key}`, clock.monotonic() + doubtMs);
      }
    },
    look({ cutover, key, forget }) {
      if (forget) memory.forget(cutover, key);
      let inFlight = 0;
      for (const { cutover: of, keys } of underWay.all()) {
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

/** Owners as a process remembers them: bounded, and right for as long as nobody puts one right by hand. */
import { createBoundedMap } from "../base/bounded-map.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import type { Side } from "../state/rules/model.ts";
import type { NamedKey } from "./stores/port.ts";

/** What this process knows of owners: facts and claims apart, so that no client has orders forgotten by many keys. */
export interface OwnerMemory {
  /** The store, or another instance, has told who owns a key. */
  remember(cutover: string, key: NamedKey, side: Side): void;
  recall(cutover: string, key: NamedKey): Side | undefined;
  /** A person has put the key right: what was asked of the store before is not remembered any more. */
  forget(cutover: string, key: string): void;
}

/** Longer than any question to the store takes that was on its way when a key was put right. */
const answerMs = 1000;

/** @param most facts remembered, and of claims half as many */
export function createOwnerMemory(
  most = 200_000,
  clock: Pick<Clock, "monotonic"> = systemClock,
): OwnerMemory {
  const facts = createBoundedMap<Side>(most);
  const claims = createBoundedMap<Side>(Math.ceil(most / 2));
  const memoryOf = ({ claimed }: NamedKey) => (claimed ? claims : facts);
  /** When each was put right; empty, nearly always. */
  const forgotten = new Map<string, number>();
  function isStale(id: string): boolean {
    for (const [known, atMs] of forgotten) if (clock.monotonic() - atMs > answerMs) forgotten.delete(known);
    return forgotten.has(id);
  }
  return {
    remember(cutover, key, side) {
      const id = `${cutover}:${key.key}`;
      if (forgotten.size === 0 || !isStale(id)) memoryOf(key).set(id, side);
    },
    forget(cutover, key) {
      const id = `${cutover}:${key}`;
      facts.delete(id);
      claims.delete(id);
      forgotten.set(id, clock.monotonic());
    },
    recall: (cutover, key) => memoryOf(key).get(`${cutover}:${key.key}`),
  };
}

/** Owners as a process remembers them: bounded, and right for as long as none is put right by hand, or released. */
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
  /** How often that was: who has claimed a key before the last time may not know its owner any more. */
  readonly timesForgotten: number;
  /** The side's fact of the key has ended. A claim of it is remembered on. */
  release(cutover: string, key: string, side: Side): void;
}

/** Longer than any question to the store takes that was on its way when a key was put right. */
const answerMs = 1000;

/** @param most facts remembered, and of claims half as many */
export function createOwnerMemory(
  most = 200_000,
  clock: Pick<Clock, "monotonic"> = systemClock,
): OwnerMemory {
  const facts = createKept(most, clock);
  const claims = createKept(Math.ceil(most / 2), clock);
  const keptOf = ({ claimed }: NamedKey) => (claimed ? claims : facts);
  let timesForgotten = 0;
  return {
    get timesForgotten() {
      return timesForgotten;
    },
    remember: (cutover, key, side) => keptOf(key).remember(`${cutover}:${key.key}`, side),
    forget(cutover, key) {
      const id = `${cutover}:${key}`;
      timesForgotten += 1;
      facts.forget(id);
      claims.forget(id);
    },
    release(cutover, key, side) {
      const id = `${cutover}:${key}`;
      const known = facts.recall(id);
      if (known === undefined || known === side) facts.forget(id);
    },
    recall: (cutover, key) => keptOf(key).recall(`${cutover}:${key.key}`),
  };
}

function createKept(most: number, clock: Pick<Clock, "monotonic">) {
  const sides = createBoundedMap<Side>(most);
  /** When each was forgotten, the oldest first; empty, nearly always. */
  const forgotten = new Map<string, number>();
  function sweep(): void {
    for (const [id, atMs] of forgotten) {
      if (clock.monotonic() - atMs <= answerMs) return;
      forgotten.delete(id);
    }
  }
  return {
    remember(id: string, side: Side): void {
      if (forgotten.size > 0) sweep();
      if (!forgotten.has(id)) sides.set(id, side);
    },
    forget(id: string): void {
      sides.delete(id);
      sweep();
      forgotten.delete(id);
      forgotten.set(id, clock.monotonic());
    },
    recall: (id: string) => sides.get(id),
  };
}

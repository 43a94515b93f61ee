/** Owners in the memory of one process, for as long as it runs. */
import type { Side } from "../state/model.ts";
import type { Clock } from "../state/store.ts";
import type { OwnerStore } from "./owner-store.ts";

interface Owned {
  readonly side: Side;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

export function createMemoryOwnerStore({ clock }: { readonly clock: Pick<Clock, "now"> }): OwnerStore {
  const owners = new Map<string, Owned>();
  let sweepAt = 1024;

  const ownerOf = (id: string): Side | undefined => {
    const owned = owners.get(id);
    if (owned === undefined || owned.until > clock.now()) return owned?.side;
    owners.delete(id);
    return undefined;
  };
  /** Whenever the number has doubled since the last time, what has expired goes. */
  const sweep = () => {
    if (owners.size < sweepAt) return;
    for (const id of owners.keys()) ownerOf(id);
    sweepAt = Math.max(1024, 2 * owners.size);
  };

  return {
    async lookup(cutover, keys) {
      return keys.map((key) => ownerOf(idOf(cutover, key)));
    },
    async claim(cutover, key, side, ttlMs) {
      const id = idOf(cutover, key);
      const owner = ownerOf(id);
      if (owner !== undefined) return owner;
      owners.set(id, { side, until: clock.now() + ttlMs });
      sweep();
      return side;
    },
    async close() {},
  };
}

/** A cutover's name holds no colon. */
function idOf(cutover: string, key: string): string {
  return `${cutover}:${key}`;
}

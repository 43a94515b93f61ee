/**
 * What a worker decides by: the snapshots its primary hands it. Staleness is the primary's at the last word from it,
 * plus the time since: a worker cut off from its primary grows stale like one cut off from the store.
 */

import type { Clock } from "../../base/clock.ts";
import { type Following, isDoubtful, type Snapshot } from "../../state/follow/snapshot.ts";
import { initialState } from "../../state/rules/model.ts";
import { type ContactMessage, hostMs, type SnapshotMessage, type WritingMessage } from "./messages.ts";

export interface TaughtFollowing extends Following {
  /** The snapshot is in force when this returns. @returns its number, and the versions decided by */
  teach(snapshot: SnapshotMessage): {
    readonly seq: number;
    readonly versions: Readonly<Record<string, number>>;
  };
  hear(contact: ContactMessage): void;
  /** As `isDoubtful`, of a store that owners have of their own. @param place which (owner-stores.ts) */
  isDoubtfulAt(place: string, forMs: number): boolean;
}

/** Moments of the monotonic clock. */
interface WritingMoments {
  readonly writtenMs: number;
  readonly troubledMs: number;
  readonly silentMs: number;
}

const never: WritingMoments = {
  writtenMs: Number.NEGATIVE_INFINITY,
  troubledMs: Number.NEGATIVE_INFINITY,
  silentMs: Number.NEGATIVE_INFINITY,
};

export function createTaughtFollowing(clock: Pick<Clock, "monotonic">): TaughtFollowing {
  const listeners = new Set<(snapshot: Snapshot, previous: Snapshot) => void>();
  let current: Snapshot = { states: new Map() };
  let up = false;
  let lastContactMs = clock.monotonic();
  let writing = never;
  let owners: ReadonlyMap<string, WritingMoments> = new Map();
  let inContactMs = Number.NEGATIVE_INFINITY;
  function isDoubted({ writtenMs, troubledMs, silentMs }: WritingMoments, forMs: number): boolean {
    const nowMs = clock.monotonic();
    return isDoubtful(
      {
        writtenAgoMs: nowMs - writtenMs,
        troubledAgoMs: nowMs - troubledMs,
        silentAgoMs: nowMs - silentMs,
      },
      forMs,
    );
  }
  return {
    current: () => current,
    onSwap(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    contact: () => ({ up, stalenessMs: clock.monotonic() - lastContactMs }),
    isDoubtful: (forMs) => isDoubted(writing, forMs),
    isDoubtfulAt: (place, forMs) => isDoubted(owners.get(place) ?? never, forMs),
    isStale: (afterMs) => clock.monotonic() - inContactMs > afterMs,
    refresh: async () => {},
    teach({ seq, states, local }) {
      const previous = current;
      const known = Object.entries(states).map(([name, state]) => {
        const before = previous.states.get(name) ?? initialState();
        return [name, state.version < before.version ? before : state] as const;
      });
      current = { states: new Map(known), local: new Set(local) };
      for (const listener of listeners) listener(current, previous);
      return { seq, versions: Object.fromEntries(known.map(([name, { version }]) => [name, version])) };
    },
    hear(contact) {
      const now = clock.monotonic() - Math.max(0, hostMs() - contact.sentAtMs);
      up = contact.up;
      lastContactMs = now - contact.stalenessMs;
      const atMs = (agoMs: number | null) => (agoMs === null ? Number.NEGATIVE_INFINITY : now - agoMs);
      const moments = (told: WritingMessage): WritingMoments => ({
        writtenMs: atMs(told.writtenMs),
        troubledMs: atMs(told.troubledMs),
        silentMs: atMs(told.silentMs),
      });
      writing = moments(contact);
      owners = new Map(Object.entries(contact.owners).map(([place, told]) => [place, moments(told)]));
      inContactMs = atMs(contact.inContactMs);
    },
  };
}

/**
 * What a worker decides by: the snapshots its primary hands it. Staleness is the primary's at the last word from it,
 * plus the time since: a worker cut off from its primary grows stale like one cut off from the store.
 */

import type { Clock } from "../../base/clock.ts";
import { type Following, isDoubtful, type Snapshot } from "../../state/follow/snapshot.ts";
import { initialState } from "../../state/rules/model.ts";
import { type ContactMessage, hostMs, type SnapshotMessage } from "./messages.ts";

interface TaughtFollowing extends Following {
  /** The snapshot is in force when this returns. @returns its number, and the versions decided by */
  teach(snapshot: SnapshotMessage): {
    readonly seq: number;
    readonly versions: Readonly<Record<string, number>>;
  };
  hear(contact: ContactMessage): void;
}

export function createTaughtFollowing(clock: Pick<Clock, "monotonic">): TaughtFollowing {
  const listeners = new Set<(snapshot: Snapshot, previous: Snapshot) => void>();
  let current: Snapshot = { states: new Map() };
  let up = false;
  let lastContactMs = clock.monotonic();
  /** Moments of the monotonic clock. */
  let writtenMs = Number.NEGATIVE_INFINITY;
  let troubledMs = Number.NEGATIVE_INFINITY;
  let silentMs = Number.NEGATIVE_INFINITY;
  let inContactMs = Number.NEGATIVE_INFINITY;
  return {
    current: () => current,
    onSwap(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    contact: () => ({ up, stalenessMs: clock.monotonic() - lastContactMs }),
    isDoubtful(forMs) {
      const nowMs = clock.monotonic();
      const writing = {
        writtenAgoMs: nowMs - writtenMs,
        troubledAgoMs: nowMs - troubledMs,
        silentAgoMs: nowMs - silentMs,
      };
      return isDoubtful(writing, forMs);
    },
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
      writtenMs = atMs(contact.writtenMs);
      troubledMs = atMs(contact.troubledMs);
      silentMs = atMs(contact.silentMs);
      inContactMs = atMs(contact.inContactMs);
    },
  };
}

/** Lists in the memory of one process, for tests and trials. */
import type { Clock } from "../../base/clock.ts";
import { partCount } from "../members.ts";
import {
  entriesKept,
  headAfter,
  type ListEntry,
  type ListHead,
  type ListPart,
  type ListPlace,
  neverChanged,
  nextStamp,
  type WaitingList,
} from "../port.ts";

interface StoredList {
  readonly head: ListHead;
  readonly stamp: number;
  readonly parts: readonly ListPart[];
  readonly history: readonly ListEntry[];
}

const emptyPart: ListPart = { stamp: 0, bytes: Buffer.alloc(0) };
const empty: StoredList = {
  head: neverChanged,
  stamp: 0,
  parts: Array.from({ length: partCount }, () => emptyPart),
  history: [],
};

export function createMemoryLists(clock: Clock): ListPlace {
  const lists = new Map<string, StoredList>();
  const listeners = new Set<() => void>();
  const of = (name: string) => lists.get(name) ?? empty;
  return {
    ...createWaiting(clock),
    stamps: async (names) => names.map((name) => of(name).stamp),
    parts: async (name) => of(name).parts.map(({ stamp }) => stamp),
    part: async (name, at) => of(name).parts[at] ?? emptyPart,
    some: async (name, parts) => parts.map((at) => of(name).parts[at] ?? emptyPart),
    head: async (name) => of(name).head,
    history: async (name, limit) => of(name).history.slice(0, limit),
    async write(name, write) {
      const { parts: written, by, reason, entry } = write;
      const before = of(name);
      if (written.some(({ at, from }) => before.parts[at]?.stamp !== from)) return "moved";
      const head = headAfter(before.head, write, clock.now());
      const stamp = nextStamp(before.stamp, clock.now());
      const parts = [...before.parts];
      for (const { at, bytes } of written) parts[at] = { stamp, bytes };
      const history =
        entry === undefined
          ? before.history
          : [{ version: head.version, at: head.updatedAt, by, reason, ...entry }, ...before.history];
      lists.set(name, { head, stamp, parts, history: history.slice(0, entriesKept) });
      for (const listener of [...listeners]) queueMicrotask(listener);
      return head;
    },
    subscribe(onHint) {
      const listener = () => onHint();
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Changes that wait for a second person, as long as the process lives. */
export function createWaiting(clock: Clock): Pick<ListPlace, "waiting" | "wait"> {
  const waiting = new Map<string, { readonly change: WaitingList; readonly endsAtMs: number }>();
  const keyOf = (name: string, id: string) => `${name} ${id}`;
  return {
    async waiting(name, id) {
      const found = waiting.get(keyOf(name, id));
      return found !== undefined && clock.monotonic() < found.endsAtMs ? found.change : undefined;
    },
    async wait(name, change, ttlMs) {
      for (const [key, { endsAtMs }] of waiting) if (clock.monotonic() >= endsAtMs) waiting.delete(key);
      waiting.set(keyOf(name, change.id), { change, endsAtMs: clock.monotonic() + ttlMs });
    },
  };
}

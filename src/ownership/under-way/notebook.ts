/**
 * What this process sees of journeys and orders, noted in memory and handed to the store once a second, off the
 * request path. Of each id the last word is kept. A store out of reach gets the notes when it is back; of more than
 * can be kept meanwhile those noted first are lost, and counted.
 */
import { createHash } from "node:crypto";
import type { Clock, Timers } from "../../base/clock.ts";
import type { Notebook } from "../port.ts";
import {
  beginsAgain,
  type UnderWayKind,
  type UnderWayNote,
  type UnderWayStore,
  underWayKinds,
} from "./port.ts";

export interface NotebookOptions {
  readonly store: UnderWayStore;
  readonly clock: Pick<Clock, "now">;
  readonly timers: Timers;
  /** Hears of notes that were lost: too many waited, or the store has refused them. */
  readonly onLost: (notes: number) => void;
  /** Most ids noted while the store is out of reach; 50,000 without it. */
  readonly most?: number;
}

const everyMs = 1000;

export function createNotebook({ store, clock, timers, onLost, most = 50_000 }: NotebookOptions): Notebook {
  let notes = createPages();
  let flushing: Promise<void> | undefined;
  let cancel: (() => void) | undefined;
  let closed = false;

  function add(note: UnderWayNote): void {
    const page = notes.of(note.kind, note.cutover);
    const before = page.get(note.id);
    const { underWay } = note;
    if (before === undefined) {
      if (notes.count() >= most) {
        onLost(1);
        const oldest = page.keys().next();
        if (oldest.done) return;
        page.delete(oldest.value);
      }
    } else if (underWay !== undefined) {
      if (before.underWay === undefined ? !beginsAgain(note, before.atMs) : note.kind === "orders") return;
    }
    page.set(note.id, note);
    if (!closed) cancel ??= timers.after(everyMs, () => void flush());
  }

  async function handOver(): Promise<void> {
    const taken = notes;
    notes = createPages();
    try {
      const refused = await store.note(taken.all());
      if (refused > 0) onLost(refused);
    } catch {
      // They are older than what was noted meanwhile, and go before it.
      const since = notes;
      notes = taken;
      for (const note of since.all()) add(note);
    }
  }

  function flush(): Promise<void> {
    cancel?.();
    cancel = undefined;
    flushing ??= handOver().finally(() => {
      flushing = undefined;
      if (notes.count() > 0 && !closed) cancel ??= timers.after(everyMs, () => void flush());
    });
    return flushing;
  }

  return {
    seen(cutover, { id, side, epoch, startedAt, expiresAt }, event) {
      const atMs = clock.now();
      if (event === "end") {
        add({ kind: "journeys", cutover, id, epoch, atMs });
        return;
      }
      const before = notes.of("journeys", cutover).get(id)?.underWay;
      // Most requests of a journey come close upon another: nothing has moved.
      if (before?.expiresAt === expiresAt && before.startedAt === startedAt) return;
      add({ kind: "journeys", cutover, id, epoch, atMs, underWay: { side, startedAt, expiresAt } });
    },
    learned(cutover, key, side, ttlMs) {
      const atMs = clock.now();
      const startedAt = Math.floor(atMs / 1000);
      const expiresAt = startedAt + Math.ceil(ttlMs / 1000);
      const underWay = { side, startedAt, expiresAt };
      add({ kind: "orders", cutover, id: idOf(key), epoch: 0, atMs, underWay });
    },
    finished(cutover, key) {
      add({ kind: "orders", cutover, id: idOf(key), epoch: 0, atMs: clock.now() });
    },
    flush,
    async close() {
      closed = true;
      await flushing;
      if (notes.count() > 0) await flush();
      cancel?.();
    },
  };
}

/** Notes by kind and cutover, then by id. */
function createPages() {
  const pages: Readonly<Record<UnderWayKind, Map<string, Map<string, UnderWayNote>>>> = {
    journeys: new Map(),
    orders: new Map(),
  };
  const each = () => underWayKinds.flatMap((kind) => [...pages[kind].values()]);
  return {
    of(kind: UnderWayKind, cutover: string): Map<string, UnderWayNote> {
      let page = pages[kind].get(cutover);
      if (page === undefined) {
        page = new Map();
        pages[kind].set(cutover, page);
      }
      return page;
    },
    count: () => each().reduce((sum, page) => sum + page.size, 0),
    all: () => each().flatMap((page) => [...page.values()]),
  };
}

/** 96 bits of a digest: what it was made of can be found out by whoever knows the order, not read. */
function idOf(key: string): string {
  return createHash("sha256").update(key, "latin1").digest("base64url").slice(0, 16);
}

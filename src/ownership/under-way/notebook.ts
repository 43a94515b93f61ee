/**
 * What this process sees of journeys and orders, noted in memory and handed to the store once a second, off the
 * request path. The last word on each id is kept. A store out of reach gets the notes when it is back; where there are
 * more than can be kept meanwhile, those noted first are lost, and counted.
 */
import { createHash } from "node:crypto";
import type { Clock, Timers } from "../../base/clock.ts";
import type { Notebook } from "../port.ts";
import { perStore } from "../stores/per-store.ts";
import {
  beginsAgain,
  type UnderWayKind,
  type UnderWayNote,
  type UnderWayStore,
  underWayKinds,
} from "./port.ts";

/** @param placeOf which store the cutover's are in; without it there is one */
export function createNotebooks(options: NotebookOptions, placeOf?: (cutover: string) => unknown): Notebook {
  const { of, flush, close } = perStore(() => createNotebook(options), placeOf);
  return {
    seen: (cutover, ...rest) => of(cutover).seen(cutover, ...rest),
    learned: (cutover, ...rest) => of(cutover).learned(cutover, ...rest),
    finished: (cutover, key) => of(cutover).finished(cutover, key),
    flush,
    close,
  };
}

interface NotebookOptions {
  readonly store: UnderWayStore;
  readonly clock: Pick<Clock, "now">;
  readonly timers: Timers;
  /** Hears of notes that were lost: too many waited, or the store has refused them. */
  readonly onLost: (notes: number) => void;
  /** Most ids noted while the store is out of reach; 50,000 without it. */
  readonly most?: number;
}

const everyMs = 1000;

export function createNotebook(options: NotebookOptions): Notebook {
  const { store, clock, timers, onLost, most = 50_000 } = options;
  const emptyPages = () => createPages(most, onLost);
  let pages = emptyPages();
  let flushing: Promise<void> | undefined;
  let cancel: (() => void) | undefined;
  let closed = false;

  function schedule(): void {
    if (!closed) cancel ??= timers.after(everyMs, () => void flush());
  }

  function add(note: UnderWayNote): void {
    if (pages.put(note)) schedule();
  }

  async function handOver(): Promise<void> {
    const taken = pages;
    pages = emptyPages();
    try {
      const refused = await store.note(taken.all());
      if (refused > 0) onLost(refused);
    } catch {
      // They are older than what was noted meanwhile, and go before it.
      const since = pages;
      pages = taken;
      for (const note of since.all()) pages.put(note);
    }
  }

  function flush(): Promise<void> {
    cancel?.();
    cancel = undefined;
    flushing ??= handOver().finally(() => {
      flushing = undefined;
      if (pages.count() > 0) schedule();
    });
    return flushing;
  }

  return {
    seen(cutover, { id, side, epoch, startedAt, expiresAt }, event) {
      const note = { kind: "journeys", cutover, id, epoch, atMs: clock.now() } as const;
      if (event === "end") return add(note);
      const before = pages.noted("journeys", cutover, id)?.underWay;
      // Most requests of a journey come close upon another: nothing has moved.
      if (before?.expiresAt === expiresAt && before.startedAt === startedAt) return;
      add({ ...note, underWay: { side, startedAt, expiresAt } });
    },
    learned(cutover, key, side, ttlMs) {
      const atMs = clock.now();
      const startedAt = Math.floor(atMs / 1000);
      const underWay = { side, startedAt, expiresAt: startedAt + Math.ceil(ttlMs / 1000) };
      add({ kind: "orders", cutover, id: orderId(key), epoch: 0, atMs, underWay });
    },
    finished(cutover, key) {
      add({ kind: "orders", cutover, id: orderId(key), epoch: 0, atMs: clock.now() });
    },
    flush,
    async close() {
      closed = true;
      await flushing;
      if (pages.count() > 0) await flush();
      cancel?.();
    },
  };
}

/** Notes by kind and cutover, then by id: of each id the last word. */
function createPages(most: number, onLost: (notes: number) => void) {
  const pages: Readonly<Record<UnderWayKind, Map<string, Map<string, UnderWayNote>>>> = {
    journeys: new Map(),
    orders: new Map(),
  };
  const each = () => underWayKinds.flatMap((kind) => [...pages[kind].values()]);
  const count = () => each().reduce((sum, page) => sum + page.size, 0);

  function pageOf(kind: UnderWayKind, cutover: string): Map<string, UnderWayNote> {
    const page = pages[kind].get(cutover) ?? new Map<string, UnderWayNote>();
    pages[kind].set(cutover, page);
    return page;
  }

  return {
    noted: (kind: UnderWayKind, cutover: string, id: string) => pages[kind].get(cutover)?.get(id),
    /** @returns whether it says anything new; where there is no room, the one noted first is lost */
    put(note: UnderWayNote): boolean {
      const page = pageOf(note.kind, note.cutover);
      const before = page.get(note.id);
      if (before !== undefined && !saysMore(note, before)) return false;
      if (before === undefined && count() >= most) {
        onLost(1);
        const oldest = page.keys().next();
        if (oldest.done) return false;
        page.delete(oldest.value);
      }
      page.set(note.id, note);
      return true;
    },
    count,
    all: () => each().flatMap((page) => [...page.values()]),
  };
}

function saysMore(note: UnderWayNote, before: UnderWayNote): boolean {
  if (note.underWay === undefined) return true;
  if (before.underWay === undefined) return beginsAgain(note, before.atMs);
  return note.kind !== "orders";
}

/** 96 bits of a digest: what it was made of can be found out by those who know the order, not read. */
export function orderId(key: string): string {
  return createHash("sha256").update(key, "latin1").digest("base64url").slice(0, 16);
}

/**
 * What this process sees of journeys and orders, noted in memory and handed to the store once a second, off the
 * request path. Of each id the last word is kept. A store out of reach gets the notes when it is back; of more than
 * can be kept meanwhile those noted first are lost, and counted.
 */
import { createHash } from "node:crypto";
import type { JourneyPin } from "../../decide/pin.ts";
import type { Timers } from "../../state/clock.ts";
import type { Side } from "../../state/model.ts";
import type { Clock } from "../../state/store.ts";
import type { JourneyEvent } from "../port.ts";
import { type OpenNote, type OpenStore, opensAgain } from "./port.ts";

export interface Notebook {
  /** As `Journeys.seen`. */
  seen(cutover: string, pin: JourneyPin, event: JourneyEvent): void;
  /** A side has made an order. @param key a byte string; only a digest of it is noted */
  learned(cutover: string, key: string, side: Side, ttlMs: number): void;
  /** The order is finished, whichever side owns it. */
  finished(cutover: string, key: string): void;
  /** Hands over what is noted. Never rejects. */
  flush(): Promise<void>;
  /** Hands over what is noted and ends. */
  close(): Promise<void>;
}

export interface NotebookOptions {
  readonly store: OpenStore;
  readonly clock: Pick<Clock, "now">;
  readonly timers: Timers;
  /** Hears of notes that were lost: too many waited, or the store has refused them. */
  readonly onLost: (notes: number) => void;
  /** Most ids noted while the store is out of reach; 50,000 without it. */
  readonly most?: number;
}

const everyMs = 1000;

export function createNotebook({ store, clock, timers, onLost, most = 50_000 }: NotebookOptions): Notebook {
  let notes = new Map<string, OpenNote>();
  let flushing: Promise<void> | undefined;
  let cancel: (() => void) | undefined;
  let closed = false;

  function add(note: OpenNote): void {
    const name = `${note.kind}:${note.cutover}:${note.id}`;
    const before = notes.get(name);
    if (before !== undefined) {
      const { open } = note;
      const isOver = before.open === undefined && open !== undefined;
      if (isOver && !opensAgain(open.startedAt, note.atMs, before.atMs)) return;
      notes.delete(name);
    } else if (notes.size >= most) {
      const oldest = notes.keys().next();
      if (!oldest.done) notes.delete(oldest.value);
      onLost(1);
    }
    notes.set(name, note);
    if (!closed) cancel ??= timers.after(everyMs, () => void flush());
  }

  async function handOver(): Promise<void> {
    const taken = notes;
    notes = new Map();
    try {
      const refused = await store.note([...taken.values()]);
      if (refused > 0) onLost(refused);
    } catch {
      // They are older than what was noted meanwhile, and go before it.
      const since = notes;
      notes = taken;
      for (const note of since.values()) add(note);
    }
  }

  function flush(): Promise<void> {
    cancel?.();
    cancel = undefined;
    flushing ??= handOver().finally(() => {
      flushing = undefined;
      if (notes.size > 0 && !closed) cancel ??= timers.after(everyMs, () => void flush());
    });
    return flushing;
  }

  return {
    seen(cutover, { id, side, epoch, startedAt, expiresAt }, event) {
      const note = { kind: "journeys", cutover, id, epoch, atMs: clock.now() } as const;
      add(event === "end" ? note : { ...note, open: { side, startedAt, expiresAt } });
    },
    learned(cutover, key, side, ttlMs) {
      const atMs = clock.now();
      const startedAt = Math.floor(atMs / 1000);
      const expiresAt = startedAt + Math.ceil(ttlMs / 1000);
      const open = { side, startedAt, expiresAt };
      add({ kind: "orders", cutover, id: idOf(key), epoch: 0, atMs, open });
    },
    finished(cutover, key) {
      add({ kind: "orders", cutover, id: idOf(key), epoch: 0, atMs: clock.now() });
    },
    flush,
    async close() {
      closed = true;
      await flushing;
      if (notes.size > 0) await flush();
      cancel?.();
    },
  };
}

/** 96 bits of a digest: what it was made of can be found out by whoever knows the order, not read. */
function idOf(key: string): string {
  return createHash("sha256").update(key, "latin1").digest("base64url").slice(0, 16);
}

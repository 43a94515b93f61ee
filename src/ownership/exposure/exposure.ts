/**
 * The money at risk as this process goes by it: what the store has summed over the fleet a second ago at most, and what
 * this process has opened since. New journeys stop with the very order that goes over the cap here, and within a second
 * and the store's answer on every other instance: that second's orders of the others are the overshoot.
 *
 * Once a second, off the request path, what was opened and closed here is noted in the store, which says how it stands;
 * where no cutover has a cap nothing runs. While the store does not answer the last word stays, with all that is opened
 * here on top, and what is to be noted waits.
 */
import type { Clock, Timers } from "../../base/clock.ts";
import type { MoneyAtRisk } from "../port.ts";
import { orderId } from "../under-way/notebook.ts";
import { type Exposure, type ExposureLimits, type ExposureStore, reopeningAmount } from "./port.ts";

export interface ExposureWatch extends MoneyAtRisk {
  /** New has made an order. @param key a byte string @param amount minor units */
  opened(cutover: string, key: string, amount: number): void;
  /** An answer of new has finished the order. */
  closed(cutover: string, key: string): void;
  /** @returns as it is gone by here; `undefined` where the cutover has no cap */
  standing(cutover: string): ExposureStanding | undefined;
  /** Goes by these caps from now on. @returns resolves when the store has said how it stands, or has not in time */
  follow(limits: ReadonlyMap<string, ExposureLimits>): Promise<void>;
  /** Notes what is to be noted, and ends. Never rejects. */
  close(): Promise<void>;
}

export interface ExposureStanding extends Exposure {
  /** Minor units. */
  readonly maxOpenAmount: number;
  /** From this sum down it is open again. */
  readonly reopensAt: number;
}

interface ExposureOptions {
  /** Where it is summed. */
  readonly exposure: ExposureStore;
  readonly clock: Pick<Clock, "monotonic">;
  readonly timers: Timers;
}

const everyMs = 1000;
/** Of a cutover, while the store is out of reach; what is more counts until the store is back. */
const mostNotes = 50_000;

interface Noted {
  /** Absent: it is closed. */
  readonly amount: number | undefined;
  readonly atMs: number;
}

export function createExposure({ exposure: store, clock, timers }: ExposureOptions): ExposureWatch {
  const books = new Map<string, Book>();
  let telling: Promise<void> | undefined;
  let cancel = () => {};
  let isClosed = false;

  async function tellAll(): Promise<void> {
    await Promise.all([...books.values()].map((book) => book.tell()));
  }

  /** Never twice at once. */
  function tell(): Promise<void> {
    cancel();
    telling ??= tellAll().finally(() => {
      telling = undefined;
      if (!isClosed && books.size > 0) cancel = timers.after(everyMs, () => void tell());
    });
    return telling;
  }

  return {
    isOver: (cutover) => books.get(cutover)?.isOver() === true,
    opened: (cutover, key, amount) => books.get(cutover)?.note(orderId(key), amount),
    closed: (cutover, key) => books.get(cutover)?.note(orderId(key), undefined),
    standing: (cutover) => books.get(cutover)?.standing(),
    async follow(limits) {
      let isNew = false;
      for (const cutover of books.keys()) if (!limits.has(cutover)) books.delete(cutover);
      for (const [cutover, of] of limits) {
        const book = books.get(cutover);
        isNew ||= book === undefined;
        if (book === undefined) books.set(cutover, createBook(cutover, of, store, clock));
        else book.goBy(of);
      }
      // One that is under way may not ask for what is new.
      if (telling !== undefined) await telling;
      if (isNew) await tell();
    },
    async close() {
      isClosed = true;
      await telling;
      await tell();
      cancel();
    },
  };
}

type Book = ReturnType<typeof createBook>;

function createBook(
  cutover: string,
  configured: ExposureLimits,
  store: ExposureStore,
  clock: Pick<Clock, "monotonic">,
) {
  let limits = configured;
  let told: Exposure = { openAmount: 0, isOver: false };
  let page = new Map<string, Noted>();
  /** Opened here, and not in what was told. */
  let openedHere = 0;

  return {
    goBy(next: ExposureLimits): void {
      limits = next;
    },
    isOver: () => told.isOver || told.openAmount + openedHere > limits.maxOpenAmount,
    standing(): ExposureStanding {
      const { maxOpenAmount } = limits;
      const openAmount = Math.max(0, told.openAmount + openedHere);
      const reopensAt = reopeningAmount(maxOpenAmount);
      return { openAmount, maxOpenAmount, reopensAt, isOver: told.isOver || openAmount > maxOpenAmount };
    },
    note(id: string, amount: number | undefined): void {
      const before = page.get(id);
      // An order is made once; one that is closed stays so.
      if (before !== undefined && amount !== undefined) return;
      openedHere += amount ?? -(before?.amount ?? 0);
      if (before !== undefined || page.size < mostNotes) page.set(id, { amount, atMs: clock.monotonic() });
    },
    async tell(): Promise<void> {
      const [sent, sentHere] = [page, openedHere];
      page = new Map();
      const now = clock.monotonic();
      const notes = [...sent].map(([id, { amount, atMs }]) => ({
        id,
        agoMs: now - atMs,
        ...(amount === undefined ? {} : { amount }),
      }));
      try {
        told = await store.note(cutover, notes, limits);
        openedHere -= sentHere;
      } catch {
        // They are older than what was noted meanwhile, and go before it.
        const since = page;
        page = sent;
        for (const [id, noted] of since) page.set(id, noted);
      }
    },
  };
}

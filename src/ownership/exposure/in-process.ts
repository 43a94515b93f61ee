/** The money at risk as one process knows it: begun anew with each start of the process. */
import type { Clock } from "../../base/clock.ts";
import { type ExposureStore, mostOrders, mostSum, rememberClosedMs, reopeningAmount } from "./port.ts";

interface Order {
  /** 0: it is closed. */
  readonly amount: number;
  /** Since the epoch. */
  readonly untilMs: number;
}

interface Book {
  readonly orders: Map<string, Order>;
  sum: number;
  isOver: boolean;
}

/** @param most orders kept of each cutover */
export function createExposureInProcess(clock: Pick<Clock, "now">, most = mostOrders): ExposureStore {
  const books = new Map<string, Book>();

  function bookOf(cutover: string): Book {
    const book = books.get(cutover) ?? { orders: new Map(), sum: 0, isOver: false };
    books.set(cutover, book);
    return book;
  }

  function put(book: Book, id: string, { amount, untilMs }: Order): void {
    book.sum -= book.orders.get(id)?.amount ?? 0;
    const fits = Math.min(amount, mostSum - book.sum);
    book.sum += fits;
    book.orders.set(id, { amount: fits, untilMs });
  }

  return {
    async note(cutover, notes, { maxOpenAmount, forMs }) {
      const book = bookOf(cutover);
      const now = clock.now();
      for (const { id, agoMs, amount } of notes) {
        const before = book.orders.get(id);
        if (amount === undefined) put(book, id, { amount: 0, untilMs: now + rememberClosedMs });
        else if (before === undefined && book.orders.size < most)
          put(book, id, { amount, untilMs: now + forMs - agoMs });
      }
      for (const [id, { amount, untilMs }] of book.orders) {
        if (untilMs > now) continue;
        book.sum -= amount;
        book.orders.delete(id);
      }
      if (book.sum > maxOpenAmount) book.isOver = true;
      else if (book.sum <= reopeningAmount(maxOpenAmount)) book.isOver = false;
      return { openAmount: book.sum, isOver: book.isOver };
    },
  };
}

/**
 * How the two shops name their orders:
 *
 *   social-shop   order id SS-3624181929                  (also the number on the receipt)
 *   marketplace   order id INV-20231212-MPL-3624181930    invoice INV/20231212/MPL/3624181930
 *
 * A marketplace invoice has slashes in it. In a path it would have to travel as one segment, and an encoded slash
 * is refused by the proxy as ambiguous. So the shop keeps two spellings apart: `orderId`, free of slashes, is
 * what every program uses (JSON, Location, path, callback) and therefore one and the same owner key wherever it
 * appears; `invoice` is what people read, and no program sends it back.
 */
export const orderFormats = ["SS", "INV"] as const;
export type OrderFormat = (typeof orderFormats)[number];

export interface OrderName {
  readonly orderId: string;
  /** As printed for people. */
  readonly invoice: string;
}

export interface OrderNumbers {
  next(): OrderName;
  /** Whether this shop gave out the id since it started. */
  gaveOut(orderId: string): boolean;
}

const cycle = 10_000_000_000;

/**
 * The number starts at the millisecond of the start and goes up by one an order: a shop started again gives no
 * number twice as long as it sold fewer than 1000 orders a second.
 *
 * @param now milliseconds since the epoch
 */
export function createOrderNumbers(format: OrderFormat, now: () => number): OrderNumbers {
  const first = Math.floor(now()) % cycle;
  let upcoming = first;

  return {
    next() {
      const number = String(upcoming).padStart(10, "0");
      upcoming += 1;
      if (format === "SS") return { orderId: `SS-${number}`, invoice: `SS-${number}` };
      const date = new Date(now()).toISOString().slice(0, 10).replaceAll("-", "");
      return { orderId: `INV-${date}-MPL-${number}`, invoice: `INV/${date}/MPL/${number}` };
    },
    gaveOut(orderId) {
      const digits = /^(?:SS|INV-\d{8}-MPL)-(\d{10,})$/.exec(orderId)?.[1];
      if (digits === undefined || !orderId.startsWith(`${format}-`)) return false;
      return Number(digits) >= first && Number(digits) < upcoming;
    },
  };
}

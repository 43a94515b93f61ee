/** What the sample shoppers saw. */
export interface Tally {
  readonly visits: {
    readonly begun: number;
    /** Not begun, because too many were under way. */
    readonly skipped: number;
    /** Left of their own will before paying. */
    readonly left: number;
    /** Gave up because something failed. */
    readonly failed: number;
    /** Went through to an accepted payment. */
    readonly paid: number;
  };
  readonly requests: { readonly ok: number; readonly failed: number };
  /** Orders by the shop that took them. */
  readonly orders: Readonly<Record<string, number>>;
  /** Payments sent again with the same key, because the answer failed or the shopper pressed twice. */
  readonly repeatedPayments: number;
  /** Shoppers whose cart was in one shop and whose checkout began in another: what a raise of percent does. */
  readonly movedBeforeCheckout: number;
  /** What must never happen once a checkout began. */
  readonly anomalies: {
    /** The payment was answered by another shop than the one that took the order. */
    readonly changedShop: number;
    /** The payment met a shop that does not know the order. */
    readonly orderUnknown: number;
    /** The same key was answered by two different payments. */
    readonly paidTwice: number;
  };
}

type Anomaly = keyof Tally["anomalies"];
export type Ending = "left" | "failed" | "paid";

/** The counting side. */
export interface Tallying {
  begun(): void;
  skipped(): void;
  ended(how: Ending): void;
  request(ok: boolean): void;
  order(shop: string): void;
  repeatedPayment(): void;
  movedBeforeCheckout(): void;
  anomaly(kind: Anomaly): void;
  current(): Tally;
}

export function createTallying(): Tallying {
  const visits = { begun: 0, skipped: 0, left: 0, failed: 0, paid: 0 };
  const requests = { ok: 0, failed: 0 };
  const anomalies = { changedShop: 0, orderUnknown: 0, paidTwice: 0 };
  const orders = new Map<string, number>();
  let repeatedPayments = 0;
  let movedBeforeCheckout = 0;

  return {
    begun() {
      visits.begun += 1;
    },
    skipped() {
      visits.skipped += 1;
    },
    ended(how) {
      visits[how] += 1;
    },
    request(ok) {
      requests[ok ? "ok" : "failed"] += 1;
    },
    order(shop) {
      orders.set(shop, (orders.get(shop) ?? 0) + 1);
    },
    repeatedPayment() {
      repeatedPayments += 1;
    },
    movedBeforeCheckout() {
      movedBeforeCheckout += 1;
    },
    anomaly(kind) {
      anomalies[kind] += 1;
    },
    current: () => ({
      visits: { ...visits },
      requests: { ...requests },
      orders: Object.fromEntries(orders),
      repeatedPayments,
      movedBeforeCheckout,
      anomalies: { ...anomalies },
    }),
  };
}

/** All kinds together. */
export function anomaliesOf(tally: Tally): number {
  const { changedShop, orderUnknown, paidTwice } = tally.anomalies;
  return changedShop + orderUnknown + paidTwice;
}

/**
 * One shopper's way from cart to payment. The journey begins with the answered checkout: from there on every
 * answer must come from the shop that took the order. Before it, a shopper may be moved with a full cart, which
 * is why the checkout carries its items.
 */
import { z } from "zod";
import type { Browser, Page } from "./browser.ts";
import type { Ending, Tallying } from "./tally.ts";
import type { Visit } from "./visit.ts";

export interface WalkOptions {
  readonly visit: Visit;
  readonly browser: Browser;
  readonly tally: Tallying;
  readonly idempotencyKey: string;
  /** The pauses before a failed payment is sent again. */
  readonly retryDelaysMs: readonly number[];
  readonly pause: (milliseconds: number) => Promise<void>;
  /** When it fires the walk ends without an ending. */
  readonly signal: AbortSignal;
}

const orderAnswer = z.object({ orderId: z.string() });
const paymentAnswer = z.object({ paymentId: z.string() });

/** @returns how it ended; `undefined` when it was cut short. Never rejects. */
export async function walk(options: WalkOptions): Promise<Ending | undefined> {
  const { visit, browser, tally, signal, pause, idempotencyKey, retryDelaysMs } = options;

  async function send(path: string, body: object, key?: string): Promise<Page | undefined> {
    const page = await browser.post(path, body, key);
    if (!signal.aborted) tally.request(page !== undefined && page.status < 400);
    return page;
  }

  /** @returns the shop that holds the cart; `undefined` when it could not be filled */
  async function fillCart(): Promise<string | undefined> {
    let shop: string | undefined;
    for (const [index, item] of visit.items.entries()) {
      const page = await send("/cart/items", item);
      if (page?.status !== 201) return undefined;
      shop = page.shop;
      await pause(visit.thinkMs.items[index] ?? 0);
      if (signal.aborted) return undefined;
    }
    return shop;
  }

  async function pay(orderId: string, shop: string): Promise<Page | undefined> {
    const page = await send(`/orders/${orderId}/pay`, {}, idempotencyKey);
    if (page?.shop !== undefined && page.shop !== shop) tally.anomaly("changedShop");
    else if (page?.shop !== undefined && page.status === 404) tally.anomaly("orderUnknown");
    return page;
  }

  async function payPatiently(orderId: string, shop: string): Promise<Page | undefined> {
    let page = await pay(orderId, shop);
    for (const milliseconds of retryDelaysMs) {
      if (page !== undefined && page.status < 500) break;
      await pause(milliseconds);
      if (signal.aborted) break;
      tally.repeatedPayment();
      page = await pay(orderId, shop);
    }
    return page;
  }

  const cartShop = await fillCart();
  if (signal.aborted) return undefined;
  if (cartShop === undefined) return "failed";
  if (visit.leaves === "after_cart") return "left";

  const checkout = await send("/checkout", { items: visit.items });
  if (signal.aborted) return undefined;
  const order = orderAnswer.safeParse(checkout?.body).data;
  if (checkout?.status !== 201 || checkout.shop === undefined || order === undefined) return "failed";
  tally.order(checkout.shop);
  if (checkout.shop !== cartShop) tally.movedBeforeCheckout();
  if (visit.leaves === "after_checkout") return "left";

  await pause(visit.thinkMs.payment);
  if (signal.aborted) return undefined;
  const paid = await payPatiently(order.orderId, checkout.shop);
  if (signal.aborted) return undefined;
  if (paid?.status !== 202) return "failed";

  if (visit.paysAgain) {
    tally.repeatedPayment();
    const again = await pay(order.orderId, checkout.shop);
    const first = paymentAnswer.safeParse(paid.body).data;
    const second = paymentAnswer.safeParse(again?.body).data;
    if (first !== undefined && second !== undefined && first.paymentId !== second.paymentId) {
      tally.anomaly("paidTwice");
    }
    if (signal.aborted) return undefined;
  }
  return "paid";
}

/**
 * One shopper's way from cart to payment. The journey begins with the answered checkout: from there on every
 * answer must come from the shop that took the order. Before it, a shopper may be moved with a full cart, which
 * is why the checkout carries its items.
 */
import * as z from "zod";
import type { Browser, Page } from "./browser.ts";
import type { Ending, Tallying } from "./tally.ts";
import type { Visit } from "./visit.ts";

interface Walk {
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
export async function walk(one: Walk): Promise<Ending | undefined> {
  const { visit, tally, signal, pause } = one;
  const cartShop = await fillCart(one);
  if (signal.aborted) return undefined;
  if (cartShop === undefined) return "failed";
  if (visit.leaves === "after_cart") return "left";

  const checkout = await send(one, "/checkout", { items: visit.items });
  if (signal.aborted) return undefined;
  const order = orderAnswer.safeParse(checkout?.body).data;
  if (checkout?.status !== 201 || checkout.shop === undefined || order === undefined) return "failed";
  tally.order(checkout.shop);
  if (checkout.shop !== cartShop) tally.movedBeforeCheckout();
  if (visit.leaves === "after_checkout") return "left";

  await pause(visit.thinkMs.payment);
  if (signal.aborted) return undefined;
  const paid = await payPatiently(one, order.orderId, checkout.shop);
  if (signal.aborted) return undefined;
  if (paid?.status !== 202) return "failed";
  if (visit.paysAgain) await payAgain(one, order.orderId, checkout.shop, paid);
  return signal.aborted ? undefined : "paid";
}

async function send(
  { browser, tally, signal }: Walk,
  path: string,
  body: object,
  key?: string,
): Promise<Page | undefined> {
  const page = await browser.post(path, body, key);
  if (!signal.aborted) tally.request(page !== undefined && page.status < 400);
  return page;
}

/** @returns the shop that has the cart; `undefined` when it could not be filled */
async function fillCart(one: Walk): Promise<string | undefined> {
  const { visit, signal, pause } = one;
  let shop: string | undefined;
  for (const [index, item] of visit.items.entries()) {
    const page = await send(one, "/cart/items", item);
    if (page?.status !== 201) return undefined;
    shop = page.shop;
    await pause(visit.thinkMs.items[index] ?? 0);
    if (signal.aborted) return undefined;
  }
  return shop;
}

/** @param shop the one that took the order */
async function pay(one: Walk, orderId: string, shop: string): Promise<Page | undefined> {
  const page = await send(one, `/orders/${orderId}/pay`, {}, one.idempotencyKey);
  if (page?.shop !== undefined && page.shop !== shop) one.tally.anomaly("changedShop");
  else if (page?.shop !== undefined && page.status === 404) one.tally.anomaly("orderUnknown");
  return page;
}

async function payPatiently(one: Walk, orderId: string, shop: string): Promise<Page | undefined> {
  let page = await pay(one, orderId, shop);
  for (const milliseconds of one.retryDelaysMs) {
    if (page !== undefined && page.status < 500) break;
    await one.pause(milliseconds);
    if (one.signal.aborted) break;
    one.tally.repeatedPayment();
    page = await pay(one, orderId, shop);
  }
  return page;
}

/** Pays what is paid, with the same key: it has to be the same payment. */
async function payAgain(one: Walk, orderId: string, shop: string, paid: Page): Promise<void> {
  one.tally.repeatedPayment();
  const again = await pay(one, orderId, shop);
  const first = paymentAnswer.safeParse(paid.body).data;
  const second = paymentAnswer.safeParse(again?.body).data;
  if (first !== undefined && second !== undefined && first.paymentId !== second.paymentId) {
    one.tally.anomaly("paidTwice");
  }
}

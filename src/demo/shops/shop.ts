/**
 * A sample shop: a real HTTP server with carts, checkout and payment, as an upstream of the proxy.
 *
 *   GET    /cart/items              the shopper's cart
 *   POST   /cart/items              {sku, quantity} → 201
 *   DELETE /cart/items              → 204
 *   POST   /checkout                {items?} → 201 {orderId, …}, Location: /orders/ORDER-ID
 *   POST   /orders/ORDER-ID/pay     → 202 {paymentId, …}; one Idempotency-Key is executed once
 *   GET    /orders/ORDER-ID
 *   POST   /callbacks/payment       {order_id} → 200: from the payment provider
 *
 * Every answer says in `x-shop` which shop gave it. A checkout may carry its items: carts are not shared, so
 * the cart of a shopper who was moved before the checkout began stayed behind in the other shop.
 */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import * as z from "zod";
import { createBoundedMap } from "../../base/bounded-map.ts";
import { controlListener, createFaultSwitch, type FaultSwitch } from "../faults.ts";
import { createProvider, type ProviderCounts, type ProviderOptions } from "../provider.ts";
import { type Listener, listen, parseJson, pathOf, readBody, type ShopAnswer, send } from "./http.ts";
import { createOrderNumbers, type OrderFormat } from "./order-numbers.ts";
import { createOrderBook, type OrderItem, type OrderSummary, type Payment } from "./orders.ts";

export interface ShopOptions {
  readonly name: string;
  readonly orderFormat: OrderFormat;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 0: any free port. */
  readonly port: number;
  /** Default 127.0.0.1: the shop can be broken from there. */
  readonly controlHost?: string;
  readonly controlPort: number;
  readonly provider: ProviderOptions;
  /** Orders, payments and carts kept, each; default 20,000. */
  readonly maxEntries?: number;
  /** Milliseconds since the epoch; default the system's. */
  readonly now?: () => number;
  /** Decides which requests fail: 0 ≤ x < 1. */
  readonly random?: () => number;
}

export interface ShopSummary extends OrderSummary {
  readonly shop: string;
  readonly callbacks: ProviderCounts;
}

export interface Shop {
  readonly name: string;
  readonly url: string;
  readonly controlUrl: string;
  summary(): ShopSummary;
  close(): Promise<void>;
}

const maxItems = 50;
const graceMs = 1000;
const item = z.object({ sku: z.string().min(1).max(64), quantity: z.int().min(1).max(99).default(1) });
const checkoutBody = z.object({ items: z.array(item).min(1).max(maxItems).optional() });
const callbackBody = z.object({ order_id: z.string().min(1).max(128) });

/** What a shop has, behind its listener. */
interface Stock {
  readonly name: string;
  readonly orders: ReturnType<typeof createOrderBook>;
  readonly carts: ReturnType<typeof createBoundedMap<readonly OrderItem[]>>;
  readonly provider: ReturnType<typeof createProvider>;
}

/** Rejects with the error of listen when a port is taken; nothing is left open then. */
export async function createShop(options: ShopOptions): Promise<Shop> {
  const { name, host = "127.0.0.1", controlHost = "127.0.0.1" } = options;
  const { maxEntries = 20_000, now = Date.now } = options;
  const stock: Stock = {
    name,
    orders: createOrderBook(createOrderNumbers(options.orderFormat, now), maxEntries),
    carts: createBoundedMap(maxEntries),
    provider: createProvider(options.provider),
  };
  const { orders, provider } = stock;
  const faults = createFaultSwitch(options.random ?? Math.random);

  const listeners: Listener[] = [];
  async function close(): Promise<void> {
    await Promise.all([provider.stop(), ...listeners.map((listener) => listener.close(graceMs))]);
  }

  const summary = () => ({ shop: name, ...orders.summary(), callbacks: provider.counts() });
  try {
    const shop = await listen(shopListener(stock, faults), host, options.port);
    listeners.push(shop);
    const control = await listen(controlListener(faults, summary), controlHost, options.controlPort);
    listeners.push(control);
    return { name, url: shop.url, controlUrl: control.url, summary, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function shopListener(stock: Stock, faults: FaultSwitch): RequestListener {
  // A client that leaves in mid-request needs no answer.
  return (request, response) => void handle(stock, faults, request, response).catch(() => undefined);
}

async function handle(
  stock: Stock,
  faults: FaultSwitch,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const client = new AbortController();
  response.once("close", () => client.abort());
  const session = sessionOf(request);
  const shopper = request.headers["x-shopper-id"];
  const headers = {
    "x-shop": stock.name,
    ...(session.isNew ? { "set-cookie": `sid=${session.sid}; Path=/; HttpOnly; SameSite=Lax` } : {}),
  };
  const reply = (answer: ShopAnswer) =>
    send(response, { ...answer, headers: { ...headers, ...answer.headers } });

  const body = await readBody(request);
  if (body === undefined) return reply(failed(stock, 413, "body_too_large"));
  const fate = await faults.pass(client.signal);
  if (fate === "gone") return;
  if (fate === "fail") return reply(failed(stock, 500, "told_to_fail"));
  reply(serve(stock, request, body, typeof shopper === "string" ? shopper : session.sid));
}

function serve(stock: Stock, request: IncomingMessage, body: Buffer, shopper: string): ShopAnswer {
  const path = pathOf(request);
  const [, orderId = "", action = ""] = /^\/orders\/([^/]+)(\/pay)?$/.exec(path) ?? [];
  switch (`${request.method} ${orderId === "" ? path : `/orders/ID${action}`}`) {
    case "GET /cart/items":
      return cart(stock, 200, stock.carts.get(shopper) ?? []);
    case "POST /cart/items":
      return addToCart(stock, body, shopper);
    case "DELETE /cart/items":
      stock.carts.delete(shopper);
      return { status: 204 };
    case "POST /checkout":
      return checkOut(stock, body, shopper);
    case "POST /orders/ID/pay":
      return pay(stock, orderId, request.headers["idempotency-key"]);
    case "GET /orders/ID":
      return show(stock, orderId);
    case "POST /callbacks/payment":
      return confirm(stock, body);
    default:
      return failed(stock, 404, "not_found");
  }
}

function cart({ name }: Stock, status: number, items: readonly OrderItem[]): ShopAnswer {
  return { status, body: { shop: name, items } };
}

function addToCart(stock: Stock, body: Buffer, shopper: string): ShopAnswer {
  const added = parseJson(body, item);
  if (added === undefined) return failed(stock, 400, "malformed_body");
  const items = [...(stock.carts.get(shopper) ?? []), added];
  if (items.length > maxItems) return failed(stock, 409, "cart_full");
  stock.carts.set(shopper, items);
  return cart(stock, 201, items);
}

function checkOut(stock: Stock, body: Buffer, shopper: string): ShopAnswer {
  const { name, carts, orders } = stock;
  const asked = body.length === 0 ? {} : parseJson(body, checkoutBody);
  if (asked === undefined) return failed(stock, 400, "malformed_body");
  const items = asked.items ?? carts.get(shopper);
  if (items === undefined) return failed(stock, 409, "cart_empty");
  carts.delete(shopper);
  const order = orders.create(items);
  return { status: 201, headers: { location: `/orders/${order.orderId}` }, body: { shop: name, ...order } };
}

function pay(stock: Stock, orderId: string, header: string | string[] | undefined): ShopAnswer {
  const key = typeof header === "string" && header !== "" ? header : undefined;
  const result = stock.orders.pay(orderId, key);
  switch (result.kind) {
    case "charged":
      stock.provider.charge(result.payment);
      return paying(stock, result.payment);
    case "repeated":
      return paying(stock, result.payment);
    case "key_of_another_order":
      return failed(stock, 422, result.kind);
    case "unknown":
    case "forgotten":
      return failed(stock, 404, "order_not_found");
  }
}

function paying({ name }: Stock, payment: Payment): ShopAnswer {
  return { status: 202, body: { shop: name, status: "paying", ...payment } };
}

function show(stock: Stock, orderId: string): ShopAnswer {
  const order = stock.orders.find(orderId);
  if (order === undefined) return failed(stock, 404, "order_not_found");
  return { status: 200, body: { shop: stock.name, ...order } };
}

function confirm(stock: Stock, body: Buffer): ShopAnswer {
  const callback = parseJson(body, callbackBody);
  if (callback === undefined) return failed(stock, 400, "malformed_body");
  const confirmed = stock.orders.confirm(callback.order_id);
  if (confirmed !== "paid") return failed(stock, 404, "order_not_found");
  return { status: 200, body: { shop: stock.name, status: "paid" } };
}

function failed({ name }: Stock, status: number, code: string): ShopAnswer {
  return { status, body: { shop: name, code } };
}

function sessionOf(request: IncomingMessage): { readonly sid: string; readonly isNew: boolean } {
  const sid = /(?:^|;\s*)sid=([^;\s]+)/.exec(request.headers.cookie ?? "")?.[1];
  return sid === undefined ? { sid: randomUUID(), isNew: true } : { sid, isNew: false };
}

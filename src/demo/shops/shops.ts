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
import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";
import { createBoundedMap } from "../../base/bounded-map.ts";
import { controlListener } from "../control.ts";
import { createFaultSwitch } from "../faults.ts";
import { createProvider, type ProviderCounts, type ProviderOptions } from "../provider.ts";
import { type Answer, type Listener, listen, parseJson, pathOf, readBody, send } from "./http.ts";
import { createOrderNumbers, type OrderFormat } from "./order-numbers.ts";
import { createOrderBook, type Line, type OrderSummary, type PayResult } from "./orders.ts";

export interface ShopOptions {
  readonly name: string;
  readonly orderFormat: OrderFormat;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 0: any free port. */
  readonly port: number;
  /** Default 127.0.0.1: whoever reaches it can break the shop. */
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

const maxLines = 50;
const graceMs = 1000;
const line = z.object({ sku: z.string().min(1).max(64), quantity: z.int().min(1).max(99).default(1) });
const checkoutBody = z.object({ items: z.array(line).min(1).max(maxLines).optional() });
const callbackBody = z.object({ order_id: z.string().min(1).max(128) });

/** Rejects with the error of listen when a port is taken; nothing is left open then. */
export async function createShop(options: ShopOptions): Promise<Shop> {
  const {
    name,
    host = "127.0.0.1",
    controlHost = "127.0.0.1",
    maxEntries = 20_000,
    now = Date.now,
  } = options;
  const orders = createOrderBook(createOrderNumbers(options.orderFormat, now), maxEntries);
  const carts = createBoundedMap<readonly Line[]>(maxEntries);
  const faults = createFaultSwitch(options.random ?? Math.random);
  const provider = createProvider(options.provider);

  function serve(request: IncomingMessage, body: Buffer, shopper: string): Answer {
    const path = pathOf(request);
    const [, orderId, action] = /^\/orders\/([^/]+)(\/pay)?$/.exec(path) ?? [];
    switch (`${request.method} ${orderId === undefined ? path : `/orders/ID${action ?? ""}`}`) {
      case "GET /cart/items":
        return cart(200, carts.get(shopper) ?? []);
      case "POST /cart/items":
        return addToCart(body, shopper);
      case "DELETE /cart/items":
        carts.delete(shopper);
        return { status: 204 };
      case "POST /checkout":
        return checkOut(body, shopper);
      case "POST /orders/ID/pay":
        return pay(orderId ?? "", request.headers["idempotency-key"]);
      case "GET /orders/ID":
        return show(orderId ?? "");
      case "POST /callbacks/payment":
        return confirm(body);
      default:
        return failed(404, "not_found");
    }
  }

  function cart(status: number, items: readonly Line[]): Answer {
    return { status, body: { shop: name, items } };
  }

  function addToCart(body: Buffer, shopper: string): Answer {
    const added = parseJson(body, line);
    if (added === undefined) return failed(400, "malformed_body");
    const items = [...(carts.get(shopper) ?? []), added];
    if (items.length > maxLines) return failed(409, "cart_full");
    carts.set(shopper, items);
    return cart(201, items);
  }

  function checkOut(body: Buffer, shopper: string): Answer {
    const asked = body.length === 0 ? {} : parseJson(body, checkoutBody);
    if (asked === undefined) return failed(400, "malformed_body");
    const items = asked.items ?? carts.get(shopper);
    if (items === undefined) return failed(409, "cart_empty");
    carts.delete(shopper);
    const order = orders.create(items);
    return { status: 201, headers: { location: `/orders/${order.orderId}` }, body: { shop: name, ...order } };
  }

  function pay(orderId: string, header: string | string[] | undefined): Answer {
    const result = orders.pay(orderId, typeof header === "string" && header !== "" ? header : undefined);
    if (result.kind === "charged") provider.charge(result.payment);
    return payAnswer(result);
  }

  function payAnswer(result: PayResult): Answer {
    switch (result.kind) {
      case "charged":
      case "repeated":
        return { status: 202, body: { shop: name, status: "paying", ...result.payment } };
      case "key_of_another_order":
        return failed(422, result.kind);
      case "unknown":
      case "forgotten":
        return failed(404, "order_not_found");
    }
  }

  function show(orderId: string): Answer {
    const order = orders.find(orderId);
    return order === undefined
      ? failed(404, "order_not_found")
      : { status: 200, body: { shop: name, ...order } };
  }

  function confirm(body: Buffer): Answer {
    const callback = parseJson(body, callbackBody);
    if (callback === undefined) return failed(400, "malformed_body");
    if (orders.confirm(callback.order_id) !== "paid") return failed(404, "order_not_found");
    return { status: 200, body: { shop: name, status: "paid" } };
  }

  function failed(status: number, code: string): Answer {
    return { status, body: { shop: name, code } };
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const client = new AbortController();
    response.once("close", () => client.abort());
    const session = sessionOf(request);
    const shopper = request.headers["x-shopper-id"];
    const headers = {
      "x-shop": name,
      ...(session.isNew ? { "set-cookie": `sid=${session.sid}; Path=/; HttpOnly; SameSite=Lax` } : {}),
    };
    const reply = (answer: Answer) =>
      send(response, { ...answer, headers: { ...headers, ...answer.headers } });

    const body = await readBody(request);
    if (body === undefined) return reply(failed(413, "body_too_large"));
    const fate = await faults.pass(client.signal);
    if (fate === "gone") return;
    if (fate === "fail") return reply(failed(500, "told_to_fail"));
    reply(serve(request, body, typeof shopper === "string" ? shopper : session.sid));
  }

  const listeners: Listener[] = [];
  async function close(): Promise<void> {
    await Promise.all([provider.stop(), ...listeners.map((listener) => listener.close(graceMs))]);
  }

  const summary = () => ({ shop: name, ...orders.summary(), callbacks: provider.counts() });
  try {
    // A client that leaves in mid-request needs no answer.
    const shop = await listen(
      (request, response) => void handle(request, response).catch(() => undefined),
      host,
      options.port,
    );
    listeners.push(shop);
    const control = await listen(controlListener(faults, summary), controlHost, options.controlPort);
    listeners.push(control);
    return { name, url: shop.url, controlUrl: control.url, summary, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function sessionOf(request: IncomingMessage): { readonly sid: string; readonly isNew: boolean } {
  const sid = /(?:^|;\s*)sid=([^;\s]+)/.exec(request.headers.cookie ?? "")?.[1];
  return sid === undefined ? { sid: randomUUID(), isNew: true } : { sid, isNew: false };
}

/**
 * A sample shop's orders and payments, in bounded memory. The shop is as naive as many real ones: nothing but
 * the idempotency key keeps it from charging twice. What must never happen behind a proxy that keeps an order
 * with its owner is counted here as an anomaly:
 *
 *   paidTwice      one order was charged a second time under another key, or under none
 *   unknownOrder   a payment or a callback came for an order this shop never gave out
 *
 * An order that made room for newer ones is `forgotten`, which is no anomaly.
 */
import { randomUUID } from "node:crypto";
import { createBoundedMap } from "../../base/bounded-map.ts";
import type { OrderName, OrderNumbers } from "./order-numbers.ts";

export interface OrderItem {
  readonly sku: string;
  readonly quantity: number;
}

interface Order extends OrderName {
  readonly items: readonly OrderItem[];
  /** Rupiah. */
  readonly total: number;
  /** `paying`: charged, the provider's callback has not come yet. */
  readonly status: "created" | "paying" | "paid";
}

/** What the shop answers to a payment; the same key gets the same one again. */
export interface Payment {
  readonly orderId: string;
  readonly paymentId: string;
  readonly amount: number;
}

type PayResult =
  | { readonly kind: "charged" | "repeated"; readonly payment: Payment }
  | { readonly kind: "key_of_another_order" | "unknown" | "forgotten" };

export interface OrderSummary {
  readonly orders: number;
  /** Charged, the callback still to come. */
  readonly paying: number;
  readonly paid: number;
  /** The sum of the kinds below. */
  readonly anomalies: number;
  readonly paidTwice: number;
  readonly unknownOrder: number;
}

export interface OrderBook {
  create(items: readonly OrderItem[]): Order;
  /** The order with other items, unless it is charged or forgotten; a new one then. */
  put(orderId: string | undefined, items: readonly OrderItem[]): Order;
  find(orderId: string): Order | undefined;
  pay(orderId: string, idempotencyKey: string | undefined): PayResult;
  /** The provider says that the order is paid. Saying it again changes nothing. */
  confirm(orderId: string): "paid" | "unknown" | "forgotten";
  summary(): OrderSummary;
}

const unitPrice = 25_000;

/** @param maxEntries of orders, and of remembered payments: those not used for long make room */
export function createOrderBook(numbers: OrderNumbers, maxEntries: number): OrderBook {
  const orders = createBoundedMap<Order>(maxEntries);
  const payments = createBoundedMap<Payment>(maxEntries);
  const counts = { orders: 0, charged: 0, paid: 0, paidTwice: 0, unknownOrder: 0 };

  function absence(orderId: string): "unknown" | "forgotten" {
    if (numbers.gaveOut(orderId)) return "forgotten";
    counts.unknownOrder += 1;
    return "unknown";
  }

  function charge(order: Order): Payment {
    if (order.status === "created") {
      counts.charged += 1;
      orders.set(order.orderId, { ...order, status: "paying" });
    } else {
      counts.paidTwice += 1;
    }
    return { orderId: order.orderId, paymentId: randomUUID(), amount: order.total };
  }

  const totalOf = (items: readonly OrderItem[]) =>
    items.reduce((sum, item) => sum + item.quantity, 0) * unitPrice;

  function create(items: readonly OrderItem[]): Order {
    const order: Order = { ...numbers.next(), items, total: totalOf(items), status: "created" };
    orders.set(order.orderId, order);
    counts.orders += 1;
    return order;
  }

  return {
    create,
    put(orderId, items) {
      const known = orderId === undefined ? undefined : orders.get(orderId);
      if (known?.status !== "created") return create(items);
      const order = { ...known, items: [...items], total: totalOf(items) };
      orders.set(order.orderId, order);
      return order;
    },
    find: (orderId) => orders.get(orderId),
    pay(orderId, idempotencyKey) {
      const earlier = idempotencyKey === undefined ? undefined : payments.get(idempotencyKey);
      if (earlier !== undefined) {
        if (earlier.orderId !== orderId) return { kind: "key_of_another_order" };
        return { kind: "repeated", payment: earlier };
      }
      const order = orders.get(orderId);
      if (order === undefined) return { kind: absence(orderId) };
      const payment = charge(order);
      if (idempotencyKey !== undefined) payments.set(idempotencyKey, payment);
      return { kind: "charged", payment };
    },
    confirm(orderId) {
      const order = orders.get(orderId);
      if (order === undefined) return absence(orderId);
      if (order.status !== "paid") {
        if (order.status === "created") counts.charged += 1;
        counts.paid += 1;
        orders.set(orderId, { ...order, status: "paid" });
      }
      return "paid";
    },
    summary: () => ({
      orders: counts.orders,
      paying: counts.charged - counts.paid,
      paid: counts.paid,
      anomalies: counts.paidTwice + counts.unknownOrder,
      paidTwice: counts.paidTwice,
      unknownOrder: counts.unknownOrder,
    }),
  };
}

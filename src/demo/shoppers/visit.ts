/** What one sample shopper sets out to do, drawn from seeded randomness before the first request. */
import type { OrderItem } from "../shops/orders.ts";
import type { Random } from "./random.ts";

export interface Visit {
  /** Sent as x-shopper-id. */
  readonly shopper: string;
  readonly items: readonly OrderItem[];
  /** Milliseconds of thought after each item, and before the payment. */
  readonly thinkMs: { readonly items: readonly number[]; readonly payment: number };
  readonly leaves: "after_cart" | "after_checkout" | "never";
  /** Presses "pay" a second time although the first was answered: the same key, the same payment. */
  readonly paysAgain: boolean;
}

export interface Habits {
  /** Shortest and longest thought, in milliseconds. */
  readonly thinkMs: readonly [number, number];
  /** The share of shoppers who leave with a full cart. */
  readonly leaveAfterCart: number;
  /** … of the others, who leave with an unpaid order. */
  readonly leaveAfterCheckout: number;
  /** … of those who pay, who pay again with the same key. */
  readonly payAgain: number;
}

export const usualHabits: Habits = {
  thinkMs: [200, 2500],
  leaveAfterCart: 0.15,
  leaveAfterCheckout: 0.05,
  payAgain: 0.1,
};

const wares = ["kopi-gayo", "teh-melati", "batik", "sambal", "keripik", "sarung", "jamu", "wayang"] as const;

export function planVisit(random: Random, habits: Habits): Visit {
  const think = () => random.between(...habits.thinkMs);
  const items = Array.from({ length: random.between(1, 3) }, () => ({
    sku: wares[random.between(0, wares.length - 1)] ?? wares[0],
    quantity: random.between(1, 4),
  }));
  return {
    shopper: `shopper-${random.hex(12)}`,
    items,
    thinkMs: { items: items.map(think), payment: think() },
    leaves: random.chance(habits.leaveAfterCart)
      ? "after_cart"
      : random.chance(habits.leaveAfterCheckout)
        ? "after_checkout"
        : "never",
    paysAgain: random.chance(habits.payAgain),
  };
}

/**
 * A pretend payment provider. It takes a payment at once and says later, by a callback, that the money came:
 *
 *   POST {callbackUrl}  {"order_id": "…", "payment_id": "…", "status": "paid", "amount": 50000}
 *
 * Like real ones it knows neither shopper nor cookie, so only the order id can lead the callback to the side
 * that took the order. A callback that meets a 5xx or no answer is sent again, each time after a longer pause;
 * a 4xx is final.
 */
import { setMaxListeners } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { Pool } from "undici";
import type { Payment } from "./shops/orders.ts";

export interface ProviderOptions {
  /** Where callbacks go: through the proxy. */
  readonly callbackUrl: string;
  /** From the payment to the first callback. Default 2000. */
  readonly delayMs?: number;
  /** The pauses before each further attempt. Default 1, 2, 4, 8, 16, 32 s. */
  readonly retryDelaysMs?: readonly number[];
  /** Payments whose callback is still to be delivered; beyond it one is `dropped`. Default 5000. */
  readonly maxPending?: number;
}

export interface ProviderCounts {
  readonly pending: number;
  readonly delivered: number;
  /** Attempts after the first. */
  readonly retries: number;
  /** Answered 4xx. */
  readonly refused: number;
  /** Given up after the last attempt. */
  readonly undelivered: number;
  /** Not even begun, because too many were pending. */
  readonly dropped: number;
}

interface Provider {
  charge(payment: Payment): void;
  counts(): ProviderCounts;
  /** Forgets what is pending. */
  stop(): Promise<void>;
}

const patienceMs = 15_000;
const attemptsAtOnce = 32;

export function createProvider(options: ProviderOptions): Provider {
  const { delayMs = 2000, retryDelaysMs = [1000, 2000, 4000, 8000, 16_000, 32_000] } = options;
  const { maxPending = 5000 } = options;
  const target = new URL(options.callbackUrl);
  const pool = new Pool(target.origin, {
    connections: attemptsAtOnce,
    headersTimeout: patienceMs,
    bodyTimeout: patienceMs,
  });
  const stopping = new AbortController();
  // Every pending payment listens to it: their number is bounded by maxPending, not by Node's ten.
  setMaxListeners(0, stopping.signal);
  const pending = new Set<Promise<void>>();
  const counts = { delivered: 0, retries: 0, refused: 0, undelivered: 0, dropped: 0 };

  /** @returns whether the matter is settled, rather than to be tried again */
  async function attempt(payment: Payment): Promise<boolean> {
    const status = await callBack(pool, target, payment, stopping.signal);
    if (status === undefined || status >= 500) return false;
    if (status < 400) counts.delivered += 1;
    else counts.refused += 1;
    return true;
  }

  async function deliver(payment: Payment): Promise<void> {
    const rest = (milliseconds: number) =>
      pause(milliseconds, undefined, { signal: stopping.signal }).catch(() => undefined);

    await rest(delayMs);
    if (stopping.signal.aborted || (await attempt(payment))) return;
    for (const milliseconds of retryDelaysMs) {
      await rest(milliseconds);
      if (stopping.signal.aborted) return;
      counts.retries += 1;
      if (await attempt(payment)) return;
    }
    counts.undelivered += 1;
  }

  return {
    charge(payment) {
      if (stopping.signal.aborted) return;
      if (pending.size >= maxPending) {
        counts.dropped += 1;
        return;
      }
      const delivery = deliver(payment);
      pending.add(delivery);
      void delivery.finally(() => pending.delete(delivery));
    },
    counts: () => ({ pending: pending.size, ...counts }),
    async stop() {
      stopping.abort();
      await Promise.all(pending);
      await pool.destroy();
    },
  };
}

/** @returns the status of the answer; `undefined` without one */
async function callBack(
  pool: Pool,
  target: URL,
  payment: Payment,
  signal: AbortSignal,
): Promise<number | undefined> {
  try {
    const { statusCode, body } = await pool.request({
      method: "POST",
      path: target.pathname + target.search,
      headers: { "content-type": "application/json", "user-agent": "pretend-payments" },
      body: JSON.stringify({
        order_id: payment.orderId,
        payment_id: payment.paymentId,
        status: "paid",
        amount: payment.amount,
      }),
      signal,
    });
    await body.dump();
    return statusCode;
  } catch {
    return undefined;
  }
}

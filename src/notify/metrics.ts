import { Counter, Gauge, type Registry } from "prom-client";
import type { DeliveryOutcome } from "./courier.ts";

export interface WebhookCounts {
  /** @param webhook the receiver's host */
  ended(webhook: string, outcome: DeliveryOutcome): void;
  /** Has the receiver's series exist. */
  configure(webhook: string): void;
  /** What waits, asked at a scrape. */
  showWaiting(waiting: () => number): void;
}

export function createWebhookCounts(registry: Registry): WebhookCounts {
  const registers = [registry];
  const outcomes = new Counter({
    name: "cutover_webhooks_total",
    help: "Attempts to deliver a message, by the receiver's host: delivered, failed (tried again), dropped (given up).",
    labelNames: ["webhook", "outcome"],
    registers,
  });
  return {
    ended: (webhook, outcome) => outcomes.inc({ webhook, outcome }),
    configure(webhook) {
      for (const outcome of ["delivered", "failed", "dropped"]) outcomes.inc({ webhook, outcome }, 0);
    },
    showWaiting(waiting) {
      new Gauge({
        name: "cutover_webhooks_waiting",
        help: "Messages that wait for their receivers.",
        registers,
        collect() {
          this.set(waiting());
        },
      });
    },
  };
}

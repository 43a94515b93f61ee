/**
 * Journeys that begin and payments that are made, by side: a shop whose every request is answered well, and in which nobody
 * can pay, shows in nothing else. Of cutovers with a journey and a payment route; all others have no such series.
 */
import { Counter, type Registry } from "prom-client";
import type { Witness } from "../proxy/witness.ts";
import { type Side, sides } from "../state/rules/model.ts";

export interface CheckoutCounts {
  /** Counts the journeys that begin on a route. */
  readonly started: Witness;
  /** Counts the payments of a payment route: answers below 400 that are no failure. */
  readonly paid: Witness;
  /** Has the series of these cutovers exist. */
  configure(cutovers: readonly string[]): void;
}

export function createCheckoutCounts(registry: Registry, cutovers: readonly string[]): CheckoutCounts {
  const labelNames = ["cutover", "side"] as const;
  const started = new Counter({
    name: "cutover_journeys_started_total",
    help: "Journeys that have begun. Of cutovers that have a payment route.",
    labelNames,
    registers: [registry],
  });
  const paid = new Counter({
    name: "cutover_payments_total",
    help: "Answers below 400 to requests of payment routes that are no failure.",
    labelNames,
    registers: [registry],
  });
  let known = new Set<string>();
  const add = (counter: Counter<"cutover" | "side">, cutover: string, side: Side | "none") => {
    if (side !== "none" && known.has(cutover)) counter.inc({ cutover, side });
  };
  function configure(names: readonly string[]): void {
    known = new Set(names);
    for (const cutover of names) {
      for (const side of sides) for (const counter of [started, paid]) counter.inc({ cutover, side }, 0);
    }
  }
  configure(cutovers);
  return {
    configure,
    started: {
      journeyed({ cutover, side }, _, event) {
        if (event === "start") add(started, cutover, side);
      },
    },
    paid: {
      settled({ cutover, side, status }, outcome) {
        if (outcome === "ok" && status !== undefined && status < 400) add(paid, cutover, side);
      },
    },
  };
}

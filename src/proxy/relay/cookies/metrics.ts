/** What becomes of cookies that are kept apart, as a metric. */
import { Counter, type Registry } from "prom-client";
import { type DroppedWhy, droppedWhys } from "./apart.ts";

export function createDroppedCookies(registry: Registry): (why: DroppedWhy) => void {
  const counter = new Counter({
    name: "cutover_apart_cookies_dropped_total",
    help: "Cookies that an upstream set and no client was given, where cookies are kept apart: too many of them, too long with their suffix, or of a name that ends in one.",
    labelNames: ["why"],
    registers: [registry],
  });
  for (const why of droppedWhys) counter.inc({ why }, 0);
  return (why) => counter.inc({ why });
}

/** The lists that an instance has loaded, as metrics: of those of the configuration in force, and no others. */
import { Counter, Gauge, type Registry } from "prom-client";
import type { ListKeeper } from "./keeper.ts";

export function addListMetrics(registry: Registry, { standings }: Pick<ListKeeper, "standings">): void {
  const shape = { labelNames: ["list"] as const, registers: [registry] };
  new Gauge({
    ...shape,
    name: "cutover_list_members",
    help: "How many are on the list, as this instance has loaded it.",
    collect() {
      this.reset();
      for (const { name, members } of standings()) this.set({ list: name }, members);
    },
  });
  new Gauge({
    ...shape,
    name: "cutover_list_age_seconds",
    help: "Time since the list here was last known to be as the store has it.",
    collect() {
      this.reset();
      for (const { name, ageMs } of standings()) this.set({ list: name }, ageMs / 1000);
    },
  });
  new Counter({
    ...shape,
    name: "cutover_list_load_failures_total",
    help: "How often the list could not be loaded from the store or compared with it, or was lost there; what is loaded stays in force.",
    collect() {
      this.reset();
      for (const { name, failures } of standings()) this.inc({ list: name }, failures);
    },
  });
}

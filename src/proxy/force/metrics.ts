/** What is said by wrong secrets of testers, as metrics. */
import { Counter, type Registry } from "prom-client";
import { type ForceCounts, type ForceForm, forceForms } from "./attempts.ts";

export function createForceCounts(registry: Registry): ForceCounts {
  const counter = (name: string, help: string) => {
    const made = new Counter({ name, help, labelNames: ["form"], registers: [registry] });
    for (const form of forceForms) made.inc({ form }, 0);
    return (form: ForceForm) => made.inc({ form });
  };
  return {
    wrong: counter(
      "cutover_force_wrong_secrets_total",
      "Requests of testers whose secret was none, by whether a header or a link said it.",
    ),
    ignored: counter(
      "cutover_force_ignored_total",
      "Requests of testers that were not looked into: their address had sent too many wrong secrets.",
    ),
  };
}

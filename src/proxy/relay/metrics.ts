/** Files that one side had not, and the other one was asked for (or-else.ts), as a metric. */
import { Counter, type Registry } from "prom-client";
import type { Config } from "../../config/schema.ts";
import { type Side, sides } from "../../state/rules/model.ts";

export interface OrElseCounts {
  asked(cutover: string, side: Side, isFound: boolean): void;
  /** Has the series exist, at 0, of the cutovers that have such files. */
  configure(config: Pick<Config, "cutovers">): void;
}

export function createOrElseCounts(registry: Registry, config: Pick<Config, "cutovers">): OrElseCounts {
  const asked = new Counter({
    name: "cutover_or_else_requests_total",
    help: "Requests that a side was asked because the other one had answered 404, by what came of it; they count for no side.",
    labelNames: ["cutover", "side", "result"],
    registers: [registry],
  });
  const configure: OrElseCounts["configure"] = ({ cutovers }) => {
    for (const [cutover, { routes }] of Object.entries(cutovers)) {
      if (routes.every(({ orElse }) => orElse === undefined)) continue;
      for (const side of sides) {
        for (const result of ["found", "missed"]) asked.inc({ cutover, side, result }, 0);
      }
    }
  };
  configure(config);
  return {
    asked: (cutover, side, isFound) => asked.inc({ cutover, side, result: isFound ? "found" : "missed" }),
    configure,
  };
}

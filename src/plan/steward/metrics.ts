import { Gauge, type Registry } from "prom-client";

export type Against = "on time" | "tight" | "cannot be met";
const words = ["on time", "tight", "cannot be met"] as const satisfies readonly Against[];

/** @returns what shows how each plan that has a deadline stands against it; absent: it is not known, or it is over */
export function createDeadlineGauge(
  registry: Registry,
): (standings: ReadonlyMap<string, Against | undefined>) => void {
  const gauge = new Gauge({
    name: "cutover_plan_deadline",
    help: "1 for how the projected finish of the cutover's plan stands against its deadline.",
    labelNames: ["cutover", "against"],
    registers: [registry],
  });
  return (standings) => {
    gauge.reset();
    for (const [cutover, now] of standings) {
      for (const against of words) gauge.set({ cutover, against }, against === now ? 1 : 0);
    }
  };
}

import { Counter, Gauge, type Registry } from "prom-client";
import { type MetricFinding, metricStates } from "../verdict/metrics.ts";
import { verdicts } from "../verdict/verdict.ts";

export interface GuardMetrics {
  /** @param verdict absent: it is not judged now */
  judged(cutover: string, verdict: (typeof verdicts)[number] | undefined): void;
  /** @param isOff new shoppers are not split as configured */
  split(cutover: string, isOff: boolean): void;
  acted(cutover: string, action: string): void;
  /** What the owner's own metrics say; none: they are not asked for here now. */
  found(cutover: string, findings: readonly MetricFinding[]): void;
  /** The cutovers that are guarded from now on, and the names of the owner's own metrics of each. */
  configure(cutovers: readonly { readonly name: string; readonly metrics: readonly string[] }[]): void;
}

export function createGuardMetrics(registry: Registry): GuardMetrics {
  const registers = [registry];
  const verdict = new Gauge({
    name: "cutover_guard_verdict",
    help: "1, on the instance that leads, for what the guard makes of the cutover now; on each while there is no store.",
    labelNames: ["cutover", "verdict"],
    registers,
  });
  const actions = new Counter({
    name: "cutover_guard_actions_total",
    help: "What this instance's guard has done.",
    labelNames: ["cutover", "action"],
    registers,
  });
  const own = new Gauge({
    name: "cutover_guard_metric",
    help: "1 for what the instance that leads finds of a metric of guard.metrics now.",
    labelNames: ["cutover", "metric", "state"],
    registers,
  });
  const shareOff = new Gauge({
    name: "cutover_guard_share_off",
    help: "1 where the instance that leads finds that new shoppers are not split as configured.",
    labelNames: ["cutover"],
    registers,
  });
  const split = (cutover: string, isOff: boolean) => shareOff.set({ cutover }, isOff ? 1 : 0);
  const known = new Map<string, readonly string[]>();
  const found = (cutover: string, findings: readonly Pick<MetricFinding, "name" | "state">[]) => {
    for (const metric of known.get(cutover) ?? []) {
      const now = findings.find(({ name }) => name === metric)?.state;
      for (const state of metricStates) own.set({ cutover, metric, state }, state === now ? 1 : 0);
    }
  };
  const judged = (cutover: string, now: string | undefined) => {
    for (const each of verdicts) verdict.set({ cutover, verdict: each }, each === now ? 1 : 0);
  };
  return {
    judged,
    split,
    acted: (cutover, action) => actions.inc({ cutover, action }),
    found,
    configure(cutovers) {
      verdict.reset();
      own.reset();
      shareOff.reset();
      known.clear();
      for (const { name: cutover, metrics } of cutovers) {
        known.set(cutover, metrics);
        found(cutover, []);
        judged(cutover, undefined);
        split(cutover, false);
        for (const action of ["rollback", "hold"]) actions.inc({ cutover, action }, 0);
      }
    },
  };
}

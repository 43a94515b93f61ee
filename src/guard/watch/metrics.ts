import { Counter, Gauge, type Registry } from "prom-client";
import { verdicts } from "../verdict/verdict.ts";

export interface GuardMetrics {
  /** @param verdict absent: it is not judged now */
  judged(cutover: string, verdict: (typeof verdicts)[number] | undefined): void;
  acted(cutover: string, action: string): void;
  /** The cutovers that are guarded from now on. */
  configure(cutovers: readonly string[]): void;
}

export function createGuardMetrics(registry: Registry): GuardMetrics {
  const registers = [registry];
  const verdict = new Gauge({
    name: "cutover_guard_verdict",
    help: "1 for what the guard makes of the cutover now, by this instance's counts.",
    labelNames: ["cutover", "verdict"],
    registers,
  });
  const actions = new Counter({
    name: "cutover_guard_actions_total",
    help: "What this instance's guard has done.",
    labelNames: ["cutover", "action"],
    registers,
  });
  const judged = (cutover: string, now: string | undefined) => {
    for (const each of verdicts) verdict.set({ cutover, verdict: each }, each === now ? 1 : 0);
  };
  return {
    judged,
    acted: (cutover, action) => actions.inc({ cutover, action }),
    configure(cutovers) {
      verdict.reset();
      for (const cutover of cutovers) {
        judged(cutover, undefined);
        for (const action of ["rollback", "hold"]) actions.inc({ cutover, action }, 0);
      }
    },
  };
}

/**
 * What stands beside a cutover's percent, as metrics: the percents of its cohorts, of those that the configuration has
 * and no others, and its sides in maintenance.
 */
import { Gauge, type Registry } from "prom-client";
import type { Clock } from "../base/clock.ts";
import type { Following } from "../state/follow/snapshot.ts";
import { type CohortPercents, percentToNumber } from "../state/rules/percent.ts";
import { standingPercent } from "../state/rules/routing.ts";
import { maintainedUntil } from "../state/rules/sides/maintenance.ts";

interface StandingOptions {
  readonly following: Pick<Following, "current">;
  /** The cohorts of a cutover that have a percent of their own, by the configuration; asked at each scrape. */
  readonly starts: (cutover: string) => CohortPercents | undefined;
  readonly clock: Pick<Clock, "now">;
}

export function addStandingMetrics(registry: Registry, { following, starts, clock }: StandingOptions): void {
  new Gauge({
    name: "cutover_cohort_percent",
    help: "Percent (0-100) of a cohort that has one of its own, as this instance decides by it.",
    labelNames: ["cutover", "cohort"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [cutover, state] of following.current().states) {
        for (const cohort of Object.keys(starts(cutover) ?? {})) {
          this.set({ cutover, cohort }, percentToNumber(standingPercent(state, cohort)));
        }
      }
    },
  });
  new Gauge({
    name: "cutover_maintenance",
    help: "1 while nothing is sent to the side because it is in maintenance, else 0.",
    labelNames: ["cutover", "side"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [cutover, { maintenance }] of following.current().states) {
        for (const side of ["legacy", "new"] as const) {
          const isMaintained = maintainedUntil(maintenance, side, clock.now()) !== undefined;
          this.set({ cutover, side }, isMaintained ? 1 : 0);
        }
      }
    },
  });
}

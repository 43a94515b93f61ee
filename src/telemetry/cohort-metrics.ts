/** The percents of cohorts, as metrics: of those that the configuration has, and no others. */
import { Gauge, type Registry } from "prom-client";
import type { Following } from "../state/follow/snapshot.ts";
import { type CohortPercents, percentToNumber } from "../state/rules/percent.ts";
import { standingPercent } from "../state/rules/routing.ts";

/** @param starts the cohorts of a cutover that have a percent of their own, by the configuration; asked at each scrape */
export function addCohortMetrics(
  registry: Registry,
  following: Pick<Following, "current">,
  starts: (cutover: string) => CohortPercents | undefined,
): void {
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
}

/**
 * Counts by the name of their series instead of their place in an array, so that those of two tables (before and after
 * the configuration was read again) or of two processes can be summed. A name is the words of the series, in the order
 * of its labels, parted by `/`, which stands in no name of the configuration.
 */
import * as z from "zod";
import { reasons } from "../../decide/decide.ts";
import { outcomes } from "../../proxy/outcome.ts";
import { servedSides } from "../../proxy/witness.ts";
import { sides } from "../../state/rules/model.ts";
import { statusClasses } from "../traffic/side-counts.ts";
import {
  type Counts,
  type CutoverRoutes,
  durationBuckets,
  journeySteps,
  overheadBuckets,
  routeBuckets,
} from "./counts.ts";

export type CountValues = Omit<Counts, "row">;

export const countFamilies = [
  "requests",
  "decisions",
  "responses",
  "durations",
  "durationSums",
  "routeDurations",
  "routeDurationSums",
  "journeys",
  "overheads",
  "overheadSums",
  "inflight",
] as const satisfies readonly (keyof CountValues)[];
type CountFamily = (typeof countFamilies)[number];

/** Names and amounts; an amount that is 0 is left out. Only those of `inflight` may be negative. */
const amounts = z.array(z.tuple([z.string(), z.number()]));
export const seriesCounts = z.object({
  requests: amounts,
  decisions: amounts,
  responses: amounts,
  durations: amounts,
  durationSums: amounts,
  routeDurations: amounts,
  routeDurationSums: amounts,
  journeys: amounts,
  overheads: amounts,
  overheadSums: amounts,
  inflight: amounts,
});
export type SeriesCounts = z.output<typeof seriesCounts>;

export function noCounts(): SeriesCounts {
  const byRoute = { requests: [], routeDurations: [], routeDurationSums: [] };
  const bySide = { responses: [], durations: [], durationSums: [], inflight: [] };
  return { ...byRoute, ...bySide, decisions: [], journeys: [], overheads: [], overheadSums: [] };
}

export type SeriesNames = Readonly<Record<CountFamily, readonly string[]>>;

/** @returns the name of each place of each array of `createCounts(table)` */
export function seriesNames(table: readonly CutoverRoutes[]): SeriesNames {
  const names = table.map(({ name }) => name);
  const routes = table.flatMap(({ name, routes: own }) => own.map((route) => `${name}/${route}`));
  const bySide = pairs(names, servedSides);
  const byRouteAndSide = pairs(routes, servedSides);
  return {
    requests: pairs(byRouteAndSide, outcomes),
    decisions: pairs(pairs(names, sides), reasons),
    responses: pairs(bySide, statusClasses),
    durations: pairs(bySide, numbers(durationBuckets)),
    durationSums: bySide,
    routeDurations: pairs(byRouteAndSide, numbers(routeBuckets)),
    routeDurationSums: byRouteAndSide,
    journeys: pairs(pairs(pairs(names, journeySteps), sides), reasons),
    overheads: pairs(names, numbers(overheadBuckets)),
    overheadSums: names,
    inflight: bySide,
  };
}

function numbers(length: number): string[] {
  return Array.from({ length }, (_, number) => `${number}`);
}

function pairs(starts: readonly string[], ends: readonly string[]): string[] {
  return starts.flatMap((start) => ends.map((end) => `${start}/${end}`));
}

/** Sums of series that have no place in an array. */
interface SeriesSum {
  add(counts: SeriesCounts): void;
  /** @returns all of it; the sum is empty afterwards */
  take(): SeriesCounts;
}

export function createSeriesSum(): SeriesSum {
  const sums = {
    requests: new Map<string, number>(),
    decisions: new Map<string, number>(),
    responses: new Map<string, number>(),
    durations: new Map<string, number>(),
    durationSums: new Map<string, number>(),
    routeDurations: new Map<string, number>(),
    routeDurationSums: new Map<string, number>(),
    journeys: new Map<string, number>(),
    overheads: new Map<string, number>(),
    overheadSums: new Map<string, number>(),
    inflight: new Map<string, number>(),
  } satisfies Record<CountFamily, unknown>;
  return {
    add(counts) {
      for (const family of countFamilies) {
        const sum = sums[family];
        for (const [name, amount] of counts[family]) sum.set(name, (sum.get(name) ?? 0) + amount);
      }
    },
    take() {
      const taken = noCounts();
      for (const family of countFamilies) {
        taken[family] = [...sums[family]].filter(([, amount]) => amount !== 0);
        sums[family].clear();
      }
      return taken;
    },
  };
}

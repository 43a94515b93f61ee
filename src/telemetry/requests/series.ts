/**
 * The counts of traffic by name instead of by place, so that those of two tables (before and after the
 * configuration was read again) or of two processes can be put together. A key is the words of a series, in the
 * order of its labels, parted by `/`, which stands in no name of the configuration.
 */
import { z } from "zod";
import { reasons } from "../../decide/decide.ts";
import { outcomes } from "../../proxy/outcome.ts";
import { sides } from "../../state/rules/model.ts";
import { type Counts, type CutoverRoutes, createCounts, durationBuckets, meteredSides } from "./counts.ts";

export type CountValues = Omit<Counts, "row">;

export const countFamilies = [
  "requests",
  "decisions",
  "durations",
  "durationSums",
  "inflight",
] as const satisfies readonly (keyof CountValues)[];
export type CountFamily = (typeof countFamilies)[number];

/** What was counted since the last time it was taken: key and amount. Only `inflight` may fall. */
const amounts = z.array(z.tuple([z.string(), z.number()]));
export const countIncrements = z.object({
  requests: amounts,
  decisions: amounts,
  durations: amounts,
  durationSums: amounts,
  inflight: amounts,
});
export type CountIncrements = z.output<typeof countIncrements>;

/** @returns the key of each place of each array of `createCounts(table)` */
export function countKeys(table: readonly CutoverRoutes[]): Readonly<Record<CountFamily, readonly string[]>> {
  const names = table.map(({ name }) => name);
  const routes = table.flatMap(({ name, routes: own }) => own.map((route) => `${name}/${route}`));
  const bySide = pairs(names, meteredSides);
  return {
    requests: pairs(pairs(routes, meteredSides), outcomes),
    decisions: pairs(pairs(names, sides), reasons),
    durations: pairs(
      bySide,
      Array.from({ length: durationBuckets }, (_, bucket) => `${bucket}`),
    ),
    durationSums: bySide,
    inflight: bySide,
  };
}

function pairs(starts: readonly string[], ends: readonly string[]): string[] {
  return starts.flatMap((start) => ends.map((end) => `${start}/${end}`));
}

export interface CountTaker {
  /** What was counted since the last call. */
  take(): CountIncrements;
}

/** Reads counts as they grow. @param table the one the counts were made of */
export function createCountTaker(table: readonly CutoverRoutes[], counts: CountValues): CountTaker {
  const keys = countKeys(table);
  const taken: CountValues = createCounts(table);
  const grown = (family: CountFamily): [string, number][] => {
    const [now, before] = [counts[family], taken[family]];
    const found: [string, number][] = [];
    for (let at = 0; at < now.length; at++) {
      const value = now[at] ?? 0;
      const more = value - (before[at] ?? 0);
      if (more === 0) continue;
      before[at] = value;
      found.push([keys[family][at] ?? "", more]);
    }
    return found;
  };
  return {
    take: () => ({
      requests: grown("requests"),
      decisions: grown("decisions"),
      durations: grown("durations"),
      durationSums: grown("durationSums"),
      inflight: grown("inflight"),
    }),
  };
}

export interface CountTotals {
  /** In the order of the table of now. Replaced by `retable`. */
  values(): CountValues;
  add(increments: CountIncrements): void;
  /** From now on the values are of this table. What a series had counted it keeps, also while it is away. */
  retable(table: readonly CutoverRoutes[]): void;
}

export function createCountTotals(first: readonly CutoverRoutes[]): CountTotals {
  let values: CountValues = createCounts(first);
  let keys = countKeys(first);
  let places = placesOf(keys);
  /** Of series that are not in the table. */
  const away: Readonly<Record<CountFamily, Map<string, number>>> = {
    requests: new Map(),
    decisions: new Map(),
    durations: new Map(),
    durationSums: new Map(),
    inflight: new Map(),
  };

  function addOne(family: CountFamily, key: string, amount: number): void {
    const place = places[family].get(key);
    if (place === undefined) away[family].set(key, (away[family].get(key) ?? 0) + amount);
    else values[family][place] = (values[family][place] ?? 0) + amount;
  }

  return {
    values: () => values,
    add(increments) {
      for (const family of countFamilies) {
        for (const [key, amount] of increments[family]) addOne(family, key, amount);
      }
    },
    retable(table) {
      for (const family of countFamilies) {
        for (const [place, key] of keys[family].entries()) {
          const value = values[family][place] ?? 0;
          if (value !== 0) away[family].set(key, value);
        }
      }
      values = createCounts(table);
      keys = countKeys(table);
      places = placesOf(keys);
      for (const family of countFamilies) {
        for (const [key, place] of places[family]) {
          values[family][place] = away[family].get(key) ?? 0;
          away[family].delete(key);
        }
      }
    },
  };
}

function placesOf(keys: Readonly<Record<CountFamily, readonly string[]>>) {
  const of = (family: CountFamily) => new Map(keys[family].map((key, place) => [key, place]));
  return {
    requests: of("requests"),
    decisions: of("decisions"),
    durations: of("durations"),
    durationSums: of("durationSums"),
    inflight: of("inflight"),
  };
}

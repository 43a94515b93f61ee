/**
 * Counting what the requests of a process do: every configuration it still has requests of counts on arrays of its own.
 *
 *   in the process that is scraped   one counting is shown: its arrays are the totals, and the page reads them. What
 *                                    another counting or another process has counted is added to them by name
 *   in a worker                      none is shown, and what all of them have counted is taken by name
 *
 * As long as one process serves the same routes, nothing is ever named.
 */
import type { TrafficRecorder } from "../traffic/traffic.ts";
import { type CutoverRoutes, createCounts, durationBuckets, type MeterRow } from "./counts.ts";
import { createExemplars, type Exemplars } from "./exemplars.ts";
import {
  type CountValues,
  countFamilies,
  createSeriesSum,
  noCounts,
  type SeriesCounts,
  type SeriesNames,
  seriesNames,
} from "./series.ts";

/** The counting of one configuration. */
export interface Counting {
  /**
   * @param cutover and route: absent for requests that no cutover matches
   * @throws Error when the configuration has no such route
   */
  row(cutover?: string, route?: string): MeterRow;
  /** Has the totals stand in the arrays of this counting from now on. */
  show(): ShownCounts;
  /** Nothing counts on it any more; what it has counted stays. May be called again. */
  end(): void;
}

interface ShownCounts {
  /** The cutovers, and `none` at the end for the requests that no cutover matches. */
  readonly table: readonly CutoverRoutes[];
  /** The totals of the table's series, up to date after `gather`. */
  readonly values: CountValues;
}

/** What another process counts, added to the counts here. */
export interface Joined<Figures> {
  /** @param figures what came since the last time */
  add(figures: Figures): void;
  /** The process is gone: what it has counted stays, what it had in flight does not. */
  end(): void;
}

export interface RequestCounts {
  /** Of all countings together. */
  readonly exemplars: Exemplars;
  /**
   * Counts for a configuration, beside those before it.
   *
   * @param fixed names of routes of no cutover
   * @throws Error when a name stands twice among the cutovers or one's routes, or a cutover is called `none`
   */
  count(cutovers: readonly CutoverRoutes[], fixed?: readonly string[]): Counting;
  /** Has the counts of another process added to the ones here. */
  join(): Joined<SeriesCounts>;
  /** Brings what every counting has counted to the one that is shown. */
  gather(): void;
  /**
   * Where no counting is shown: what was counted since the last call. Where one is, what was counted of series that it
   * does not have.
   */
  take(): SeriesCounts;
}

/** @param recorder is told of the requests of configured cutovers as well */
export function createRequestCounts(
  recorder: (cutover: string, route: string) => TrafficRecorder | undefined = () => undefined,
): RequestCounts {
  const counted = new Set<CountedTable>();
  const exemplars = createExemplars(durationBuckets);
  /** What has no place in the counting that is shown keeps its count here, for when it has one. */
  const placeless = createSeriesSum();
  let shown: CountedTable | undefined;

  function place(counts: SeriesCounts): void {
    placeless.add(shown === undefined ? counts : shown.add(counts));
  }

  function move(table: CountedTable): void {
    if (table !== shown && shown?.absorb(table) !== true) place(table.take());
  }

  function gather(): void {
    for (const table of counted) move(table);
  }

  return {
    exemplars,
    count(cutovers, fixed = []) {
      const own = createCountedTable(
        [...cutovers, { name: "none", routes: ["none", ...fixed] }],
        recorder,
        exemplars,
      );
      counted.add(own);
      return {
        row: own.row,
        show() {
          const before = shown;
          shown = own;
          if (before !== undefined) move(before);
          place(placeless.take());
          return own;
        },
        end() {
          counted.delete(own);
          move(own);
        },
      };
    },
    join() {
      const inflight = createSeriesSum();
      return {
        add(counts) {
          place(counts);
          inflight.add({ ...noCounts(), inflight: counts.inflight });
        },
        end() {
          const left = inflight.take().inflight.map(([name, count]): [string, number] => [name, -count]);
          place({ ...noCounts(), inflight: left });
        },
      };
    },
    gather,
    take() {
      gather();
      return placeless.take();
    },
  };
}

interface CountedTable extends ShownCounts, Pick<Counting, "row"> {
  /** Takes what stands in the arrays of another that has the same series. @returns whether it has */
  absorb(other: ShownCounts): boolean;
  /** @returns what stands in the arrays, which are at 0 afterwards */
  take(): SeriesCounts;
  /** @returns what has no place here */
  add(counts: SeriesCounts): SeriesCounts;
}

function createCountedTable(
  table: readonly CutoverRoutes[],
  recorder: (cutover: string, route: string) => TrafficRecorder | undefined,
  exemplars: Exemplars,
): CountedTable {
  const { row: rowAt, ...values } = createCounts(table);
  const positions = positionsOf(table);
  const names = onDemand(() => seriesNames(table));
  const places = onDemand(() => placesOf(names()));

  return {
    table,
    values,
    row(cutover = "none", route = "none") {
      const position = positions.get(cutover);
      if (position === undefined) throw new Error(`the cutover ${cutover} is not configured`);
      const routeIndex = position.routes.get(route);
      if (routeIndex === undefined) throw new Error(`the cutover ${cutover} has no route ${route}`);
      return rowAt(position.index, routeIndex, {
        traffic: cutover === "none" ? undefined : recorder(cutover, route),
        exemplars: exemplars.of(cutover),
      });
    },
    absorb(other) {
      if (!isSameTable(table, other.table)) return false;
      for (const family of countFamilies) {
        const [to, from] = [values[family], other.values[family]];
        for (let place = 0; place < to.length; place++) to[place] = (to[place] ?? 0) + (from[place] ?? 0);
        from.fill(0);
      }
      return true;
    },
    take() {
      const taken = noCounts();
      for (const family of countFamilies) {
        const counts = values[family];
        for (let place = 0; place < counts.length; place++) {
          const amount = counts[place] ?? 0;
          if (amount !== 0) taken[family].push([names()[family][place] ?? "", amount]);
        }
        counts.fill(0);
      }
      return taken;
    },
    add(counts) {
      const elsewhere = noCounts();
      for (const family of countFamilies) {
        for (const [name, amount] of counts[family]) {
          const place = places()[family].get(name);
          if (place === undefined) elsewhere[family].push([name, amount]);
          else values[family][place] = (values[family][place] ?? 0) + amount;
        }
      }
      return elsewhere;
    },
  };
}

function isSameTable(one: readonly CutoverRoutes[], other: readonly CutoverRoutes[]): boolean {
  const isSame = (a: readonly string[], b: readonly string[]) =>
    a.length === b.length && a.every((text, index) => text === b[index]);
  // What of them is shown makes no difference to where it stands.
  return (
    one.length === other.length &&
    one.every(({ name, routes }, at) => name === other[at]?.name && isSame(routes, other[at].routes))
  );
}

/** Makes it the first time it is asked for: where nothing is added by name, names are never made. */
function onDemand<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function placesOf(names: SeriesNames) {
  const of = (list: readonly string[]) => new Map(list.map((name, place) => [name, place]));
  return {
    requests: of(names.requests),
    decisions: of(names.decisions),
    responses: of(names.responses),
    durations: of(names.durations),
    durationSums: of(names.durationSums),
    routeDurations: of(names.routeDurations),
    routeDurationSums: of(names.routeDurationSums),
    journeys: of(names.journeys),
    overheads: of(names.overheads),
    overheadSums: of(names.overheadSums),
    inflight: of(names.inflight),
  };
}

interface Position {
  readonly index: number;
  /** Index of each route among the routes of all cutovers. */
  readonly routes: ReadonlyMap<string, number>;
}

function positionsOf(table: readonly CutoverRoutes[]): ReadonlyMap<string, Position> {
  const positions = new Map<string, Position>();
  let nextRoute = 0;
  for (const [index, { name, routes }] of table.entries()) {
    if (positions.has(name)) throw new Error(`the cutover name ${name} is taken`);
    const byName = new Map<string, number>();
    for (const route of routes) {
      if (byName.has(route)) throw new Error(`the route name ${route} stands twice in the cutover ${name}`);
      byName.set(route, nextRoute++);
    }
    positions.set(name, { index, routes: byName });
  }
  return positions;
}

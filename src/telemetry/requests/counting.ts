/** Counts what the routes of one configuration do. A process has one for each configuration it still has requests of. */

import type { TrafficRecorder } from "../traffic/traffic.ts";
import { type CutoverRoutes, createCounts } from "./counts.ts";
import type { Meter, MeterRow } from "./meter.ts";
import { type CountIncrements, createCountTaker } from "./series.ts";

export interface Tally {
  readonly meter: Meter;
  /** What was counted since the last call. */
  take(): CountIncrements;
}

export interface TallyOptions {
  readonly cutovers: readonly CutoverRoutes[];
  /** Is told of the requests of configured cutovers as well. */
  readonly recorder?: (cutover: string) => TrafficRecorder | undefined;
}

/** The cutovers, and `none` for the requests that no cutover matches. */
export function withNone(cutovers: readonly CutoverRoutes[]): readonly CutoverRoutes[] {
  return [...cutovers, { name: "none", routes: ["none"] }];
}

/** @throws Error when a name stands twice among the cutovers or one's routes, or a cutover is called `none` */
export function createTally({ cutovers, recorder = () => undefined }: TallyOptions): Tally {
  const table = withNone(cutovers);
  const positions = positionsOf(table);
  const counts = createCounts(table);
  const taker = createCountTaker(table, counts);

  function row(cutover = "none", route = "none"): MeterRow {
    const position = positions.get(cutover);
    if (position === undefined) throw new Error(`the cutover ${cutover} is not configured`);
    const routeIndex = position.routes.get(route);
    if (routeIndex === undefined) throw new Error(`the cutover ${cutover} has no route ${route}`);
    return counts.row(position.index, routeIndex, cutover === "none" ? undefined : recorder(cutover));
  }

  return { meter: { row }, take: taker.take };
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

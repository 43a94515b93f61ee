/**
 * Every metric of the proxy, in Prometheus' text format. The request path counts on typed arrays (counts.ts);
 * nothing is put into words before a scrape (count-families.ts). The only labels are names of the configuration
 * and words of fixed lists: never a path, a shopper or an order.
 *
 * The share that is SET is `cutover_percent`. The share that HAPPENS needs no metric of its own:
 *
 *   of all requests, by the side that served them (a fallback is a second decision, and takes back the first):
 *     (sum by (cutover) (rate(cutover_decisions_total{side="new"}[5m]))
 *       - sum by (cutover) (rate(cutover_decisions_total{reason="fallback"}[5m])))
 *       / sum by (cutover) (rate(cutover_decisions_total{reason!="fallback"}[5m]))
 *   of the decisions the percent alone made, to be held against cutover_percent / 100:
 *     sum by (cutover) (rate(cutover_decisions_total{side="new",reason="bucket"}[5m]))
 *       / sum by (cutover) (rate(cutover_decisions_total{reason="bucket"}[5m]))
 *   why requests go where they go:
 *     sum by (cutover, side, reason) (rate(cutover_decisions_total[5m]))
 */
import { setImmediate } from "node:timers/promises";
import { Registry } from "prom-client";
import { type CutoverState, initialState, stateNames } from "../state/model.ts";
import { percentToNumber } from "../state/percent.ts";
import { createCountFamilies } from "./count-families.ts";
import { type CutoverRoutes, createCounts } from "./counts.ts";
import { contentType, type Family, familyText, labelPairs, sampleValue } from "./exposition.ts";
import type { Meter, MeterRow } from "./meter.ts";
import type { Traffic } from "./traffic.ts";

/** What can roll a cutover back; `out_of_band`: a hand on the store, past the API. */
export const rollbackTriggers = ["operator", "out_of_band"] as const;
export type RollbackTrigger = (typeof rollbackTriggers)[number];

export interface Metrics {
  readonly meter: Meter;
  /** The state the instance decides by from now on: percent, state and version. */
  setState(cutover: string, state: CutoverState): void;
  /** The instance has put a rollback in force. */
  rollback(cutover: string, trigger: RollbackTrigger): void;
  /** What stands in the store for the cutover was not accepted. */
  rejected(cutover: string): void;
  /** For the metrics of the process (process-metrics.ts) and small ones of other rooms; rendered last. */
  readonly registry: Registry;
  /** The page of a scrape. The event loop turns between two families. */
  render(): Promise<string>;
  readonly contentType: string;
}

export interface MetricsOptions {
  readonly cutovers: readonly CutoverRoutes[];
  /** Of the package. */
  readonly version: string;
  /** `Following.contact`; asked at a scrape. */
  readonly contact: () => { readonly up: boolean; readonly stalenessMs: number };
  /** `Lines.dropped`; asked at a scrape. */
  readonly logLinesDropped?: () => number;
  /** Is told of the requests of configured cutovers as well. */
  readonly traffic?: Traffic;
}

/** @throws Error when a name stands twice among the cutovers or one's routes, or a cutover is called `none` */
export function createMetrics(options: MetricsOptions): Metrics {
  const { cutovers, traffic } = options;
  const table = [...cutovers, { name: "none", routes: ["none"] }];
  const positions = positionsOf(table);
  const counts = createCounts(table);
  const states = cutovers.map(initialState);
  const rollbacks = new Float64Array(cutovers.length * rollbackTriggers.length);
  const rejections = new Float64Array(cutovers.length);
  const registry = new Registry();
  const families = [
    ...createCountFamilies(table, counts),
    ...stateFamilies(cutovers, states, rollbacks, rejections),
    ...instanceFamilies(options),
  ];

  function positionOf(cutover: string): Position {
    const position = positions.get(cutover);
    if (position === undefined) throw new Error(`the cutover ${cutover} is not configured`);
    return position;
  }

  function stateIndexOf(cutover: string): number {
    const { index } = positionOf(cutover);
    if (index === cutovers.length) throw new Error("requests of no cutover have no state");
    return index;
  }

  function row(cutover = "none", route = "none"): MeterRow {
    const { index, routes } = positionOf(cutover);
    const routeIndex = routes.get(route);
    if (routeIndex === undefined) throw new Error(`the cutover ${cutover} has no route ${route}`);
    return counts.row(index, routeIndex, cutover === "none" ? undefined : traffic?.recorder(cutover));
  }

  return {
    meter: { row },
    setState(cutover, state) {
      states[stateIndexOf(cutover)] = state;
    },
    rollback(cutover, trigger) {
      add(rollbacks, stateIndexOf(cutover) * rollbackTriggers.length + rollbackTriggers.indexOf(trigger));
    },
    rejected(cutover) {
      add(rejections, stateIndexOf(cutover));
    },
    registry,
    async render() {
      let page = "";
      for (const family of families) {
        page += `${familyText(family)}\n`;
        await setImmediate();
      }
      return page + (await registry.metrics());
    },
    contentType,
  };
}

function stateFamilies(
  cutovers: readonly CutoverRoutes[],
  states: readonly CutoverState[],
  rollbacks: Float64Array,
  rejections: Float64Array,
): readonly Family[] {
  const labels = cutovers.map(({ name }) => labelPairs({ cutover: name }));
  const perCutover = (name: string, read: (state: CutoverState, index: number) => number) => () =>
    states.map((state, index) => `${name}{${labels[index]}} ${read(state, index)}`);
  return [
    {
      name: "cutover_percent",
      type: "gauge",
      help: "Percent (0-100) this instance decides by: the share of shoppers whose new journeys start on the new side.",
      samples: perCutover("cutover_percent", (state) => percentToNumber(state.percentThousandths)),
    },
    {
      name: "cutover_state",
      type: "gauge",
      help: "1 for the state this instance decides by, 0 for the others.",
      samples: () =>
        states.flatMap(({ state }, index) =>
          stateNames.map(
            (name) => `cutover_state{${labels[index]},state="${name}"} ${name === state ? 1 : 0}`,
          ),
        ),
    },
    {
      name: "cutover_state_version",
      type: "gauge",
      help: "State version this instance decides by.",
      samples: perCutover("cutover_state_version", (state) => state.version),
    },
    {
      name: "cutover_rollbacks_total",
      type: "counter",
      help: "Rollbacks this instance has put in force, by what triggered them. Every instance counts the same rollback, so the fleet's figure is the max over instances, not the sum.",
      samples: () =>
        labels.flatMap((label, index) =>
          rollbackTriggers.map((trigger, place) => {
            const value = rollbacks[index * rollbackTriggers.length + place] ?? 0;
            return `cutover_rollbacks_total{${label},trigger="${trigger}"} ${value}`;
          }),
        ),
    },
    {
      name: "cutover_state_rejected_total",
      type: "counter",
      help: "Contents of the store this instance has refused to follow, each distinct content counted once.",
      samples: perCutover("cutover_state_rejected_total", (_, index) => rejections[index] ?? 0),
    },
  ];
}

function instanceFamilies({ contact, version, logLinesDropped }: MetricsOptions): readonly Family[] {
  const single = (type: "gauge" | "counter", name: string, help: string, read: () => number): Family => ({
    name,
    type,
    help,
    samples: () => [`${name} ${sampleValue(read())}`],
  });
  const families: Family[] = [
    single("gauge", "cutover_store_up", "1 if the store answered the last call, else 0.", () =>
      contact().up ? 1 : 0,
    ),
    single(
      "gauge",
      "cutover_store_staleness_seconds",
      "Time since the store last answered a call.",
      () => contact().stalenessMs / 1000,
    ),
    {
      name: "cutover_build_info",
      type: "gauge",
      help: "Always 1; the label is the version of the running program.",
      samples: () => [`cutover_build_info{${labelPairs({ version })}} 1`],
    },
  ];
  if (logLinesDropped !== undefined) {
    families.push(
      single(
        "counter",
        "cutover_log_lines_dropped_total",
        "Log lines lost because standard output was closed, failed, or was not read fast enough.",
        logLinesDropped,
      ),
    );
  }
  return families;
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

function add(counts: Float64Array, index: number): void {
  counts[index] = (counts[index] ?? 0) + 1;
}

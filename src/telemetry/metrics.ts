/**
 * Every metric of the proxy, in Prometheus' text format. The request path counts on typed arrays (counts.ts);
 * nothing is put into words before a scrape (page.ts). The only labels are names of the configuration
 * and words of fixed lists: never a path, a shopper or an order.
 *
 * The share that is SET is `cutover_percent`. The share that HAPPENS needs no metric of its own:
 *
 *   of all requests, by the side that served them (a fallback is a second decision, and takes back the first):
 *     (sum by (cutover) (rate(cutover_decisions_total{side="new"}[5m]))
 *       - sum by (cutover) (rate(cutover_decisions_total{reason="fallback"}[5m])))
 *       / sum by (cutover) (rate(cutover_decisions_total{reason!="fallback"}[5m]))
 *   of the decisions the percent alone made, to be compared with cutover_percent / 100:
 *     sum by (cutover) (rate(cutover_decisions_total{side="new",reason="bucket"}[5m]))
 *       / sum by (cutover) (rate(cutover_decisions_total{reason="bucket"}[5m]))
 *   why requests go where they go:
 *     sum by (cutover, side, reason) (rate(cutover_decisions_total[5m]))
 */
import { Registry } from "prom-client";
import type { Contact, Snapshot } from "../state/follow/snapshot.ts";
import { byGuard, byHand } from "../state/rules/history.ts";
import type { CutoverState } from "../state/rules/model.ts";
import {
  type Family,
  type Format,
  formatFor,
  formats,
  labelPairs,
  renderPage,
  sampleValue,
} from "./exposition.ts";
import { type Counting, createRequestCounts, type Joined } from "./requests/counting.ts";
import type { CutoverRoutes } from "./requests/counts.ts";
import type { Exemplars } from "./requests/exemplars.ts";
import { createCountFamilies, oldestFamily } from "./requests/page.ts";
import type { SeriesCounts } from "./requests/series.ts";
import { createStandings, type RollbackTrigger, stateFamilies } from "./standings.ts";
import type { Traffic } from "./traffic/traffic.ts";

export interface Metrics {
  /** Counts for the cutovers that the metrics were made with; shown until another is. */
  readonly counting: Counting;
  /** Counts for another configuration, beside those before it. */
  count(cutovers: readonly CutoverRoutes[], fixed?: readonly string[]): Counting;
  /**
   * Has the page show the series of a counting from now on. What was counted stays: a series that goes keeps its count
   * for when it comes back.
   */
  show(counting: Counting): void;
  /** Of requests: those of other processes are added to them. */
  readonly exemplars: Exemplars;
  /** Has the request counts of another process added to the ones here. */
  join(): Joined<SeriesCounts>;
  /** The state the instance decides by from now on: percent, state and version. */
  setState(cutover: string, state: CutoverState): void;
  /** The instance has put a rollback in force. */
  rollback(cutover: string, trigger: RollbackTrigger): void;
  /** What stands in the store for the cutover was not accepted. */
  rejected(cutover: string): void;
  /** The store had lost a change that was accepted. */
  regressed(cutover: string): void;
  /** For the metrics of the process (process-metrics.ts) and small ones of other rooms; rendered last. */
  readonly registry: Registry;
  /** The page of a scrape, in parts, in the text format unless another is asked for. The event loop turns now and then. */
  render(format?: Format): Promise<readonly string[]>;
  /** The same in the format that the field Accept of a request asks for. */
  page(
    accept: string | undefined,
  ): Promise<{ readonly contentType: string; readonly parts: readonly string[] }>;
}

interface MetricsOptions {
  readonly cutovers: readonly CutoverRoutes[];
  /** Names of routes of no cutover. */
  readonly fixed?: readonly string[];
  /** The package's. */
  readonly version: string;
  /** `Following.contact`; asked at a scrape. */
  readonly contact: () => Contact;
  /** `LogFile.dropped`; asked at a scrape. */
  readonly logLinesDropped?: () => number;
  /** Is told of the requests of configured cutovers as well. */
  readonly traffic?: Traffic;
}

/** @throws Error when a name stands twice among the cutovers or one's routes, or a cutover is called `none` */
export function createMetrics(options: MetricsOptions): Metrics {
  const { traffic } = options;
  const requests = createRequestCounts((cutover, route) => traffic?.recorder(cutover, route));
  const standings = createStandings();
  const registry = new Registry();
  let families: readonly Family[] = [];

  function count(cutovers: readonly CutoverRoutes[], fixed: readonly string[] = []): Counting {
    const counting = requests.count(cutovers, fixed);
    for (const { name } of cutovers) standings.add(name);
    return counting;
  }

  function show(counting: Counting): void {
    const { table, values } = counting.show();
    const shown = table.slice(0, -1).map(({ name }) => ({ name, standing: standings.of(name) }));
    families = [
      ...createCountFamilies(table, values, requests.exemplars),
      ...(traffic === undefined
        ? []
        : [
            oldestFamily(
              shown.map(({ name }) => name),
              traffic.flight,
            ),
          ]),
      ...stateFamilies(shown),
      ...instanceFamilies(options),
    ];
  }

  async function render(format: Format = "text"): Promise<readonly string[]> {
    requests.gather();
    return renderPage(families, registry, format);
  }

  const counting = count(options.cutovers, options.fixed);
  show(counting);
  return {
    counting,
    count,
    show,
    join: requests.join,
    setState(cutover, state) {
      standings.of(cutover).state = state;
    },
    rollback(cutover, trigger) {
      standings.of(cutover).rollbacks[trigger] += 1;
    },
    rejected(cutover) {
      standings.of(cutover).rejections += 1;
    },
    regressed(cutover) {
      standings.of(cutover).regressions += 1;
    },
    registry,
    exemplars: requests.exemplars,
    render,
    async page(accept) {
      const format = formatFor(accept);
      return { contentType: formats[format], parts: await render(format) };
    },
  };
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
    single("gauge", "cutover_store_writable", "1 if the store takes what is written, else 0.", () => {
      const { up, word } = contact();
      return up && word === undefined ? 1 : 0;
    }),
    {
      name: "cutover_store_refusal",
      type: "gauge",
      help: "1 while the store answers and refuses; the label is its own word. Absent while it does not.",
      samples() {
        const { word } = contact();
        return word === undefined ? [] : [`cutover_store_refusal{${labelPairs({ word })}} 1`];
      },
    },
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

/**
 * Tells a rollback from other changes of state: the cutover has come to `rolled_back`, or was rolled back hard once
 * more (its pin epoch rose there). The follower sees states, not commands, so this is where it is known.
 *
 * @returns a listener for `Following.onSwap`
 */
export function watchRollbacks(metrics: Pick<Metrics, "rollback">) {
  return (snapshot: Snapshot, previous: Snapshot): void => {
    for (const [name, state] of snapshot.states) {
      const before = previous.states.get(name);
      if (state.state !== "rolled_back" || before === undefined) continue;
      if (before.state === "rolled_back" && before.pinEpoch === state.pinEpoch) continue;
      metrics.rollback(name, snapshot.local?.has(name) === true ? "local" : triggerOf(state.updatedBy));
    }
  };
}

function triggerOf(by: string): RollbackTrigger {
  return by === byHand ? "out_of_band" : by === byGuard ? "guard" : "operator";
}

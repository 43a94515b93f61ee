/**
 * What a cutover's own metrics say, as the instance that leads asks for it: each metric by itself, as often as it has points,
 * and never twice at once. It is asked in passing: who looks has at once what was found last.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { CutoverState } from "../../state/rules/model.ts";
import type { MetricFinding } from "../verdict/metrics.ts";
import { askPrometheus } from "./prometheus.ts";
import { findingOf, type MetricRule, queryOf, type Reply, stepOf } from "./rule.ts";

interface ReaderOptions {
  /** The cutover's. */
  readonly name: string;
  readonly metrics: readonly MetricRule[];
  /** Of the Prometheus; `undefined`: none is configured just now. */
  readonly url: () => string | undefined;
  readonly clock: Pick<Clock, "monotonic">;
  /** The store's clock, since the epoch. */
  readonly storeMs: () => number;
  readonly log: Log;
  /** What has become of a metric, each time that it is another. */
  readonly onFound: (findings: readonly MetricFinding[]) => void;
  readonly ask?: typeof askPrometheus;
}

export interface MetricsReader {
  /** While this instance leads and new has a share: asks for what is due, and tells what was found last. */
  look(state: CutoverState): readonly MetricFinding[];
  /** It does not lead, or new has no share: what was found counts no more. */
  rest(): void;
}

/** Of a time in which new had a share without a break. */
interface Stretch {
  readonly sinceMs: number;
  readonly state: CutoverState;
  readonly found: Map<string, MetricFinding>;
  readonly askedMs: Map<string, number>;
  readonly asking: Map<string, AbortController>;
}

export function createMetricsReader(options: ReaderOptions): MetricsReader {
  const { metrics, clock, log, onFound } = options;
  let stretch: Stretch | undefined;

  function rest(): void {
    if (stretch === undefined) return;
    for (const asking of stretch.asking.values()) asking.abort();
    stretch = undefined;
    onFound([]);
  }

  function follow(state: CutoverState): Stretch {
    const isResumed = stretch !== undefined && stretch.state.state !== "open" && state.state === "open";
    if (isResumed) rest();
    // Who has just taken over knows no more than when it was changed last.
    const stoodMs = stretch === undefined && !isResumed ? stoodBefore(state, options.storeMs()) : 0;
    stretch =
      stretch === undefined ? begun(state, clock.monotonic() - stoodMs) : Object.assign(stretch, { state });
    return stretch;
  }

  async function ask(now: Stretch, metric: MetricRule): Promise<void> {
    const stoodMs = clock.monotonic() - now.sinceMs;
    const ending = new AbortController();
    now.askedMs.set(metric.name, clock.monotonic());
    now.asking.set(metric.name, ending);
    const [onNew, legacy] = await Promise.all([
      reply(options, metric, "new", ending.signal),
      metric.than === "legacy" ? reply(options, metric, "legacy", ending.signal) : undefined,
    ]);
    if (now !== stretch) return;
    const finding = findingOf(metric, onNew, legacy, stoodMs);
    const before = now.found.get(metric.name)?.state;
    now.found.set(metric.name, finding);
    if (before === finding.state) return;
    const { state, sentence } = finding;
    log[state === "fine" ? "info" : "warn"]({ cutover: options.name, metric: metric.name, state }, sentence);
    onFound([...now.found.values()]);
  }

  return {
    look(state) {
      const now = follow(state);
      for (const metric of metrics) {
        const { name } = metric;
        const sinceMs = clock.monotonic() - (now.askedMs.get(name) ?? Number.NEGATIVE_INFINITY);
        if (now.asking.has(name) || sinceMs < stepOf(metric)) continue;
        void ask(now, metric).finally(() => now.asking.delete(name));
      }
      return metrics.map((metric) => now.found.get(metric.name) ?? notYet(metric));
    },
    rest,
  };
}

function begun(state: CutoverState, sinceMs: number): Stretch {
  return { state, sinceMs, found: new Map(), askedMs: new Map(), asking: new Map() };
}

function stoodBefore({ updatedAt }: CutoverState, storeMs: number): number {
  const stoodMs = storeMs - Date.parse(updatedAt);
  return stoodMs > 0 ? stoodMs : 0;
}

async function reply(
  { url, ask = askPrometheus }: ReaderOptions,
  metric: MetricRule,
  side: "legacy" | "new",
  signal: AbortSignal,
): Promise<Reply> {
  const asked = url();
  if (asked === undefined) return { kind: "nothing", why: "no Prometheus is configured" };
  return ask({ url: asked, query: queryOf(metric, side), signal });
}

function notYet({ name, action }: MetricRule): MetricFinding {
  return { name, action, state: "no data", sentence: `${name}: no data (not asked yet)` };
}

/**
 * What a Prometheus is asked for of one cutover's past, and what is taken from its answer. PURE.
 *
 * One query, always the same but for the cutover's name and the length of a step: its parts are told apart by the label
 * `of`. The parts are what the instances keep themselves (telemetry/series), by the same words as the shipped rules.
 */
import type { Side } from "../../state/rules/model.ts";
import type { SeriesPoint, SidePoint } from "../series/ring.ts";

const sidesOf = 'side=~"legacy|new"';
const counted = 'outcome!~"client_aborted|rejected"';
const failed = 'outcome!~"ok|client_aborted|rejected"';
const quantiles = { p50: 0.5, p95: 0.95, p99: 0.99 } as const;

/** @param cutover its name, as it is configured */
export function olderQuery(cutover: string, stepSeconds: number): string {
  const of = `cutover=${JSON.stringify(cutover)},${sidesOf}`;
  const span = `[${stepSeconds}s]`;
  const increase = (outcomes: string) =>
    `sum by (side) (increase(cutover_requests_total{${of},${outcomes}}${span}))`;
  const latencies = `sum by (side, le) (rate(cutover_request_duration_seconds_bucket{${of}}${span}))`;
  const parts: Readonly<Record<string, string>> = {
    requests: increase(counted),
    errors: increase(failed),
    ...Object.fromEntries(
      Object.entries(quantiles).map(([name, q]) => [name, `histogram_quantile(${q}, ${latencies})`]),
    ),
    inFlight: `sum by (side) (cutover_inflight_requests{${of}})`,
    instances: `count(sum by (instance) (cutover_inflight_requests{${of}}))`,
  };
  return Object.entries(parts)
    .map(([name, part]) => `label_replace(${part}, "of", "${name}", "", "")`)
    .join(" or ");
}

/** A span of steps; moments in whole steps, s since the epoch. */
export interface OlderSpan {
  readonly fromSeconds: number;
  readonly untilSeconds: number;
  readonly stepSeconds: number;
}

type Fields = { -readonly [Field in keyof SidePoint]: SidePoint[Field] };

interface Step {
  instances: number;
  readonly legacy: Fields;
  readonly new: Fields;
}

const fields: ReadonlySet<string> = new Set<keyof SidePoint>([
  ...(["requests", "errors", "p50", "p95", "p99", "inFlight"] as const),
]);

/**
 * @param read the JSON of an answer, whatever it is
 * @returns oldest first, no more than the span has steps; of what is no sound number nothing is taken. `undefined`: it is no
 *   answer to a range query
 */
export function olderPoints(read: unknown, span: OlderSpan): SeriesPoint[] | undefined {
  const series = seriesIn(read);
  if (series === undefined) return undefined;
  const steps = new Map<number, Step>();
  for (const { metric, values } of series) {
    const { of, side } = metric;
    for (const [at, text] of values) {
      const value = numberOf(text);
      if (typeof at !== "number" || !isStepOf(at, span) || !isSound(value)) continue;
      if (of !== "instances" && !(isSide(side) && isField(of))) continue;
      const step = steps.get(at) ?? noStep();
      steps.set(at, step);
      if (of === "instances") step.instances = Math.round(value);
      else if (isSide(side) && isField(of)) step[side][of] = of.startsWith("p") ? value : Math.round(value);
    }
  }
  return [...steps]
    .sort(([one], [other]) => one - other)
    .map(([at, step]) => pointOf((at - span.stepSeconds) * 1000, step));
}

interface Series {
  readonly metric: Readonly<Record<string, unknown>>;
  readonly values: readonly (readonly unknown[])[];
}

/** By hand: of tens of thousands of numbers a schema would hold up the proxy for longer than their reading does. */
function seriesIn(read: unknown): Series[] | undefined {
  if (!isRecord(read) || read.status !== "success" || !isRecord(read.data)) return undefined;
  const { resultType, result } = read.data;
  if (resultType !== "matrix" || !Array.isArray(result)) return undefined;
  const found: Series[] = [];
  for (const each of result) {
    if (!isRecord(each) || !isRecord(each.metric) || !Array.isArray(each.values)) return undefined;
    found.push({ metric: each.metric, values: each.values.filter((value) => Array.isArray(value)) });
  }
  return found;
}

function numberOf(text: unknown): number {
  return typeof text === "string" && text.trim() !== "" ? Number(text) : Number.NaN;
}

/** When the step ended: a moment that was not asked for is none of it. */
function isStepOf(at: number, { fromSeconds, untilSeconds, stepSeconds }: OlderSpan): boolean {
  return at > fromSeconds && at <= untilSeconds && (at - fromSeconds) % stepSeconds === 0;
}

/** No count and no time is below 0, and nothing that is real is as high. */
function isSound(value: number): boolean {
  return value >= 0 && value < 1e12;
}

function isRecord(given: unknown): given is Readonly<Record<string, unknown>> {
  return typeof given === "object" && given !== null && !Array.isArray(given);
}

function isSide(given: unknown): given is Side {
  return given === "legacy" || given === "new";
}

function isField(given: unknown): given is keyof SidePoint {
  return typeof given === "string" && fields.has(given);
}

function noStep(): Step {
  const none = (): Fields => ({ requests: 0, errors: 0, p50: null, p95: null, p99: null, inFlight: 0 });
  return { instances: 0, legacy: none(), new: none() };
}

/** Two answers of one moment may differ: more errors than requests there cannot be. */
function pointOf(at: number, { instances, legacy, new: onNew }: Step): SeriesPoint {
  const side = (of: Fields): SidePoint => ({ ...of, errors: Math.min(of.errors, of.requests) });
  return { at, instances, legacy: side(legacy), new: side(onNew) };
}

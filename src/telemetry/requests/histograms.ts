/** The histograms of requests (counts.ts) put into words at a scrape. */
import { servedSides } from "../../proxy/witness.ts";
import { exemplarText, type Family, labelPairs } from "../exposition.ts";
import {
  type CutoverRoutes,
  durationBoundsSeconds,
  durationBuckets,
  overheadBoundsSeconds,
  overheadBuckets,
  routeBoundsSeconds,
  routeBuckets,
} from "./counts.ts";
import { type Exemplar, type Exemplars, traceIdOf } from "./exemplars.ts";
import type { CountValues } from "./series.ts";

export type FromTheStart = (cutover: number, side: number) => boolean;

export function histogramFamilies(
  table: readonly CutoverRoutes[],
  counts: CountValues,
  fromTheStart: FromTheStart,
  exemplars: Exemplars,
): readonly Family[] {
  return [
    durationsFamily(table, counts, fromTheStart, exemplars),
    routeDurationsFamily(table, counts, fromTheStart),
    overheadFamily(table.slice(0, -1), counts),
  ];
}

function durationsFamily(
  table: readonly CutoverRoutes[],
  { durations, durationSums }: CountValues,
  fromTheStart: FromTheStart,
  exemplars: Exemplars,
): Family {
  const name = "cutover_request_duration_seconds";
  const rows = table.flatMap((cutover, index) => {
    const own = exemplars.of(cutover.name);
    return servedSides.map((side, at) => ({
      labels: labelPairs({ cutover: cutover.name, side }),
      shown: fromTheStart(index, at),
      example: (bucket: number) => exampleText(own.of(side, bucket)),
    }));
  });
  const ends = endsOf(durationBoundsSeconds);
  return {
    name,
    type: "histogram",
    help: "Time from arrival, or from falling back, to the outcome, of every request counted in cutover_requests_total.",
    *samples(format) {
      for (const [place, { labels, shown, example }] of rows.entries()) {
        const first = place * durationBuckets;
        const buckets = durations.subarray(first, first + durationBuckets);
        if (!shown && buckets.every((count) => count === 0)) continue;
        const after = format === "openMetrics" ? example : undefined;
        yield* histogramLines(name, labels, ends, buckets, durationSums[place] ?? 0, after);
      }
    },
  };
}

function exampleText(one: Exemplar | undefined): string {
  return one === undefined ? "" : exemplarText(traceIdOf(one.traceparent), one.seconds, one.atMs);
}

function routeDurationsFamily(
  table: readonly CutoverRoutes[],
  { routeDurations, routeDurationSums }: CountValues,
  fromTheStart: FromTheStart,
): Family {
  const name = "cutover_route_duration_seconds";
  const ends = endsOf(routeBoundsSeconds);
  const rows = table.flatMap((cutover, index) =>
    cutover.routes.flatMap((route) =>
      servedSides.map((side, at) => ({
        labels: labelPairs({ cutover: cutover.name, route, side }),
        shown: fromTheStart(index, at),
      })),
    ),
  );
  return {
    name,
    type: "histogram",
    help: "The same as cutover_request_duration_seconds by route, in fewer buckets.",
    *samples() {
      for (const [place, { labels, shown }] of rows.entries()) {
        const first = place * routeBuckets;
        const buckets = routeDurations.subarray(first, first + routeBuckets);
        if (!shown && buckets.every((count) => count === 0)) continue;
        yield* histogramLines(name, labels, ends, buckets, routeDurationSums[place] ?? 0);
      }
    },
  };
}

function overheadFamily(
  cutovers: readonly CutoverRoutes[],
  { overheads, overheadSums }: CountValues,
): Family {
  const name = "cutover_overhead_seconds";
  const ends = endsOf(overheadBoundsSeconds);
  const labels = cutovers.map((cutover) => labelPairs({ cutover: cutover.name }));
  return {
    name,
    type: "histogram",
    help: "Time that requests spend in the proxy itself, what it waits for its store included: from arrival, the end of a body that is read first, or falling back, until the side is decided; and while an order is recorded before its answer goes on.",
    *samples() {
      for (const [index, own] of labels.entries()) {
        const buckets = overheads.subarray(index * overheadBuckets, (index + 1) * overheadBuckets);
        yield* histogramLines(name, own, ends, buckets, overheadSums[index] ?? 0);
      }
    },
  };
}

function endsOf(bounds: readonly number[]): readonly string[] {
  return [...bounds, "+Inf"].map((bound) => `${labelPairs({ le: `${bound}` })}} `);
}

/** @param example what is said of one of a bucket's, after its value */
function* histogramLines(
  name: string,
  labels: string,
  ends: readonly string[],
  buckets: Float64Array,
  seconds: number,
  example: (bucket: number) => string = () => "",
): Generator<string> {
  const start = `${name}_bucket{${labels},`;
  let total = 0;
  for (const [bucket, end] of ends.entries()) {
    total += buckets[bucket] ?? 0;
    yield start + end + total + example(bucket);
  }
  yield `${name}_sum{${labels}} ${seconds}`;
  yield `${name}_count{${labels}} ${total}`;
}

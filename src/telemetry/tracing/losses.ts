/**
 * Spans that are lost: counted, and told in the log, once a minute at most, with why.
 *
 * The SDK drops what it has no room for without a word, so it is given no more than it has room for.
 */
import { DiagLogLevel, diag } from "@opentelemetry/api";
import type { ReadableSpan, SpanExporter, SpanProcessor } from "@opentelemetry/sdk-trace";
import { Counter, type Registry } from "prom-client";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";

export interface LossOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Log;
}

const whys = ["full", "refused"] as const;
type Why = (typeof whys)[number];

const seldomMs = 60_000;
const longestWords = 200;

/** @param most how many spans may wait, those not counted that are being delivered */
export function createLosses({ registry, clock, log }: LossOptions, most: number) {
  const counter = new Counter({
    name: "cutover_spans_lost_total",
    help: "Spans of requests that no collector has: full, too many waited for it; refused, it was away, did not answer in time or did not take them. Only with otlp.",
    labelNames: ["why"],
    registers: [registry],
  });
  // A collector that is slow loses some of each request's: their labels are put together once.
  const counts = { full: counter.labels("full"), refused: counter.labels("refused") };
  for (const why of whys) counts[why].inc(0);
  let waiting = 0;
  let untold = 0;
  const isTime = createSeldom(clock);
  const lose = (spans: number, why: Why, error?: Error) => {
    counts[why].inc(spans);
    untold += spans;
    if (!isTime()) return;
    const told = { spans: untold, why, ...(error === undefined ? {} : { error: wordsOf(error) }) };
    log.warn(told, "the collector did not take traces: they are lost");
    untold = 0;
  };
  return {
    /** Hands on what there is room for. */
    bounded(processor: SpanProcessor): SpanProcessor {
      return {
        onStart: (span, context) => processor.onStart(span, context),
        onEnd(span: ReadableSpan) {
          if (waiting >= most) return lose(1, "full");
          waiting += 1;
          processor.onEnd(span);
        },
        forceFlush: () => processor.forceFlush(),
        shutdown: () => processor.shutdown(),
      };
    },
    /** Hears what becomes of each delivery. */
    heard(exporter: SpanExporter): SpanExporter {
      return {
        export(spans, done) {
          waiting -= spans.length;
          exporter.export(spans, (result) => {
            if (result.code !== 0) lose(spans.length, "refused", result.error);
            done(result);
          });
        },
        forceFlush: async () => exporter.forceFlush?.(),
        shutdown: () => exporter.shutdown(),
      };
    },
  };
}

/** Has the log tell, once a minute at most, what the SDK warns of: a collector that took a part, an answer that is none. */
export function tellWarnings({ clock, log }: Pick<LossOptions, "clock" | "log">): void {
  const isTime = createSeldom(clock);
  const warn = (...said: readonly unknown[]) => {
    if (!isTime()) return;
    const words = said.filter((each) => typeof each === "string").join(" ");
    log.warn({ said: words.slice(0, longestWords) }, "OpenTelemetry warns of the delivery of traces");
  };
  const ignore = () => undefined;
  const logger = { error: ignore, warn, info: ignore, debug: ignore, verbose: ignore };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}

function createSeldom(clock: Clock): () => boolean {
  let toldAt = Number.NEGATIVE_INFINITY;
  return () => {
    if (clock.monotonic() - toldAt < seldomMs) return false;
    toldAt = clock.monotonic();
    return true;
  };
}

/** With the status that the collector answered, where it did. */
function wordsOf(error: Error & { readonly code?: unknown }): string {
  const status = typeof error.code === "number" ? `${error.code} ` : "";
  return `${status}${error.message}`.slice(0, longestWords);
}

/**
 * Spans of requests, delivered to an OpenTelemetry collector by OTLP over HTTP.
 *
 *   server   from a request's arrival to its outcome; its parent is the span that the request names
 *   client   one for each attempt on a side, from the decision to its end; its id is what the side is told
 *
 * Both are made when an attempt is over, of what its record says: a request under way carries nothing but its traceparent.
 * Whether a trace is kept was decided by whoever began it, else here by chance.
 *
 * Nothing waits for the collector: at most 2048 spans do, and what comes beyond is lost (losses.ts).
 */
import { randomBytes } from "node:crypto";
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { AlwaysOnSampler, BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { type Clock, systemTimers, within } from "../../base/clock.ts";
import { countsAsError, type Outcome } from "../../proxy/outcome.ts";
import { isSoundTraceparent } from "../../proxy/request/ids.ts";
import type { ExchangeRecord } from "../../proxy/witness.ts";
import { isSampled, traceIdOf } from "../requests/exemplars.ts";
import { attributesOf, decisionOf, methodOf } from "./attributes.ts";
import { createLosses, type LossOptions, tellWarnings } from "./losses.ts";
import type { Tracing } from "./port.ts";

interface TracingOptions extends LossOptions {
  /** As configured: the collector, the share that is kept of traces that begin here, and fields of each delivery. */
  readonly otlp: {
    readonly url: string;
    readonly sample: number;
    readonly headers: Readonly<Record<string, string>>;
  };
  /** The id of the process. */
  readonly id: string;
}

/** How long spans wait for others to be delivered with. */
const gatheredMs = 1000;
const closeMs = 2000;
const mostWaiting = 2048;

export function openTracing(options: TracingOptions): Tracing {
  const { otlp, clock } = options;
  const { make, close } = openSpans(options);
  /** What is known of exchanges under way: when one was decided, by the monotonic clock, and the id of its server's span. */
  const underWay = new WeakMap<ExchangeRecord, { decidedAt: number; readonly serverId: string }>();
  const isUnmatched = ({ cutover }: ExchangeRecord) => cutover === "none";

  function made(record: ExchangeRecord, outcome: Outcome, from: number, id: string, serverId: string): void {
    make({
      name: methodOf(record),
      kind: SpanKind.CLIENT,
      traceId: traceIdOf(record.traceparent),
      parentId: serverId,
      id,
      from,
      to: record.endedAt,
      attributes: attributesOf(record, outcome),
      hasFailed: countsAsError(outcome),
    });
  }

  return {
    traceparent(inbound) {
      if (inbound === undefined || !isSoundTraceparent(inbound)) {
        const flags = Math.random() < otlp.sample ? "01" : "00";
        return `00-${randomBytes(16).toString("hex")}-${newSpanId()}-${flags}`;
      }
      return isSampled(inbound) ? `00-${traceIdOf(inbound)}-${newSpanId()}${inbound.slice(52)}` : inbound;
    },
    witness: {
      decided(record) {
        if (!isSampled(record.traceparent)) return;
        const known = underWay.get(record);
        if (known === undefined)
          underWay.set(record, { decidedAt: clock.monotonic(), serverId: newSpanId() });
        else known.decidedAt = clock.monotonic();
      },
      fellBack(record, outcome) {
        const known = underWay.get(record);
        // Nothing was sent: nobody was told of this span.
        if (known !== undefined) made(record, outcome, known.decidedAt, newSpanId(), known.serverId);
      },
      settled(record, outcome) {
        const { traceparent, parent, status = 0 } = record;
        if (!isSampled(traceparent)) return;
        const known = underWay.get(record);
        // What is left in it is kept, with all of its exchange, until the next full collection.
        underWay.delete(record);
        const serverId = known?.serverId ?? newSpanId();
        make({
          name: `${methodOf(record)} ${record.cutover}/${record.route}`,
          kind: SpanKind.SERVER,
          traceId: traceIdOf(traceparent),
          parentId: parent !== undefined && isSoundTraceparent(parent) ? spanIdOf(parent) : undefined,
          id: serverId,
          from: record.arrivedAt,
          to: record.endedAt,
          attributes: { ...attributesOf(record, outcome), ...decisionOf(record) },
          hasFailed: status >= 500 || countsAsError(outcome),
        });
        const sentAt =
          known?.decidedAt ?? (isUnmatched(record) && outcome !== "rejected" ? record.attemptAt : undefined);
        if (sentAt !== undefined) made(record, outcome, sentAt, spanIdOf(traceparent), serverId);
      },
    },
    close,
  };
}

interface MadeSpan {
  readonly name: string;
  readonly kind: SpanKind;
  readonly traceId: string;
  /** Absent: it is the first of its trace. */
  readonly parentId: string | undefined;
  readonly id: string;
  /** By the monotonic clock, ms. */
  readonly from: number;
  readonly to: number;
  readonly attributes: ReturnType<typeof attributesOf>;
  readonly hasFailed: boolean;
}

/**
 * How far the wall clock is ahead of the monotonic one. The wall clock tells whole milliseconds: spans of one request that
 * are each placed by it may not lie within each other. So it is asked, and followed only where it was set or has drifted.
 */
function createAhead(clock: Clock): () => number {
  let aheadMs = clock.now() - clock.monotonic();
  return () => {
    const toldMs = clock.now() - clock.monotonic();
    if (Math.abs(toldMs - aheadMs) > 2) aheadMs = toldMs;
    return aheadMs;
  };
}

/** Makes spans of what is over, with the ids that are given. */
function openSpans({ otlp, id, ...options }: TracingOptions) {
  let next = { traceId: "", spanId: "" };
  const url = `${otlp.url.replace(/\/+$/, "")}/v1/traces`;
  const losses = createLosses(options, mostWaiting);
  tellWarnings(options);
  const exporter = losses.heard(new OTLPTraceExporter({ url, headers: { ...otlp.headers } }));
  const batches = new BatchSpanProcessor({
    exporter,
    scheduledDelayMillis: gatheredMs,
    maxQueueSize: mostWaiting,
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "cutover", "service.instance.id": id }),
    // Others do not come here.
    sampler: new AlwaysOnSampler(),
    idGenerator: { generateTraceId: () => next.traceId, generateSpanId: () => next.spanId },
    spanProcessors: [losses.bounded(batches)],
  });
  const tracer = provider.getTracer("cutover");
  const ahead = createAhead(options.clock);

  return {
    make({ name, kind, traceId, parentId, id: spanId, from, to, attributes, hasFailed }: MadeSpan): void {
      const aheadMs = ahead();
      const parent = { traceId, spanId: parentId ?? "", traceFlags: TraceFlags.SAMPLED };
      const context = parentId === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
      next = { traceId, spanId };
      const span = tracer.startSpan(name, { kind, startTime: from + aheadMs, attributes }, context);
      if (hasFailed) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end(to + aheadMs);
    },
    async close() {
      const flushed = provider.forceFlush({ timeoutMillis: closeMs }).then(() => provider.shutdown());
      await within(closeMs, systemTimers, flushed).catch(() => undefined);
    },
  };
}

function newSpanId(): string {
  return randomBytes(8).toString("hex");
}

/** @param traceparent a sound one */
function spanIdOf(traceparent: string): string {
  return traceparent.slice(36, 52);
}

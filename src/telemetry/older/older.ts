/**
 * Figures from before those that the instances keep, where a Prometheus is configured. It is asked in passing and bounded in
 * everything: one query a cutover and span, two at a time and a few that wait, 5 s, 512 kB; an answer holds for its step, a
 * failure for 15 s. So however many pages are open, it is asked seldom, and what it does costs nobody but the reader.
 */
import { createBoundedMap } from "../../base/bounded-map.ts";
import type { Clock } from "../../base/clock.ts";
import { callPrometheus, notPrometheus } from "../../base/prometheus/call.ts";
import type { SeriesPoint } from "../series/ring.ts";
import { type OlderSpan, olderPoints, olderQuery } from "./query.ts";

type OlderFigures =
  | { readonly kind: "points"; readonly stepSeconds: number; readonly points: readonly SeriesPoint[] }
  /** Why, for people. */
  | { readonly kind: "nothing"; readonly why: string };

export interface OlderSeries {
  /** Whether one is configured just now. */
  isThere(): boolean;
  /** Never rejects. @param sinceMs since the epoch; what lies farther back than a month is left out */
  read(cutover: string, sinceMs: number, nowMs: number): Promise<OlderFigures>;
  close(): void;
}

interface OlderOptions {
  /** As it is configured now; `undefined`: none is. */
  readonly url: () => string | undefined;
  readonly clock: Pick<Clock, "monotonic">;
  readonly answerMs?: number;
}

const mostBytes = 512 * 1024;
const mostAtOnce = 2;
const mostWaiting = 8;
const mostKept = 32;
const failureMs = 15_000;

const dayMs = 24 * 3_600_000;
/** A page asks a little later than it has reckoned from. */
const slackMs = 600_000;
/** The coarser the farther back, so that no span has more than some hundred steps; the last is as far as it goes. */
const spans = [
  { mostMs: dayMs, stepSeconds: 300 },
  { mostMs: 7 * dayMs, stepSeconds: 1200 },
  { mostMs: 31 * dayMs, stepSeconds: 3600 },
] as const;
const [, , farthest] = spans;

interface Kept {
  readonly found: Promise<OlderFigures>;
  untilMs: number;
}

export function createOlderSeries({ url, clock, answerMs = 5000 }: OlderOptions): OlderSeries {
  const kept = createBoundedMap<Kept>(mostKept);
  const ending = new AbortController();
  const waiting: (() => void)[] = [];
  let asking = 0;

  async function ask(cutover: string, span: OlderSpan, at: string): Promise<OlderFigures> {
    if (waiting.length >= mostWaiting) return { kind: "nothing", why: "it is asked for too much at once" };
    if (asking >= mostAtOnce) await new Promise<void>((resolve) => waiting.push(resolve));
    else asking += 1;
    try {
      const { fromSeconds, untilSeconds, stepSeconds } = span;
      const fields = {
        query: olderQuery(cutover, stepSeconds),
        start: String(fromSeconds + stepSeconds),
        end: String(untilSeconds),
        step: String(stepSeconds),
      };
      const bounds = { signal: ending.signal, answerMs, mostBytes };
      const called = await callPrometheus({ url: at, of: "query_range", fields, ...bounds });
      if (called.kind === "nothing") return called;
      const points = olderPoints(called.read, span);
      return points === undefined ? notPrometheus() : { kind: "points", stepSeconds, points };
    } finally {
      const next = waiting.shift();
      if (next === undefined) asking -= 1;
      else next();
    }
  }

  return {
    isThere: () => url() !== undefined,
    async read(cutover, sinceMs, nowMs) {
      const at = url();
      if (at === undefined) return { kind: "nothing", why: "none is configured" };
      const span = spanOf(sinceMs, nowMs);
      const key = [at, cutover, span.stepSeconds, span.fromSeconds, span.untilSeconds].join(" ");
      const before = kept.get(key);
      if (before !== undefined && clock.monotonic() < before.untilMs) return before.found;
      const entry: Kept = { found: ask(cutover, span, at), untilMs: Number.POSITIVE_INFINITY };
      kept.set(key, entry);
      const found = await entry.found;
      // What has ended does not change any more, but for what is scraped late.
      entry.untilMs = clock.monotonic() + (found.kind === "points" ? span.stepSeconds * 1000 : failureMs);
      return found;
    },
    close: () => ending.abort(),
  };
}

/** Whole steps, so that everybody who asks within one asks for the same. */
function spanOf(sinceMs: number, nowMs: number): OlderSpan {
  const { stepSeconds, mostMs } = spans.find((each) => nowMs - sinceMs <= each.mostMs + slackMs) ?? farthest;
  const stepMs = stepSeconds * 1000;
  const whole = (ms: number) => Math.floor(ms / stepMs) * stepSeconds;
  return { fromSeconds: whole(Math.max(sinceMs, nowMs - mostMs)), untilSeconds: whole(nowMs), stepSeconds };
}

/** How old what is shown is, in words. Ticks alone say it: a connection that looks open proves nothing. PURE. */
import { spanText } from "../../admin/api/words/span.ts";
import { staleAfterMs } from "../../admin/api/words/verdict.ts";
import type { Figures } from "./figures.ts";

/** Up to here it is live; a reader that has heard nothing for longer opens its stream again. */
export const liveForMs = 3000;

interface Liveness {
  readonly kind: "live" | "delayed" | "stale";
  readonly mark: string;
  readonly text: string;
}

/** @param asOf RFC 3339: the server's time of the last tick */
export function livenessOf(ageMs: number, asOf: string, figures: Figures): Liveness {
  if (ageMs <= liveForMs) return { kind: "live", mark: "●", text: "Live" };
  const age = spanText(ageMs);
  if (ageMs <= staleAfterMs) return { kind: "delayed", mark: "◐", text: `Delayed, ${age} old` };
  return {
    kind: "stale",
    mark: "■",
    text: `Stale, last update ${figures.moment(asOf, asOf)} (${age} ago)`,
  };
}

/** What stands above all else while nothing comes. */
export const staleWords = "STALE: the admin API does not answer. What stands below is old.";

/** Milliseconds until the stream is opened again. @param failures since it last told something @param chance 0–1 */
export function retryAfterMs(failures: number, chance: number): number {
  const steps = [500, 1000, 2000, 5000];
  const base = steps[Math.min(Math.max(failures, 1), steps.length) - 1] ?? 5000;
  return Math.round(base * (0.75 + chance / 2));
}

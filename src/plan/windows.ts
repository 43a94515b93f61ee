/** Times in which nothing is raised, by the wall clock; of several that overlap, all count. PURE. */
import type { WindowSpec } from "./plan.ts";

export interface Closed {
  /** ms since the epoch, when this one ends; another may go on. */
  readonly untilMs: number;
  readonly reason: string;
}

export interface Windows {
  /** What is against a raise at that moment: of several the one that lasts longest. */
  against(atMs: number): Closed | undefined;
  /** The first moment from that one on with nothing against it; `undefined`: none within two years. */
  openFrom(atMs: number): number | undefined;
}

const horizonMs = 2 * 366 * 86_400_000;

/** Tells of a cron text in a time zone when it happens next after a moment, in ms since the epoch. */
type Occurrences = (cron: string, timezone: string) => (afterMs: number) => number | undefined;

export function createWindows(specs: readonly WindowSpec[], occurrences: Occurrences): Windows {
  const asked = specs.map((spec) => compiled(spec, occurrences));
  function against(atMs: number): Closed | undefined {
    const closed = asked.flatMap((ask) => ask(atMs) ?? []);
    return closed.reduce<Closed | undefined>((longest, each) => {
      return longest === undefined || each.untilMs > longest.untilMs ? each : longest;
    }, undefined);
  }
  return {
    against,
    openFrom(atMs) {
      let ms = atMs;
      while (ms - atMs < horizonMs) {
        const closed = against(ms);
        if (closed === undefined) return ms;
        ms = closed.untilMs;
      }
      return undefined;
    },
  };
}

function compiled(spec: WindowSpec, occurrences: Occurrences): (atMs: number) => Closed | undefined {
  const { from, to, cron, for: lastsMs = 0, timezone = "UTC", reason } = spec;
  if (cron === undefined) {
    const [fromMs, untilMs] = [from ?? Number.POSITIVE_INFINITY, to ?? Number.NEGATIVE_INFINITY];
    return (atMs) => (fromMs <= atMs && atMs < untilMs ? { untilMs, reason } : undefined);
  }
  const next = occurrences(cron, timezone);
  return (atMs) => {
    const beganMs = next(atMs - lastsMs);
    if (beganMs === undefined || beganMs > atMs) return undefined;
    return { untilMs: beganMs + lastsMs, reason };
  };
}

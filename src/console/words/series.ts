/** Figures of the last hours as the charts show them: joined as they come, and the two sides compared. PURE. */
import type { SeriesView } from "../../admin/api/series/series-view.ts";

type Point = SeriesView["points"][number];

/** @returns when the last step began that is known, ms since the epoch */
export function lastAt(series: SeriesView | undefined): number | undefined {
  const last = series?.points.at(-1);
  return last === undefined ? undefined : Date.parse(last.at);
}

/** What was known before the first step that is told anew, and that; nothing from before `firstMs`. */
export function joined(before: SeriesView | undefined, told: SeriesView, firstMs: number): SeriesView {
  if (before === undefined || before.stepSeconds !== told.stepSeconds) return told;
  const fromMs = Date.parse(told.points[0]?.at ?? "") || Number.POSITIVE_INFINITY;
  const kept = before.points.filter(({ at }) => Date.parse(at) >= firstMs && Date.parse(at) < fromMs);
  return { ...told, points: [...kept, ...told.points] };
}

/** In shares of 1, new's less legacy's. */
interface Difference {
  readonly estimate: number;
  readonly least: number;
  readonly most: number;
}

interface Tally {
  readonly requests: number;
  readonly errors: number;
}

/** Of a normal distribution: 99 of 100 are within. */
const z99 = 2.5758;

/**
 * The difference of two shares with a 99% interval, by Newcombe's method 10 (Statistics in Medicine 17, 1998): from the
 * Wilson intervals of both, so that it is right for shares near zero, too.
 *
 * @returns `undefined` where one has no requests
 */
export function newcombe(legacy: Tally, onNew: Tally, z = z99): Difference | undefined {
  if (legacy.requests === 0 || onNew.requests === 0) return undefined;
  const [a, b] = [wilson(legacy, z), wilson(onNew, z)];
  const estimate = b.share - a.share;
  return {
    estimate,
    least: estimate - Math.hypot(b.share - b.least, a.most - a.share),
    most: estimate + Math.hypot(b.most - b.share, a.share - a.least),
  };
}

function wilson({ requests: n, errors }: Tally, z: number) {
  const share = errors / n;
  const middle = share + (z * z) / (2 * n);
  const reach = z * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  const whole = 1 + (z * z) / n;
  return { share, least: (middle - reach) / whole, most: (middle + reach) / whole };
}

/** So much before each step counts with it: one step alone has too few requests to tell anything. */
const windowMs = 300_000;

/**
 * How much more often new may fail and still be well, in shares of 1: where its odds of a failure are that many times
 * legacy's.
 */
function marginOf(legacy: Tally, tolerance: number): number {
  if (legacy.requests === 0) return 0;
  const share = legacy.errors / legacy.requests;
  return (tolerance * share) / (1 - share + tolerance * share) - share;
}

interface Compared extends Difference {
  readonly margin: number;
}

/** The difference over the five minutes that end with each step; null where one side had none. */
export function differences(points: readonly Point[], tolerance = 1): (Compared | null)[] {
  const sums = { legacy: { requests: 0, errors: 0 }, new: { requests: 0, errors: 0 } };
  const count = (point: Point, sign: 1 | -1) => {
    for (const side of ["legacy", "new"] as const) {
      sums[side].requests += sign * point[side].requests;
      sums[side].errors += sign * point[side].errors;
    }
  };
  let first = 0;
  return points.map((point) => {
    count(point, 1);
    for (let old = points[first]; old !== undefined && isBefore(old, point); old = points[first]) {
      count(old, -1);
      first += 1;
    }
    const found = newcombe(sums.legacy, sums.new);
    return found === undefined ? null : { ...found, margin: marginOf(sums.legacy, tolerance) };
  });
}

function isBefore(one: Point, other: Point): boolean {
  return Date.parse(other.at) - Date.parse(one.at) >= windowMs;
}

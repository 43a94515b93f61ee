/**
 * How much more often new fails than legacy, with a confidence sequence: an interval that may be read at every look. PURE.
 *
 * For each side and tail, Σ_j v_j·exp(λ_j·x − n·log(1 − p + p·e^{λ_j})) is at most a martingale when p is the mean of the
 * risks of those n units, be these risks as different as they like (log(1 − p + p·e^λ) is concave in p). So it stays
 * below 1/α with probability 1 − α, and the p for which it does are the interval (Howard, Ramdas, McAuliffe & Sekhon,
 * 2021). The λ_j are fixed and their weights equal. The difference takes a quarter of α from each of the four tails.
 */

/** Units of a side, and those of them that failed. */
export interface SideTally {
  readonly units: number;
  readonly failed: number;
}

/** In shares, −1 to 1. */
export interface Difference {
  readonly estimate: number;
  readonly least: number;
  readonly most: number;
}

const steps = Array.from({ length: 14 }, (_, j) => 4 * 2 ** (-j / 1.5));
const tails = 4;

/** @param confidence for instance 0.95 */
export function differenceOf(legacy: SideTally, onNew: SideTally, confidence: number): Difference {
  const alpha = (1 - confidence) / tails;
  return {
    estimate: shareOf(onNew) - shareOf(legacy),
    least: lowest(onNew, alpha) - highest(legacy, alpha),
    most: highest(onNew, alpha) - lowest(legacy, alpha),
  };
}

export function shareOf({ units, failed }: SideTally): number {
  return units === 0 ? 0 : failed / units;
}

export function plus(a: SideTally, b: SideTally): SideTally {
  return { units: a.units + b.units, failed: a.failed + b.failed };
}

/** The smallest share that the counts do not refute. */
function lowest(counts: SideTally, alpha: number): number {
  return edge(0, shareOf(counts), (share) => evidenceAgainst(counts, share, 1) < -Math.log(alpha));
}

function highest(counts: SideTally, alpha: number): number {
  return edge(1, counts.units === 0 ? 1 : shareOf(counts), (share) => {
    return evidenceAgainst(counts, share, -1) < -Math.log(alpha);
  });
}

/** Where between `outer` and `inner`, which is possible, what is possible ends. */
function edge(outer: number, inner: number, isPossible: (share: number) => boolean): number {
  if (isPossible(outer)) return outer;
  let impossible = outer;
  let possible = inner;
  for (let halving = 0; halving < 40; halving += 1) {
    const middle = (impossible + possible) / 2;
    if (isPossible(middle)) possible = middle;
    else impossible = middle;
  }
  return possible;
}

/** @param sign 1 against shares that are too small, −1 against those that are too large @returns its logarithm */
function evidenceAgainst({ units, failed }: SideTally, share: number, sign: 1 | -1): number {
  const logs = steps.map((step) => {
    const lambda = sign * step;
    return lambda * failed - units * Math.log1p(share * Math.expm1(lambda));
  });
  const most = Math.max(...logs);
  return most + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - most), 0) / logs.length);
}

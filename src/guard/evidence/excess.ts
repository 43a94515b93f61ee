/**
 * Whether new fails clearly more often of late than legacy does in the end: what the quick look asks before it acts. PURE.
 *
 * Legacy's share is that of the last hour, by the late look. New's is taken, by the quick look, since the block where the
 * likelihood of a doubled share began to grow (CUSUM, Page 1954): an hour of health before an outage does not dilute it.
 * New exceeds legacy when it lies more than three standard errors above.
 */
import { plus, type SideTally } from "./difference.ts";

export interface ExcessState {
  /** Legacy's minutes of the last hour, the oldest first. */
  readonly legacy: readonly SideTally[];
  /** Blocks of the last of these so far. */
  readonly blocks: number;
  /** New's shoppers since its share began to grow. */
  readonly since: SideTally;
  /** The logarithm of the likelihood that it has; above 0. */
  readonly growth: number;
}

interface Excess {
  quick(onNew: SideTally): void;
  late(legacy: SideTally): void;
  /** @param tolerance odds of a failure on new, in legacy's, that are still well */
  isExceeded(tolerance: number): boolean;
  state(): ExcessState;
}

const minutesADay = 1440;
const minutesKept = 60;
const standardErrors = 3;
/** Before legacy has failed at all, it is taken to fail so seldom. */
const leastShare = 1e-4;

export function createExcess(
  blocksADay: number,
  from: ExcessState = { legacy: [], blocks: 0, since: { units: 0, failed: 0 }, growth: 0 },
): Excess {
  const blocksAMinute = Math.max(1, Math.round(blocksADay / minutesADay));
  let { legacy, blocks, since, growth } = from;
  let hour = legacy.reduce(plus, { units: 0, failed: 0 });
  const share = () => Math.max(leastShare, hour.failed / Math.max(1, hour.units));
  return {
    quick(onNew) {
      const { units, failed } = onNew;
      const p = Math.min(share(), 0.45);
      const grown = growth + failed * Math.LN2 + (units - failed) * (Math.log1p(-2 * p) - Math.log1p(-p));
      growth = Math.max(0, grown);
      since = grown <= 0 ? { units: 0, failed: 0 } : plus(since, onNew);
    },
    late(block) {
      const last = legacy.at(-1);
      const isBegun = last !== undefined && blocks < blocksAMinute;
      legacy = isBegun ? [...legacy.slice(0, -1), plus(last, block)] : [...legacy, block].slice(-minutesKept);
      blocks = isBegun ? blocks + 1 : 1;
      hour = legacy.reduce(plus, { units: 0, failed: 0 });
    },
    isExceeded(tolerance) {
      const p = Math.min(1, share() * tolerance);
      const { units, failed } = since;
      const spread = Math.sqrt(p * (1 - p) * (units + (units * units) / Math.max(1, hour.units)));
      return failed > units * p + standardErrors * spread;
    },
    state: () => ({ legacy, blocks, since, growth }),
  };
}

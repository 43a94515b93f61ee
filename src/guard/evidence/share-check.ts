/**
 * Whether shoppers are split as configured. PURE.
 *
 * Of n new assignments k went to new, where each should with probability w: the ratio of a Beta-binomial around w to the
 * binomial of w is a martingale while the split is right, so it may be looked at after each assignment, and reaches 1000
 * with a probability of at most 1 in 1000. Lindon & Malek's sequential test of a sample ratio, for two sides. A process
 * for each configured share: after a change of the share, another begins.
 */
import { logGamma } from "./log-gamma.ts";

/** Alert at these odds against the configured share. */
export const shareAlertOdds = 1000;

/** How strongly the alternative keeps to the configured share, in assignments. */
const concentration = 100;

/**
 * @param share of new as configured, 0–1
 * @returns the logarithm of the odds against it
 */
export function logShareEvidence(share: number, assigned: number, onNew: number): number {
  if (share <= 0) return onNew > 0 ? Number.POSITIVE_INFINITY : 0;
  if (share >= 1) return onNew < assigned ? Number.POSITIVE_INFINITY : 0;
  const c = concentration * share;
  const d = concentration - c;
  const k = onNew;
  const rest = assigned - onNew;
  return logBeta(c + k, d + rest) - logBeta(c, d) - k * Math.log(share) - rest * Math.log1p(-share);
}

/** Percent that buckets were held against, in thousandths, and how many new shoppers came to legacy and to new. */
export type AssignedRow = readonly [percent: number, legacy: number, onNew: number];

/** What was counted in a block of the assignments of one stratum. */
export interface StratumAssigned {
  readonly of: string;
  readonly rows: readonly AssignedRow[];
}

/** Of which stratum, by which percent, assigned to legacy and to new so far, and the highest evidence there was. */
type KeptShare = readonly [of: string, ...row: AssignedRow, highest: number];

export interface SharesState {
  readonly shares: readonly KeptShare[];
}

/** The configured share that the most speaks against. */
export interface ShareFinding {
  /** The cohort's name; empty: of all who are of none. */
  readonly of: string;
  /** Of new, 0–1. */
  readonly configured: number;
  /** New shoppers of this step, and those of them who came to new. */
  readonly assigned: number;
  readonly onNew: number;
  /** The highest so far against that the configured share is the actual one. */
  readonly odds: number;
  readonly isOff: boolean;
}

interface ShareCheck {
  block(assigned: readonly StratumAssigned[], stepBegins: boolean): void;
  /** `undefined`: nobody was assigned in this step. */
  finding(): ShareFinding | undefined;
  state(): SharesState;
}

/** Shares that are checked at the same time: more than there are percents. */
const mostShares = 128;

/** A process for each stratum and percent; a step begins them anew. */
export function createShareCheck(from?: SharesState): ShareCheck {
  let shares = new Map<string, KeptShare>(
    (from?.shares ?? []).map((kept) => [`${kept[1]} ${kept[0]}`, kept]),
  );
  return {
    block(assigned, stepBegins) {
      if (stepBegins) shares = new Map();
      for (const { of, rows } of assigned) {
        for (const [percent, moreLegacy, moreOnNew] of rows) {
          const key = `${percent} ${of}`;
          const [, , legacy, onNew, highest] = shares.get(key) ?? [of, percent, 0, 0, 0];
          if (!shares.has(key) && shares.size >= mostShares) continue;
          const now = [legacy + moreLegacy, onNew + moreOnNew] as const;
          const evidence = logShareEvidence(percent / maxThousandths, now[0] + now[1], now[1]);
          shares.set(key, [of, percent, ...now, Math.max(highest, Math.min(evidence, mostEvidence))]);
        }
      }
    },
    finding() {
      const [first, ...rest] = shares.values();
      if (first === undefined) return undefined;
      const [of, percent, legacy, onNew, highest] = rest.reduce(
        (most, each) => (isToldBefore(each, most) ? each : most),
        first,
      );
      const counts = { configured: percent / maxThousandths, assigned: legacy + onNew, onNew };
      return { of, ...counts, odds: Math.exp(highest), isOff: highest >= Math.log(shareAlertOdds) };
    },
    state: () => ({ shares: [...shares.values()] }),
  };
}

/** Where nothing speaks against several, the one that is known by the most: an instance may count by the step before. */
function isToldBefore([, , legacy, onNew, highest]: KeptShare, most: KeptShare): boolean {
  return highest === most[4] ? legacy + onNew > most[2] + most[3] : highest > most[4];
}

const maxThousandths = 100_000;
/** So that its odds are a number. */
const mostEvidence = 500;

function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}

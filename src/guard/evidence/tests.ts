/** The four tests of the guard: what each would refute, against which alternatives, and the prior of these. PURE. */
import { type Likelihood, oddsLikelihood, shareLikelihood } from "./likelihood.ts";
import type { Prior } from "./process.ts";

/** In the order in which a verdict names them. */
export const testNames = ["failures", "tooMany", "paid", "slow"] as const;
export type TestName = (typeof testNames)[number];

export interface EvidenceTest {
  readonly likelihood: Likelihood;
  readonly prior: Prior;
}

const worseOdds = [1.5, 2, 3, 6, 15, 60];
const worseOddsPrior = [0.2, 0.25, 0.2, 0.15, 0.1, 0.1];

/**
 * New's odds of the event are at most `tolerance` times legacy's: that an attempt fails, or that it is slow.
 *
 * @param tolerance from 1 on
 */
export function worseOddsTest(tolerance: number): EvidenceTest {
  return {
    likelihood: oddsLikelihood(
      tolerance,
      worseOdds.map((ratio) => ratio * tolerance),
    ),
    prior: worseOddsPrior,
  };
}

const highestShare = 0.97;

/**
 * At most this share of a side's attempts fail, whatever the other side does. Its counts are the side's as `onNew`.
 *
 * @param mostFailing the share, between 0 and 0.97
 */
export function tooManyTest(mostFailing: number): EvidenceTest {
  const shares = [2, 4, 8, 16].map((times) => Math.min(times * mostFailing, highestShare));
  return { likelihood: shareLikelihood(mostFailing, shares), prior: shares.map(() => 1 / shares.length) };
}

/**
 * New's journeys are paid no more slowly or seldom than legacy's: the sequential logrank test. A stratum is a cohort of
 * journeys that began in one minute by one version; at risk are those not yet paid, events are those paid in the block
 * (ter Schure, Pérez-Ortiz, Ly & Grünwald, arXiv 2011.06931).
 */
export function paidTest(): EvidenceTest {
  return {
    likelihood: oddsLikelihood(1, [0.9, 0.75, 0.5, 0.25, 0.05]),
    prior: [0.2, 0.25, 0.25, 0.15, 0.15],
  };
}

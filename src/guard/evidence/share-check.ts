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

function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}

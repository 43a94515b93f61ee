/**
 * How much more likely a block's counts are under an alternative than under what is to be refuted. PURE.
 *
 * Of the units at risk in a block, a on legacy and b on new, m had an event, x of them on new. Given a, b and m, and no
 * rate whatever being known, x is Fisher's noncentral hypergeometric: u events on new have weight C(b,u)·C(a,m−u)·ψ^u
 * where an event's odds on new are ψ times legacy's. So the likelihood ratio of ψ against ψ0 is
 *
 *   (ψ/ψ0)^x · Z(ψ0)/Z(ψ)     Z(ψ) = Σ C(b,u)·C(a,m−u)·ψ^u over max(0,m−a) ≤ u ≤ min(m,b)
 *
 * whose mean under ψ0 is 1 exactly, and at most 1 under every smaller ψ where the alternative is larger than ψ0 (larger
 * where it is smaller). Strata of one block multiply. After Turner, Ly & Grünwald, arXiv 2106.02693.
 */

/** What happened in a block, or in a stratum of one. */
export interface BlockCounts {
  /** Units at risk on legacy. */
  readonly legacy: number;
  /** Units at risk on new. */
  readonly onNew: number;
  /** Those of both that had an event. */
  readonly events: number;
  readonly eventsOnNew: number;
}

/** The likelihoods of several alternatives against one hypothesis. */
export interface Likelihood {
  readonly alternatives: number;
  /** Adds the logarithm of each alternative's ratio. @returns whether the block says anything at all */
  add(logs: Float64Array, counts: BlockCounts): boolean;
}

/** Terms are kept below this by taking it away from all of a sum at once. */
const tooLarge = 1e200;
const logTooLarge = Math.log(tooLarge);

/** @param atMost the odds ratio ψ0 to be refuted @param alternatives odds ratios, all above it or all below it */
export function oddsLikelihood(atMost: number, alternatives: readonly number[]): Likelihood {
  const odds = Float64Array.of(atMost, ...alternatives);
  const gains = alternatives.map((psi) => Math.log(psi / atMost));
  const sums = new Float64Array(odds.length);
  return {
    alternatives: alternatives.length,
    add(logs, { legacy, onNew, events, eventsOnNew }) {
      if (legacy === 0 || onNew === 0 || events === 0 || events === legacy + onNew) return false;
      const least = Math.max(0, events - legacy);
      logSums(odds, { legacy, onNew, events, least }, sums);
      const below = sums[0] ?? 0;
      for (let k = 0; k < gains.length; k += 1) {
        logs[k] = (logs[k] ?? 0) + (eventsOnNew - least) * (gains[k] ?? 0) + below - (sums[k + 1] ?? 0);
      }
      return true;
    },
  };
}

/** The logarithm of each Z but for its first term, which is the same in all of them up to the power of ψ. */
function logSums(
  odds: Float64Array,
  { legacy, onNew, events, least }: Omit<BlockCounts, "eventsOnNew"> & { readonly least: number },
  sums: Float64Array,
): void {
  const most = Math.min(events, onNew);
  for (let k = 0; k < odds.length; k += 1) {
    const psi = odds[k] ?? 1;
    let term = 1;
    let sum = 1;
    let taken = 0;
    for (let u = least; u < most; u += 1) {
      term *= (psi * (onNew - u) * (events - u)) / ((u + 1) * (legacy - events + u + 1));
      sum += term;
      if (sum > tooLarge) {
        term /= tooLarge;
        sum /= tooLarge;
        taken += logTooLarge;
      }
    }
    sums[k] = Math.log(sum) + taken;
  }
}

/** @param atMost the share to be refuted @param alternatives larger shares, below 1 */
export function shareLikelihood(atMost: number, alternatives: readonly number[]): Likelihood {
  const whenFailed = alternatives.map((share) => Math.log(share / atMost));
  const whenWell = alternatives.map((share) => Math.log1p(-share) - Math.log1p(-atMost));
  return {
    alternatives: alternatives.length,
    add(logs, { onNew, eventsOnNew }) {
      if (onNew === 0) return false;
      for (let k = 0; k < alternatives.length; k += 1) {
        const log = eventsOnNew * (whenFailed[k] ?? 0) + (onNew - eventsOnNew) * (whenWell[k] ?? 0);
        logs[k] = (logs[k] ?? 0) + log;
      }
      return true;
    },
  };
}

/**
 * Evidence that grows block by block, and may be looked at after each of them. PURE: the same blocks give the same
 * evidence to the last bit, and a state that was written down goes on where it was.
 *
 * Two forms stand side by side, because neither does for both a step's first minutes and its fifth day:
 *
 *   mixture    S_k ← L_k·(S_k + w), E = Σ π_k·S_k + 1 − Σ w: whatever is wrong began with some block of the day, and
 *              each is given its weight w beforehand. P(E ever reaches 1/α) ≤ α (Ville). Blind when the weights are spent
 *   endless    R_k ← L_k·(R_k + 1), R = Σ π_k·R_k: reaches (blocks a day)/α at most α times a day for ever (Shin, Ramdas
 *              & Rinaldo, arXiv 2203.03532). Slower early in a step, and never blind
 *
 * That a mixture over onset and the endless form are run as a pair is this project's own assembly (docs/guard.md).
 */
import type { BlockCounts, Likelihood } from "./likelihood.ts";

/** An alternative hypothesis' share of the evidence. All of them sum to 1. */
export type Prior = readonly number[];

/** All that is to be kept of a process. */
export interface ProcessState {
  /** By alternative. */
  readonly mixture: readonly number[];
  /** By alternative. */
  readonly endless: readonly number[];
  /** The sum of the onset weights given out so far. */
  readonly spent: number;
}

export interface EvidenceProcess {
  /**
   * @param strata the block's counts, one for each group whose members are exchangeable between the sides
   * @param onset the weight that what is wrong began with this block, fixed before the block was seen
   */
  block(strata: readonly BlockCounts[], onset: number): void;
  /** E of the mixture: odds against the hypothesis. */
  mixture(): number;
  /** R of the endless form, to be compared with (blocks a day)/α. */
  endless(): number;
  /** The mixture begins anew; the endless form goes on. */
  renew(): void;
  state(): ProcessState;
}

/** Evidence beyond this is as good; to keep less of it than there is can only delay. */
const most = 1e250;

export function createProcess(
  likelihood: Likelihood,
  prior: Prior,
  from: ProcessState = startOf(prior),
): EvidenceProcess {
  const mixture = Float64Array.from(from.mixture);
  const endless = Float64Array.from(from.endless);
  const logs = new Float64Array(likelihood.alternatives);
  let spent = from.spent;
  return {
    block(strata, onset) {
      logs.fill(0);
      let saysSomething = false;
      for (const counts of strata) saysSomething = likelihood.add(logs, counts) || saysSomething;
      for (let k = 0; k < logs.length; k += 1) {
        const ratio = saysSomething ? Math.exp(logs[k] ?? 0) : 1;
        mixture[k] = Math.min(ratio * ((mixture[k] ?? 0) + onset), most);
        endless[k] = Math.min(ratio * ((endless[k] ?? 0) + 1), most);
      }
      spent += onset;
    },
    mixture: () => weighed(mixture, prior) + Math.max(0, 1 - spent),
    endless: () => weighed(endless, prior),
    renew() {
      mixture.fill(0);
      spent = 0;
    },
    state: () => ({ mixture: [...mixture], endless: [...endless], spent }),
  };
}

function startOf(prior: Prior): ProcessState {
  return { mixture: prior.map(() => 0), endless: prior.map(() => 0), spent: 0 };
}

function weighed(values: Float64Array, prior: Prior): number {
  let sum = 0;
  for (let k = 0; k < prior.length; k += 1) sum += (prior[k] ?? 0) * (values[k] ?? 0);
  return sum;
}

/**
 * What has to be proven before a raise: that new is *not worse* than r times legacy. PURE.
 *
 * The hypothesis is the other way round here (new fails at least r times as often; new's journeys are paid at most 1/r
 * times as fast), so that no data is no proof. It is refuted by the product of all blocks of the step: there is no onset
 * to guess, since a side that became worse in mid-step was not harmless throughout.
 */
import { type BlockCounts, type Likelihood, oddsLikelihood } from "./likelihood.ts";

/** All that is to be kept of a gate: the logarithm of each alternative's product. */
export interface GateState {
  readonly logs: readonly number[];
}

interface RaiseGate {
  block(strata: readonly BlockCounts[]): void;
  /** Odds that it is not so bad; passed at 1/(1 − confidence). */
  evidence(): number;
  state(): GateState;
}

const margins = [1.25, 1.5, 2, 3];

/** @param times above 1 */
export function notWorseGate(times: number, from?: GateState): RaiseGate {
  const alternatives = margins.map((margin) => times / margin);
  return gate(oddsLikelihood(times, alternatives), from);
}

/** @param times above 1: new's journeys are paid at more than 1/times of legacy's pace */
export function paidGate(times: number, from?: GateState): RaiseGate {
  const alternatives = margins.map((margin) => margin / times);
  return gate(oddsLikelihood(1 / times, alternatives), from);
}

function gate(likelihood: Likelihood, from: GateState = { logs: margins.map(() => 0) }): RaiseGate {
  const logs = Float64Array.from(from.logs);
  return {
    block(strata) {
      for (const counts of strata) likelihood.add(logs, counts);
    },
    evidence: () => logs.reduce((sum, log) => sum + Math.exp(Math.min(log, 700)), 0) / margins.length,
    state: () => ({ logs: [...logs] }),
  };
}

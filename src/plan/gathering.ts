/** What a step's gates gather of the blocks that the guard counts (guard/evidence/gate.ts). PURE. */
import { notWorseGate, paidGate } from "../guard/evidence/gate.ts";
import type { BlockCounts } from "../guard/evidence/likelihood.ts";
import type { PlanRecord, PlanSpec } from "./plan.ts";
import type { Proof } from "./steps.ts";

export interface Gathering {
  /** Attempts of a block, as its late look has them. */
  failures(strata: readonly BlockCounts[]): void;
  /** Journeys of the minutes in which they began. */
  paid(strata: readonly BlockCounts[]): void;
  /** @param stoodMs how long it has been gathered */
  evidence(stoodMs: number): Proof;
  state(): NonNullable<PlanRecord["gathered"]>;
}

/** @param from what was gathered of the same step before */
export function createGathering(
  { notWorseThan, confidence, paid: paidTimes }: NonNullable<PlanSpec["evidence"]>,
  from?: PlanRecord["gathered"],
): Gathering {
  const failures = notWorseGate(notWorseThan, logsIn(from?.failures));
  const paid = paidTimes === undefined ? undefined : paidGate(paidTimes, logsIn(from?.paid));
  const passesAt = 1 / (1 - confidence);
  return {
    failures: (strata) => failures.block(strata),
    paid: (strata) => paid?.block(strata),
    evidence(stoodMs) {
      const told = [
        gateOf(`new fails less than ${notWorseThan}× legacy`, failures.evidence(), passesAt, stoodMs),
        ...(paid === undefined || paidTimes === undefined
          ? []
          : [
              gateOf(
                `new is paid at more than 1/${paidTimes} of legacy's pace`,
                paid.evidence(),
                passesAt,
                stoodMs,
              ),
            ]),
      ];
      const open = told.filter((gate) => gate.kind === "insufficient");
      if (open.length === 0) return { kind: "passed", text: told.map(({ text }) => text).join(", ") };
      const latest = (times: readonly (number | undefined)[]) =>
        times.reduce((most, each) =>
          most === undefined || each === undefined ? undefined : Math.max(most, each),
        );
      return {
        kind: "insufficient",
        text: open.map(({ text }) => text).join(", "),
        leftMs: latest(open.map(({ leftMs }) => leftMs)),
        wholeMs: latest(open.map(({ wholeMs }) => wholeMs)),
      };
    },
    state: () => ({ failures: [...failures.state().logs], paid: [...(paid?.state().logs ?? [])] }),
  };
}

function logsIn(logs: readonly number[] | undefined) {
  return logs === undefined || logs.length === 0 ? undefined : { logs };
}

type Gate = Exclude<Proof, { kind: "not asked" }>;

function gateOf(what: string, odds: number, passesAt: number, stoodMs: number): Gate {
  if (odds >= passesAt) return { kind: "passed", text: `${what}: proven with odds ${shown(odds)} to 1` };
  const text = `${what}: odds ${shown(odds)} of ${shown(passesAt)} to 1`;
  const pace = Math.log(odds) / stoodMs;
  if (!(pace > 0) || stoodMs < leastStoodMs) return { kind: "insufficient", text };
  const wholeMs = Math.log(passesAt) / pace;
  return { kind: "insufficient", text, leftMs: Math.max(0, wholeMs - stoodMs), wholeMs };
}

/** A pace of less time says nothing. */
const leastStoodMs = 30_000;

function shown(odds: number): string {
  return odds >= 1e6 ? "over a million" : odds.toFixed(odds < 10 ? 1 : 0);
}

/**
 * What a process counts of one stratum: of the shoppers who are split by one percent, the cutover's or a cohort's own.
 *
 * A request counts when its side was given to it by its bucket in this step: at once, or by a journey or a visit that began
 * so and that it carries on (a payment goes by its order's owner). What was forced, or goes by an older step's journey, is
 * not exchangeable between the sides.
 */
import type { JourneyPin } from "../../decide/pin.ts";
import type { Decided, ExchangeRecord } from "../../proxy/witness.ts";
import type { CutoverState } from "../../state/rules/model.ts";
import { type AssignmentsWindow, createAssignmentsWindow } from "./assignments.ts";
import {
  type AttemptsWindow,
  type CountedSide,
  createAttemptsWindow,
  slowAfter,
  type WindowTimes,
} from "./attempts.ts";
import { createJourneysWindow, type JourneysWindow } from "./journeys.ts";
import { createSlowWindow, type SlowWindow } from "./slow.ts";
import { createStepHistory } from "./step-history.ts";
import { type ToldBlock, toldOfStratum } from "./told.ts";

export interface Stratum {
  readonly attempts: AttemptsWindow;
  /** Absent where no time is asked for. */
  readonly slow: SlowWindow | undefined;
  /** Absent where no payments are followed. */
  readonly journeys: JourneysWindow | undefined;
  readonly assignments: AssignmentsWindow;
  /** Takes note of the state that a request was decided by. @param percent of the stratum by it */
  follow(state: Pick<CutoverState, "version">, percent: number, nowSeconds: number): void;
  /** @param percent of the stratum by the state that it was decided by @returns its bucket; -1: it does not count */
  bucketOf(record: ExchangeRecord, decided: Decided, percent: number): number;
  /** While too much is unpaid on new, journeys begin on legacy alone: theirs would be compared with none of their time. */
  isExposed(nowSeconds: number): void;
  begins(atMs: number, side: CountedSide, bucket: number, nowSeconds: number): void;
  ends(atMs: number, decided: Decided, pin: JourneyPin): void;
  report(atMs: number): ToldBlock[];
}

/** @param name of the cohort; `undefined`: all who are of none */
export function createStratum(name: string | undefined, times: WindowTimes): Stratum {
  const { blockMs, quickAfterMs, sloMs, followsJourneys } = times;
  const attempts = createAttemptsWindow(times);
  const slowAfterMs = slowAfter(times);
  const slow = sloMs === undefined ? undefined : createSlowWindow({ blockMs, sloMs, slowAfterMs });
  const journeys = followsJourneys ? createJourneysWindow({ blockMs, paidAfterMs: quickAfterMs }) : undefined;
  const assignments = createAssignmentsWindow(blockMs);
  const steps = createStepHistory();
  let version = -1;

  return {
    attempts,
    slow,
    journeys,
    assignments,
    follow(state, percent, nowSeconds) {
      if (state.version <= version) return;
      version = state.version;
      if (!steps.follow(percent, nowSeconds)) return;
      attempts.renew();
      slow?.renew();
      journeys?.renew();
      assignments.renew();
    },
    bucketOf({ side }, { bucket, decision, pin, visit }, percent) {
      if (bucket === undefined || side === "none" || percent !== steps.percent()) return -1;
      if (bucket < percent !== (side === "new")) return -1;
      const { reason } = decision;
      if (reason === "bucket") return bucket;
      if (visit !== undefined && visit.beganAt < steps.since()) return -1;
      if (reason === "visit") return visit === undefined ? -1 : bucket;
      if (reason !== "journey" && reason !== "owner") return -1;
      return pin !== undefined && pin.side === side && pin.startedAt >= steps.since() ? bucket : -1;
    },
    isExposed: steps.isExposed,
    begins(atMs, side, bucket, nowSeconds) {
      const percent = steps.begins(nowSeconds);
      if (percent >= 0) journeys?.begun(atMs, side, bucket, Math.floor(nowSeconds / 60), percent);
    },
    ends(atMs, { bucket, decision, visit }, { side, startedAt }) {
      const span = steps.at(startedAt);
      if (span === undefined || bucket === undefined || decision.side !== side) return;
      if (bucket < span.percent !== (side === "new")) return;
      if (visit !== undefined && visit.beganAt < span.from) return;
      const minute = Math.floor(startedAt / 60);
      journeys?.paid(atMs, side === "new" ? "onNew" : "legacy", bucket, minute, span.percent);
    },
    report: (atMs) =>
      toldOfStratum(
        name,
        attempts.report(atMs),
        slow?.report(atMs) ?? [],
        journeys?.report(atMs) ?? [],
        assignments.report(atMs),
      ),
  };
}

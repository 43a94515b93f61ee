/**
 * What this process counts of each guarded cutover: a witness that finds out whose attempt a request is, and windows that
 * keep it (attempts.ts).
 *
 * A request counts when its side was given to it by its bucket in this step: at once, or by a journey that began so and
 * that it carries on (a payment goes by its order's owner). What was forced, or goes by an older step's journey, is not
 * exchangeable between the sides, nor is a cohort, whose split is another, with everybody else.
 */
import type { Clock } from "../../base/clock.ts";
import { countsAsError, type Outcome } from "../../proxy/outcome.ts";
import type { ExchangeRecord, Witness } from "../../proxy/witness.ts";
import {
  type AttemptsWindow,
  type BlockReport,
  type CountedSide,
  createAttemptsWindow,
  type WindowTimes,
} from "./attempts.ts";

/** Reports by cutover. */
export type GuardReports = Readonly<Record<string, readonly BlockReport[]>>;

export interface GuardCounting {
  /** The witness of a cutover's routes that the guard goes by; the same window for all of them. */
  witness(cutover: string, times: WindowTimes): Witness;
  /** What this process has counted of late. */
  reports(): GuardReports;
  /** The moment by which blocks are told apart, in ms: the same in all processes of a host, and it never steps back. */
  nowMs(): number;
}

interface Counted {
  readonly window: AttemptsWindow;
  readonly times: WindowTimes;
  readonly witness: Witness;
}

/** @param hostMs a clock that all processes of the host share and that never steps back */
export function createGuardCounting(clock: Clock, hostMs = systemHostMs): GuardCounting {
  const aheadMs = hostMs() - clock.monotonic();
  const nowMs = () => clock.monotonic() + aheadMs;
  const known = new Map<string, Counted>();
  return {
    nowMs,
    witness(cutover, times) {
      const before = known.get(cutover);
      if (before !== undefined && isSame(before.times, times)) return before.witness;
      const window = createAttemptsWindow(times);
      const made = { window, times, witness: createWitness(window, aheadMs, clock) };
      known.set(cutover, made);
      return made.witness;
    },
    reports: () =>
      Object.fromEntries([...known].map(([cutover, { window }]) => [cutover, window.report(nowMs())])),
  };
}

function isSame(one: WindowTimes, other: WindowTimes): boolean {
  return (
    one.blockMs === other.blockMs &&
    one.quickAfterMs === other.quickAfterMs &&
    one.lateAfterMs === other.lateAfterMs
  );
}

function systemHostMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function createWitness(window: AttemptsWindow, aheadMs: number, clock: Clock): Witness {
  let version = -1;
  let percentThousandths = -1;
  /** Seconds since the epoch: journeys that began before are of another step. */
  let stepAtSeconds = 0;

  /** Takes note of the state that a request was decided by. */
  function follow(state: { readonly version: number; readonly percentThousandths: number }): void {
    if (state.version <= version) return;
    version = state.version;
    if (state.percentThousandths === percentThousandths) return;
    percentThousandths = state.percentThousandths;
    stepAtSeconds = clock.now() / 1000;
    window.renew();
  }

  /** @returns the bucket of an attempt that counts; -1 of one that does not */
  function bucketOfAttempt({ decided, side }: ExchangeRecord): number {
    const bucket = decided?.bucket;
    if (decided === undefined || bucket === undefined || side === "none") return -1;
    const { decision, state, pin, cohort } = decided;
    // While too much is unpaid on new, journeys begin on legacy alone: theirs would be compared with none of their time.
    if (decision.reason === "exposure") stepAtSeconds = clock.now() / 1000;
    if (cohort !== undefined || state.percentThousandths !== percentThousandths) return -1;
    if (bucket < percentThousandths !== (side === "new")) return -1;
    if (decision.reason === "bucket") return bucket;
    if (decision.reason !== "journey" && decision.reason !== "owner") return -1;
    return pin !== undefined && pin.side === side && pin.startedAt >= stepAtSeconds ? bucket : -1;
  }

  function failed(record: ExchangeRecord, outcome: Outcome): void {
    if (!countsAsError(outcome)) return;
    const bucket = bucketOfAttempt(record);
    if (bucket >= 0)
      window.failed(clock.monotonic() + aheadMs, record.arrivedAt + aheadMs, counted(record), bucket);
  }

  return {
    decided(record) {
      if (record.decided !== undefined) follow(record.decided.state);
      const bucket = bucketOfAttempt(record);
      if (bucket >= 0) window.arrived(record.arrivedAt + aheadMs, counted(record), bucket);
    },
    fellBack: failed,
    settled: failed,
  };
}

function counted({ side }: ExchangeRecord): CountedSide {
  return side === "new" ? "onNew" : "legacy";
}

/**
 * What this process counts of each guarded cutover: witnesses that find out whose attempt a request is, and windows that
 * keep it, of each stratum its own (stratum.ts). A cohort that has a side is not split, and compares with nobody.
 */
import type { Clock } from "../../base/clock.ts";
import { ownPercentFor, percentFor } from "../../decide/decide.ts";
import { countsAsError, type Outcome } from "../../proxy/outcome.ts";
import type { Decided, ExchangeRecord, Witness } from "../../proxy/witness.ts";
import type { CountedSide, WindowTimes } from "./attempts.ts";
import { createStratum, type Stratum } from "./stratum.ts";
import type { ToldBlock } from "./told.ts";

/** Reports by cutover. */
export type GuardReports = Readonly<Record<string, readonly ToldBlock[]>>;

/** What the guard goes by on a route. */
interface GuardedRoute {
  /** Its attempts count. */
  readonly attempts: boolean;
  /** Journeys begin on it, or end. */
  readonly starts: boolean;
  readonly ends: boolean;
  /** Shoppers are assigned on it by their buckets. */
  readonly assigns: boolean;
}

export interface GuardCounting {
  /** The witness of a cutover's route; the same windows for all of them. */
  witness(cutover: string, times: WindowTimes, route: GuardedRoute): Witness;
  /** What this process has counted of late of one cutover. */
  report(cutover: string): readonly ToldBlock[];
  /** The same of all of them. */
  reports(): GuardReports;
  /** The moment by which blocks are told apart, in ms: the same in all processes of a host, and it never steps back. */
  nowMs(): number;
}

interface Counted {
  readonly times: WindowTimes;
  stratum(decided: Decided): Stratum | undefined;
  reports(atMs: number): ToldBlock[];
}

/** @param hostMs a clock that all processes of the host share and that never steps back */
export function createGuardCounting(clock: Clock, hostMs = systemHostMs): GuardCounting {
  const aheadMs = hostMs() - clock.monotonic();
  const nowMs = () => clock.monotonic() + aheadMs;
  const known = new Map<string, Counted>();
  return {
    nowMs,
    witness(cutover, times, route) {
      const before = known.get(cutover);
      const counted = before !== undefined && isSame(before.times, times) ? before : createCounted(times);
      known.set(cutover, counted);
      return createWitness(counted, route, aheadMs, clock);
    },
    report: (cutover) => known.get(cutover)?.reports(nowMs()) ?? [],
    reports: () =>
      Object.fromEntries([...known].map(([cutover, counted]) => [cutover, counted.reports(nowMs())])),
  };
}

function isSame(one: WindowTimes, other: WindowTimes): boolean {
  return (
    one.blockMs === other.blockMs &&
    one.quickAfterMs === other.quickAfterMs &&
    one.lateAfterMs === other.lateAfterMs &&
    one.sloMs === other.sloMs &&
    one.followsJourneys === other.followsJourneys
  );
}

function systemHostMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function createCounted(times: WindowTimes): Counted {
  const rest = createStratum(undefined, times);
  /** By cohort. As many as the configuration has cohorts with a percent of their own. */
  const strata = new Map<string, Stratum>();
  return {
    times,
    stratum({ cohort }) {
      if (cohort === undefined) return rest;
      if (cohort.side !== undefined) return undefined;
      const found = strata.get(cohort.name) ?? createStratum(cohort.name, times);
      strata.set(cohort.name, found);
      return found;
    },
    reports: (atMs) => [rest, ...strata.values()].flatMap((stratum) => stratum.report(atMs)),
  };
}

function createWitness(
  counted: Counted,
  { attempts: countsAttempts, starts, ends, assigns }: GuardedRoute,
  aheadMs: number,
  clock: Clock,
): Witness {
  const nowMs = () => clock.monotonic() + aheadMs;

  /** @returns whose attempt it is that counts */
  function counting(
    record: ExchangeRecord,
  ): { readonly stratum: Stratum; readonly bucket: number } | undefined {
    const { decided: by } = record;
    if (by === undefined) return undefined;
    const stratum = counted.stratum(by);
    if (stratum === undefined) return undefined;
    const bucket = stratum.bucketOf(record, by, ownPercentFor(by.state, by.cohort));
    return bucket < 0 ? undefined : { stratum, bucket };
  }

  function decided(record: ExchangeRecord): void {
    const { decided: by } = record;
    if (by === undefined) return;
    const stratum = counted.stratum(by);
    if (stratum === undefined) return;
    const percent = ownPercentFor(by.state, by.cohort);
    const nowSeconds = clock.now() / 1000;
    stratum.follow(by.state, percent, nowSeconds);
    if (by.decision.reason === "exposure") stratum.isExposed(nowSeconds);
    // Whether it is the side that his bucket is for is what is to be found out.
    if (assigns && by.decision.reason === "bucket" && by.bucket !== undefined) {
      stratum.assignments.assigned(nowMs(), sideOf(record), by.bucket, percentFor(by.state, by));
    }
    const bucket = stratum.bucketOf(record, by, percent);
    if (bucket < 0) return;
    const side = sideOf(record);
    const arrivedMs = record.arrivedAt + aheadMs;
    if (starts) stratum.begins(nowMs(), side, bucket, nowSeconds);
    if (!countsAttempts) return;
    stratum.attempts.arrived(arrivedMs, side, bucket);
    record.isAwaited = stratum.slow?.arrived(arrivedMs, side, bucket) ?? false;
  }

  function answered(record: ExchangeRecord): void {
    if (!record.isAwaited) return;
    record.isAwaited = false;
    const { decided: by } = record;
    if (by?.bucket === undefined) return;
    counted.stratum(by)?.slow?.ended(nowMs(), record.arrivedAt + aheadMs, sideOf(record), by.bucket);
  }

  function over(record: ExchangeRecord, outcome: Outcome): void {
    answered(record);
    if (!countsAsError(outcome)) return;
    const found = counting(record);
    found?.stratum.attempts.failed(nowMs(), record.arrivedAt + aheadMs, sideOf(record), found.bucket);
  }

  return {
    decided,
    ...(countsAttempts ? { answered, fellBack: over, settled: over } : {}),
    ...(ends
      ? {
          journeyed({ decided: by }, pin, event) {
            if (by !== undefined && event === "end") counted.stratum(by)?.ends(nowMs(), by, pin);
          },
        }
      : {}),
  };
}

function sideOf({ side }: ExchangeRecord): CountedSide {
  return side === "new" ? "onNew" : "legacy";
}

/**
 * The numbers behind the metrics of requests: flat typed arrays, indexed by small integers that are settled when
 * the configuration is. A row is a few closures over fixed offsets, so counting a request allocates nothing,
 * hashes nothing and builds no label; labels are joined to the numbers at a scrape (page.ts).
 *
 * The last cutover of the table is `none`: requests that no cutover matches. Its routes are `none` and the fixed ones.
 * Counters are doubles: exact up to 2^53.
 */
import { type Reason, reasons } from "../../decide/decide.ts";
import { type Outcome, outcomes } from "../../proxy/outcome.ts";
import { type ExchangeRecord, type ServedSide, servedSides, type Witness } from "../../proxy/witness.ts";
import { type Side, sides } from "../../state/rules/model.ts";
import { classOf, statusClasses } from "../traffic/side-counts.ts";
import type { TrafficRecorder } from "../traffic/traffic.ts";
import { type CutoverExemplars, isSampled } from "./exemplars.ts";

/**
 * Upper bounds in seconds. From what a cached page takes on a local network (1 ms) to a payment provider that
 * hangs until a timeout ends it (60 s), about a factor of 2–2.5 apart; and 2 s, which is what a checkout is often promised.
 */
export const durationBoundsSeconds = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 2.5, 5, 10, 30, 60,
] as const;

/** The bounds, and one more for what is above them all. */
export const durationBuckets = durationBoundsSeconds.length + 1;

/**
 * Those of them that a route's own durations are told by: a hundred cutovers of ten routes are not to be a hundred thousand
 * lines.
 */
export const routeBoundsSeconds = [
  0.05, 0.25, 1, 2, 5, 10, 30,
] as const satisfies readonly (typeof durationBoundsSeconds)[number][];
export const routeBuckets = routeBoundsSeconds.length + 1;
/** Of each bucket of a cutover's durations, the one of a route's that it is of. */
const routeBucketOf = Uint8Array.from([...durationBoundsSeconds, Number.POSITIVE_INFINITY], (bound) => {
  const bucket = routeBoundsSeconds.findIndex((each) => bound <= each);
  return bucket === -1 ? routeBoundsSeconds.length : bucket;
});

/** Upper bounds in seconds of what the proxy takes itself: a decision from memory takes 0.05 ms, a store far away 50. */
export const overheadBoundsSeconds = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1,
] as const;
export const overheadBuckets = overheadBoundsSeconds.length + 1;

/** What is counted of a journey: it began, an answer ended it, a payment was made in it. */
export const journeySteps = ["started", "ended", "paid"] as const;
type JourneyStep = (typeof journeySteps)[number];

export interface CutoverRoutes {
  readonly name: string;
  readonly routes: readonly string[];
  /** Whether it has journeys, and whether one of its routes takes payments; without it, not. */
  readonly journeys?: boolean;
  readonly payments?: boolean;
}

/** Counts the requests of one route. It is resolved once, when the routes are compiled. */
export interface MeterRow {
  /** Counted when made; falling back is a decision of its own. */
  decided(side: Side, reason: Reason): void;
  /** One more request in flight to the side. @param exchange absent where there was none */
  began(side: ServedSide, exchange?: ExchangeRecord): void;
  /** The head of its answer is there. */
  answered(exchange: ExchangeRecord): void;
  /**
   * The request is over: counts it, its duration and its answer, and takes it out of flight. Pairs with one `began`
   * on the same side: a request that falls back is settled on new before it begins on legacy.
   */
  settled(side: ServedSide, outcome: Outcome, seconds: number, exchange?: ExchangeRecord): void;
  /** @param reason what the request was decided by */
  journeyed(step: JourneyStep, side: Side, reason: Reason): void;
}

export interface Counts {
  /** [route][side][outcome], routes of all cutovers in the order of the table. */
  readonly requests: Float64Array;
  /** [cutover][side][reason]; `none` decides nothing. */
  readonly decisions: Float64Array;
  /** [cutover][side][class of the answer's status]; only what the side itself has answered. */
  readonly responses: Float64Array;
  /** [cutover][side][bucket], not cumulative. */
  readonly durations: Float64Array;
  /** Seconds, [cutover][side]. */
  readonly durationSums: Float64Array;
  /** The same by route, in the coarser buckets: [route][side][bucket], and [route][side]. */
  readonly routeDurations: Float64Array;
  readonly routeDurationSums: Float64Array;
  /** [cutover][step][side][reason]. */
  readonly journeys: Float64Array;
  /** [cutover][bucket], not cumulative. */
  readonly overheads: Float64Array;
  /** Seconds, [cutover]. */
  readonly overheadSums: Float64Array;
  /** [cutover][side]. */
  readonly inflight: Float64Array;
  /** @param route index among the routes of all cutovers */
  row(cutover: number, route: number, seen: SeenBy): MeterRow;
}

/** Who else is told of a row's requests. */
interface SeenBy {
  readonly traffic: TrafficRecorder | undefined;
  readonly exemplars: CutoverExemplars | undefined;
}

export function createCounts(table: readonly CutoverRoutes[]): Counts {
  const routes = table.reduce((sum, { routes }) => sum + routes.length, 0);
  const requests = new Float64Array(routes * servedSides.length * outcomes.length);
  const decisions = new Float64Array(table.length * sides.length * reasons.length);
  const responses = new Float64Array(table.length * servedSides.length * statusClasses.length);
  const durations = new Float64Array(table.length * servedSides.length * durationBuckets);
  const durationSums = new Float64Array(table.length * servedSides.length);
  const routeDurations = new Float64Array(routes * servedSides.length * routeBuckets);
  const routeDurationSums = new Float64Array(routes * servedSides.length);
  const journeys = new Float64Array(table.length * journeySteps.length * sides.length * reasons.length);
  const overheads = new Float64Array(table.length * overheadBuckets);
  const overheadSums = new Float64Array(table.length);
  const inflight = new Float64Array(table.length * servedSides.length);

  function spent(cutover: number, seconds: number): void {
    add(overheads, cutover * overheadBuckets + bucketOf(overheadBoundsSeconds, seconds), 1);
    add(overheadSums, cutover, seconds);
  }

  function row(cutover: number, route: number, { traffic, exemplars }: SeenBy): MeterRow {
    const firstSide = cutover * servedSides.length;
    const firstOfRoute = route * servedSides.length;
    const firstRequest = firstOfRoute * outcomes.length;
    const firstDecision = cutover * sides.length * reasons.length;
    const firstJourney = firstDecision * journeySteps.length;

    return {
      decided(side: Side, reason: Reason): void {
        add(decisions, firstDecision + sideIndex(side) * reasons.length + reasons.indexOf(reason), 1);
      },
      began(side: ServedSide, exchange?: ExchangeRecord): void {
        add(inflight, firstSide + sideIndex(side), 1);
        if (exchange !== undefined && side !== "none") traffic?.began(side, exchange);
      },
      answered(exchange: ExchangeRecord): void {
        if (exchange.side !== "none") traffic?.answered(exchange.side, exchange);
      },
      settled(side: ServedSide, outcome: Outcome, seconds: number, exchange?: ExchangeRecord): void {
        const ofSide = sideIndex(side);
        const statusClass = classOf(outcome, exchange?.status);
        if (statusClass >= 0) add(responses, (firstSide + ofSide) * statusClasses.length + statusClass, 1);
        add(inflight, firstSide + ofSide, -1);
        add(requests, firstRequest + ofSide * outcomes.length + outcomes.indexOf(outcome), 1);
        const bucket = bucketOf(durationBoundsSeconds, seconds);
        add(durations, (firstSide + ofSide) * durationBuckets + bucket, 1);
        add(durationSums, firstSide + ofSide, seconds);
        add(routeDurations, (firstOfRoute + ofSide) * routeBuckets + (routeBucketOf[bucket] ?? 0), 1);
        add(routeDurationSums, firstOfRoute + ofSide, seconds);
        if (exchange !== undefined && isSampled(exchange.traceparent))
          exemplars?.put(side, bucket, exchange.traceparent, seconds);
        if (side === "none") return;
        if (exchange !== undefined) spent(cutover, exchange.ownMs / 1000);
        if (traffic === undefined) return;
        if (exchange !== undefined) traffic.ended(side, exchange);
        traffic.record(side, outcome, seconds, exchange?.status);
      },
      journeyed(step: JourneyStep, side: Side, reason: Reason): void {
        const place = (journeySteps.indexOf(step) * sides.length + sideIndex(side)) * reasons.length;
        add(journeys, firstJourney + place + reasons.indexOf(reason), 1);
        if (step === "started") traffic?.begins(side);
      },
    };
  }

  const byRoute = { requests, routeDurations, routeDurationSums };
  const bySide = { responses, durations, durationSums, inflight };
  return { ...byRoute, ...bySide, decisions, journeys, overheads, overheadSums, row };
}

function add(counts: Float64Array, index: number, amount: number): void {
  counts[index] = (counts[index] ?? 0) + amount;
}

function sideIndex(side: ServedSide): number {
  return side === "legacy" ? 0 : side === "new" ? 1 : 2;
}

/** The first bucket whose bound is not below the duration: bounds are inclusive, as Prometheus has them. */
function bucketOf(bounds: readonly number[], seconds: number): number {
  let bucket = 0;
  for (const bound of bounds) {
    if (seconds <= bound) break;
    bucket += 1;
  }
  return bucket;
}

/** Counts what matches no route: in flight from its arrival on. */
export function countsUnmatched(row: MeterRow): Witness {
  return {
    arrived: ({ side }) => row.began(side),
    settled: (record, outcome) => row.settled(record.side, outcome, secondsOf(record), record),
  };
}

/** Counts a route's requests: in flight once they are decided, and each attempt on the side that it was made on. */
export function countsRoute(row: MeterRow): Witness {
  return {
    decided(record) {
      if (record.decided === undefined) return;
      const { side, reason } = record.decided.decision;
      row.decided(side, reason);
      row.began(side, record);
    },
    fellBack: (record, outcome) => row.settled(record.side, outcome, secondsOf(record), record),
    // Its side has answered; what follows is counted for none. The 404 is no answer of the side that a client is given.
    soughtElsewhere(record, _, isFound) {
      if (isFound) row.settled(record.side, "ok", secondsOf(record), record);
    },
    answered: row.answered,
    settled(record, outcome) {
      // Over before it was in flight.
      if (record.side === "none") row.began("none");
      row.settled(record.side, outcome, secondsOf(record), record);
    },
  };
}

/** Counts the journeys that begin on a route, and those that its answers end. */
export function countsJourneys(row: MeterRow): Witness {
  return {
    journeyed({ side, reason }, _, event) {
      if (event === "seen" || side === "none" || reason === undefined) return;
      row.journeyed(event === "start" ? "started" : "ended", side, reason);
    },
  };
}

/** Counts the payments of a payment route: answers below 400 that are no failure. */
export function countsPayments(row: MeterRow): Witness {
  return {
    settled({ side, reason, status }, outcome) {
      if (outcome !== "ok" || status === undefined || status >= 400) return;
      if (side !== "none" && reason !== undefined) row.journeyed("paid", side, reason);
    },
  };
}

/** The time of the attempt. */
function secondsOf({ attemptAt, endedAt }: ExchangeRecord): number {
  return (endedAt - attemptAt) / 1000;
}

/**
 * The counting port. A row is resolved once, when the routes are compiled; counting on it touches typed arrays only
 * (counts.ts), so no label is built on the request path.
 */
import type { Reason } from "../../decide/decide.ts";
import type { Outcome } from "../../proxy/outcome.ts";
import type { ExchangeRecord, ServedSide, Witness } from "../../proxy/witness.ts";
import type { Side } from "../../state/rules/model.ts";

export interface MeterRow {
  /** Counted when made; falling back is a decision of its own. */
  decided(side: Side, reason: Reason): void;
  /** One more request in flight to the side. */
  began(side: ServedSide): void;
  /**
   * The request is over: counts it, its duration, and takes it out of flight. Pairs with one `began`
   * on the same side: a request that falls back is settled on new before it begins on legacy.
   */
  settled(side: ServedSide, outcome: Outcome, seconds: number): void;
}

export interface Meter {
  /**
   * @param cutover and route: absent for requests that no cutover matches
   * @throws Error when the configuration has no such route
   */
  row(cutover?: string, route?: string): MeterRow;
}

/** Counts what matches no route: in flight from its arrival on. */
export function countsUnmatched(row: MeterRow): Witness {
  return {
    arrived: ({ side }) => row.began(side),
    settled: (record, outcome) => row.settled(record.side, outcome, secondsOf(record)),
  };
}

/** Counts a route's requests: in flight once they are decided, and each attempt on the side that it was made on. */
export function countsRoute(row: MeterRow): Witness {
  return {
    decided({ decided }) {
      if (decided === undefined) return;
      const { side, reason } = decided.decision;
      row.decided(side, reason);
      row.began(side);
    },
    fellBack: (record, outcome) => row.settled(record.side, outcome, secondsOf(record)),
    settled(record, outcome) {
      // Over before it was in flight.
      if (record.side === "none") row.began("none");
      row.settled(record.side, outcome, secondsOf(record));
    },
  };
}

/** The time of the attempt. */
function secondsOf({ attemptAt, endedAt }: ExchangeRecord): number {
  return (endedAt - attemptAt) / 1000;
}

/**
 * What the figures of a cutover's sides tell somebody to look at. PURE.
 *
 *   hung            at least 3 shoppers wait and none was answered, for 3 s; where 99 of 100 answers of all routes that
 *                   wait took at most half as long, for 1.5 s: whoever reads it once a second then sees it within 3 s
 *   slow            one waits for twice as long as 99 of 100 answers of its route took within the last hour, and for 3 s;
 *                   where too few are known, for 30 s
 *   errors          a tenth of the requests failed, and at least 5
 *   client_errors   the side answers 4xx far more often than the other one, or to most of all where there is no other
 *
 * Ages count as they are read, to the second.
 */
import { type Side, sides } from "../../state/rules/model.ts";
import { type FlightForm, oldestOf } from "./flights.ts";

export interface SideFacts {
  readonly requests: number;
  readonly errors: number;
  /** Answers from 400 to 499. */
  readonly clientErrors: number;
  readonly flight: FlightForm;
  /** Seconds that 99 of 100 answers of a route took at most, where known. */
  readonly usual: ReadonlyMap<string, number>;
}

export interface SideWarning {
  readonly code: "hung" | "slow" | "errors" | "client_errors";
  readonly text: string;
}

const leastSeconds = 3;
const leastSilentMs = 2500;
const leastSilentOfQuickMs = 1500;
const leastShoppers = 3;
const unknownUsualSeconds = 15;

export function sideWarnings(facts: Readonly<Record<Side, SideFacts>>): SideWarning[] {
  return sides.flatMap((side) => {
    const other = facts[side === "new" ? "legacy" : "new"];
    return [...hang(side, facts[side]), ...failing(side, facts[side]), ...refusing(side, facts[side], other)];
  });
}

function hang(side: Side, { flight, usual }: SideFacts): SideWarning[] {
  const { inFlight, shoppers, silentMs, waiting } = flight;
  const oldest = oldestOf(flight);
  if (oldest === null) return [];
  const begin = `${side}: ${grouped(inFlight)} in flight, oldest ${span(oldest)}`;
  if (shoppers >= leastShoppers && silentMs !== null && silentMs >= silenceThatTells(waiting, usual)) {
    return [{ code: "hung", text: `${begin}, none answered for ${span(silentMs)}` }];
  }
  const overdue = waiting
    .filter(([route, ms]) => {
      const longest = 2 * (usual.get(route) ?? unknownUsualSeconds);
      return seconds(ms) >= Math.max(leastSeconds, longest);
    })
    .sort(([, one], [, another]) => another - one);
  const [first] = overdue;
  if (first === undefined) return [];
  const [route, ms] = first;
  const known = usual.get(route);
  const than = known === undefined ? "" : `, where 99 of 100 took up to ${span(known * 1000)}`;
  const text = `${side}: ${grouped(inFlight)} in flight, oldest of ${route} ${span(ms)}${than}`;
  return [{ code: "slow", text }];
}

function silenceThatTells(waiting: FlightForm["waiting"], usual: SideFacts["usual"]): number {
  const longest = Math.max(...waiting.map(([route]) => usual.get(route) ?? Number.POSITIVE_INFINITY));
  return 2 * longest * 1000 <= leastSilentOfQuickMs ? leastSilentOfQuickMs : leastSilentMs;
}

function failing(side: Side, { requests, errors }: SideFacts): SideWarning[] {
  if (errors < 5 || errors < requests / 10) return [];
  const text = `${side}: ${grouped(errors)} of ${grouped(requests)} requests failed (${percent(errors / requests)})`;
  return [{ code: "errors", text }];
}

/** Requests of the other side that tell how often it answers so. */
const enoughToCompare = 20;

function refusing(side: Side, { requests, clientErrors }: SideFacts, other: SideFacts): SideWarning[] {
  if (clientErrors < 5) return [];
  const share = clientErrors / requests;
  const isKnown = other.requests >= enoughToCompare;
  const otherShare = isKnown ? other.clientErrors / other.requests : 0;
  if (share <= (isKnown ? 2 * otherShare + 0.1 : 0.5)) return [];
  const compared = isKnown ? `, on ${side === "new" ? "legacy" : "new"} ${percent(otherShare)}` : "";
  return [{ code: "client_errors", text: `${side}: ${percent(share)} of the answers are 4xx${compared}` }];
}

const seconds = (ms: number) => Math.round(ms / 1000);

/** `0.4 s`, `9 s`, `119 s`, `2 min`. */
function span(ms: number): string {
  if (ms < 950) return `${(ms / 1000).toFixed(1)} s`;
  return seconds(ms) < 120 ? `${seconds(ms)} s` : `${Math.floor(ms / 60_000)} min`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

/**
 * The counting port of the data plane. A row is resolved once, when the routes are compiled; counting on it
 * touches typed arrays only (metrics.ts), so no label is built on the request path.
 */
import type { Reason } from "../../decide/decide.ts";
import type { Outcome } from "../../proxy/outcome.ts";
import type { Side } from "../../state/rules/model.ts";

/** `none`: no side was chosen, because no cutover matched or the proxy refused the request before deciding. */
export type MeteredSide = Side | "none";

export interface MeterRow {
  /** Counted when made; falling back is a decision of its own. */
  decided(side: Side, reason: Reason): void;
  /** One more request in flight to the side. */
  began(side: MeteredSide): void;
  /**
   * The request is over: counts it, its duration, and takes it out of flight. Pairs with one `began`
   * on the same side: a request that falls back is settled on new before it begins on legacy.
   */
  settled(side: MeteredSide, outcome: Outcome, seconds: number): void;
}

export interface Meter {
  /**
   * @param cutover and route: absent for requests that no cutover matches
   * @throws Error when the configuration has no such route
   */
  row(cutover?: string, route?: string): MeterRow;
}

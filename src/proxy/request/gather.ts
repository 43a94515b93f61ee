/** What a request on a route is decided by, read out of it, and the decision by that and the state in force. */
import { decide } from "../../decide/decide.ts";
import type { JourneyPin } from "../../decide/pin.ts";
import { fieldValue, type RequestView } from "../../decide/sources.ts";
import type { OwnerKey } from "../../ownership/port.ts";
import type { Following } from "../../state/follow/snapshot.ts";
import { type CutoverState, initialState, type Side } from "../../state/rules/model.ts";
import type { CompiledRoute } from "../routes.ts";
import { type Recorded, recordNotice } from "../settle.ts";
import type { Decided } from "../witness.ts";
import type { Arrival } from "./arrival.ts";
import { type Buffered, bodyJson } from "./buffered-body.ts";
import { bucketFor, forcedIn, ownerKeysIn, shopperIn } from "./facts.ts";
import { pinOf } from "./journey.ts";

export interface Gathered {
  readonly route: CompiledRoute;
  /** The valid pin of its cookie. */
  readonly pin: JourneyPin | undefined;
  readonly forced: Side | undefined;
  /** The shopper's, 0–99999. */
  readonly bucket: number | undefined;
  /** In the order of the configuration. */
  readonly keys: readonly OwnerKey[];
  /** The shopper, where its client keeps no cookies and its journey may be in the store. */
  readonly cookieless: string | undefined;
}

const noNames: readonly string[] = [];

/** @param buffered the request's body, where the route wants it */
export function gather(
  exchange: Recorded,
  { head, names, target, match }: Arrival,
  route: CompiledRoute,
  buffered: Buffered | undefined,
): Gathered {
  const { cutover } = route;
  const json =
    buffered?.kind === "whole"
      ? bodyJson(buffered.content, fieldValue(head.fields, names, "content-encoding"))
      : undefined;
  if (buffered !== undefined && json === undefined) recordNotice(exchange, { kind: "unread_body" });
  const view: RequestView = {
    fields: head.fields,
    fieldNames: names,
    query: target.query,
    paramNames: match?.names ?? noNames,
    paramValues: match?.values ?? noNames,
    json,
  };
  const pin = pinOf(exchange, cutover, view);
  const shopper = shopperIn(cutover, view);
  // Who sends no cookie at all keeps none either.
  const keepsNone = cutover.journey !== undefined && pin === undefined && !names.includes("cookie");
  return {
    route,
    pin,
    forced: forcedIn(cutover, view),
    bucket: bucketFor(cutover, shopper),
    keys: ownerKeysIn(exchange, cutover, view),
    cookieless: keepsNone ? shopper : undefined,
  };
}

/**
 * Decides by the state of now.
 *
 * @param owner the side that owns a key of the request
 * @param stored the journey's pin, where that is in the store
 */
export function judge(
  following: Following,
  { route, pin, forced, bucket, keys, cookieless }: Gathered,
  owner: Side | undefined,
  stored: JourneyPin | undefined,
): Decided {
  const { staleAfterMs } = route.cutover;
  const state = stateInForce(following, route);
  const journey = pin ?? stored;
  const stale = staleAfterMs !== undefined && following.isStale(staleAfterMs);
  const decision = decide(state, { owner, journey, forced, bucket, stale });
  return { decision, state, bucket, pin: journey, keys, cookieless, begun: undefined };
}

export function stateInForce(following: Following, { cutover }: CompiledRoute): CutoverState {
  return following.current().states.get(cutover.name) ?? initialState();
}

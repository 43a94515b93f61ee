/**
 * From a request on a route to its decision: the facts are read out of it, owners and pins asked for where there may be
 * any, and the state is that in force at the moment of deciding.
 */
import { decide } from "../../decide/decide.ts";
import type { JourneyPin, PinFault } from "../../decide/pin.ts";
import { fieldValue, type RequestView } from "../../decide/sources.ts";
import type { OwnerKey } from "../../ownership/port.ts";
import type { Following } from "../../state/follow/snapshot.ts";
import { type CutoverState, initialState, type Side } from "../../state/rules/model.ts";
import type { CompiledRoute } from "../routes.ts";
import type { Arrival } from "./arrival.ts";
import type { Held } from "./buffered-body.ts";
import { bucketFor, forcedIn, ownerKeysIn, shopperIn } from "./facts.ts";
import { jsonOf } from "./held-json.ts";
import type { Ids } from "./ids.ts";
import { pinOf } from "./journey.ts";
import { type Decided, type HoldersContext, type Met, meetHolders } from "./owner-lookup.ts";

export interface GatherContext extends HoldersContext {
  readonly following: Following;
  readonly ids: Ids;
  /** A journey cookie was tampered with, is foreign or expired. */
  readonly onIgnoredPin: (cutover: string, fault: PinFault) => void;
  /** A body that may hold a key could not be read for it. */
  readonly onUnreadBody: (cutover: string) => void;
  /** A key is too long to count. */
  readonly onLongKey: (cutover: string) => void;
}

interface Gathered {
  readonly route: CompiledRoute;
  /** The valid pin of its cookie. */
  readonly pin: JourneyPin | undefined;
  readonly forced: Side | undefined;
  readonly bucket: number | undefined;
  readonly keys: readonly OwnerKey[];
  readonly cookieless: string | undefined;
}

const noNames: readonly string[] = [];

/**
 * @param held the request's body, where the route wants it
 * @returns at once when the store need not be asked; never rejects but for a fault of the proxy's own
 */
export function gather(
  context: GatherContext,
  { head, names, target, match }: Arrival,
  route: CompiledRoute,
  held: Held | undefined,
): Met | Promise<Met> {
  const { cutover } = route;
  const json =
    held?.kind === "whole"
      ? jsonOf(held.content, fieldValue(head.fields, names, "content-encoding"))
      : undefined;
  if (held !== undefined && json === undefined) context.onUnreadBody(cutover.name);
  const view: RequestView = {
    fields: head.fields,
    fieldNames: names,
    query: target.query,
    paramNames: match?.names ?? noNames,
    paramValues: match?.values ?? noNames,
    json,
  };
  const pin = pinOf(cutover, view, Math.floor(context.clock.now() / 1000), context.onIgnoredPin);
  const shopper = shopperIn(cutover, view);
  // Who sends no cookie at all keeps none either.
  const keepsNone = cutover.journey !== undefined && pin === undefined && !names.includes("cookie");
  const gathered: Gathered = {
    route,
    pin,
    forced: forcedIn(cutover, view),
    bucket: bucketFor(cutover, shopper),
    keys: ownerKeysIn(cutover, view, context.onLongKey),
    cookieless: keepsNone ? shopper : undefined,
  };
  const { keys, cookieless } = gathered;
  const { following, ids } = context;
  if (keys.length === 0 && cookieless === undefined) return judge(following, gathered, undefined, undefined);
  return meetHolders(context, {
    route,
    keys,
    cookieless,
    state: inForce(following, route),
    newId: ids.journeyId,
    judge: (owner, stored) => judge(following, gathered, owner, stored),
  });
}

function judge(
  following: Following,
  { route, pin, forced, bucket, keys, cookieless }: Gathered,
  owner: Side | undefined,
  stored: JourneyPin | undefined,
): Decided {
  const { staleAfterMs } = route.cutover;
  const state = inForce(following, route);
  const journey = pin ?? stored;
  const stale = staleAfterMs !== undefined && following.isStale(staleAfterMs);
  const decision = decide(state, { owner, journey, forced, bucket, stale });
  return { route, decision, state, pin: journey, keys, cookieless };
}

function inForce(following: Following, { cutover }: CompiledRoute): CutoverState {
  return following.current().states.get(cutover.name) ?? initialState();
}

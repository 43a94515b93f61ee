/** The facts that a request on a route is decided by, read out of it once, and the decision by them and the state. */
import { isFound } from "../../config/values/expression.ts";
import { isInBody } from "../../config/values/source.ts";
import type { BodyValues } from "../../decide/body.ts";
import type { ShopperVisit } from "../../decide/browsing/visit.ts";
import { bucketOf } from "../../decide/bucket.ts";
import { type Cohort, decide, isVoid } from "../../decide/decide.ts";
import { keysNamedIn, type NamedKeys } from "../../decide/named.ts";
import type { JourneyPin } from "../../decide/pin.ts";
import { longestText, type RequestView, readFirstKey, readSource } from "../../decide/sources.ts";
import type { OwnerKey } from "../../ownership/port.ts";
import type { Following } from "../../state/follow/snapshot.ts";
import { type CutoverState, initialState, type Side } from "../../state/rules/model.ts";
import { aheadOf, type LeaderTold, leadersTold } from "../cohorts/ahead.ts";
import { cohortOf } from "../cohorts/cohorts.ts";
import { forcedIn } from "../force/force.ts";
import type { RequestHead } from "../inbound.ts";
import type { CompiledOwner } from "../orders.ts";
import type { CompiledCutover, CompiledRoute } from "../routes.ts";
import { type Recorded, recordNotice } from "../settle.ts";
import type { Decided, Linked, NamedShopper } from "../witness.ts";
import type { Arrival } from "./arrival.ts";
import { type Buffered, requestValues } from "./buffered-body.ts";
import { bodyAsRead, operationsOf } from "./choice/choose-route.ts";
import { pinOf } from "./cookies/journey.ts";
import { isBeside, type LinkAsked, linkAsked, linkingOf } from "./cookies/link.ts";
import { visitIn } from "./cookies/visit.ts";
import { mayKeepCookie, visitorOf } from "./cookies/visitor.ts";

export interface Gathered {
  readonly arrival: Arrival;
  readonly route: CompiledRoute;
  /** The valid pin of its cookie. */
  readonly pin: JourneyPin | undefined;
  /** Whether it carries the pin of a journey that a hard rollback has taken away. */
  readonly isVoid: boolean;
  readonly forced: Side | undefined;
  /** Whether too much is unpaid on new. */
  readonly isOverCap: boolean;
  /** The visit under way of its cookie. */
  readonly visit: ShopperVisit | undefined;
  /** Whether its client may keep a cookie that begins one. */
  readonly mayVisit: boolean;
  /** What it says of a login, where links lead through that. */
  readonly link: LinkAsked | undefined;
  /** By whose bucket that is. */
  readonly linked: Linked | undefined;
  readonly cohort: Cohort | undefined;
  /** What it tells of the cutovers that its own goes after, the nearest first. */
  readonly leaders: readonly LeaderTold[];
  /** The cutover of its group whose links count, where that is another one and it does not go after that. */
  readonly linkedBeside: LeaderTold | undefined;
  /** The shopper's, 0–99999. */
  readonly bucket: number | undefined;
  /** In the order of the configuration. */
  readonly keys: readonly OwnerKey[];
  /** What stands for the key that a body was to hold which could not be read. */
  readonly unread: string | undefined;
  /** All that may be a key in it, where its answer tells of orders made. */
  readonly named: NamedKeys;
  /** Whether it may make or change something (RFC 9110 §9.2.1): only then it claims a key. */
  readonly claims: boolean;
  /**
   * Where journeys are kept, here or in what it goes after, or shoppers handed over; without a pin of its own its journey
   * may be in the store.
   */
  readonly shopper: NamedShopper | undefined;
  /** What names its shopper; a byte string. */
  readonly identity: string | undefined;
  /** What its visitor is named here and now. */
  readonly visitor: string | undefined;
}

const noNames: readonly string[] = [];
const noBody: BodyValues = {};
const noLeaders: readonly LeaderTold[] = [];

/** @param buffered the request's body, where the route wants it */
export function gather(
  exchange: Recorded,
  arrival: Arrival,
  route: CompiledRoute,
  buffered: Buffered | undefined,
): Gathered {
  const { cutover } = route;
  const { head, names, target, match } = arrival;
  const body = (buffered && requestValues(buffered, head, names)) ?? noBody;
  const { json, form, text }: BodyValues = typeof body === "string" ? noBody : body;
  let isRead = (json ?? form) !== undefined || (route.searchesBody && text !== undefined);
  const operations = cutover.readsDocuments
    ? operationsOf(exchange.context.table, arrival, bodyAsRead(arrival, buffered))
    : undefined;
  if (operations?.isUnread || operations?.isUnknown) isRead = false;
  const view: RequestView = {
    fields: head.fields,
    fieldNames: names,
    query: target.query,
    paramNames: match?.names ?? noNames,
    paramValues: match?.values ?? noNames,
    json,
    form,
    text,
    operations,
    onUnfinished: (source) => {
      if (isInBody(source)) isRead = false;
      else recordNotice(exchange, { kind: "long_key" });
    },
  };
  const named = shopperIn(cutover, view, head.peer.address);
  const visitor = named === undefined ? visitorOf(exchange, cutover, head.method, view) : undefined;
  const shopper =
    visitor === undefined ? named : { name: visitor, isVouched: true, keepsNone: false, isVisitor: true };
  const bucket = shopper === undefined ? undefined : bucketOf(cutover.salt, shopper.name);
  const linking = linkingOf(exchange.context.table, cutover);
  const { link } = linking;
  const keeps = cutover.visit ?? link;
  const mayKeep = keeps !== undefined && mayKeepCookie(exchange.context.table.visitor, head.method, view);
  const keys = ownerKeysIn(exchange, cutover, view);
  const content = buffered?.kind === "whole" ? buffered.content : undefined;
  const unreadText = typeof body === "string" ? content?.toString("latin1") : undefined;
  // In an empty body there is nothing to be read.
  const isUnread = buffered !== undefined && route.valuesInBody && !isRead && content?.length !== 0;
  if (isUnread) recordNotice(exchange, { kind: "unread_body" });
  const shown = pinOf(exchange, cutover, view);
  const pin = countingPin(exchange, route, shown);
  const whose = () => ({ view, shopper: shopper?.name, host: arrival.host, peer: head.peer });
  return {
    arrival,
    route,
    pin,
    isVoid: pin === undefined && shown !== undefined && shown.ended !== true,
    forced: forcedIn(exchange, arrival, cutover),
    isOverCap: cutover.exposure !== undefined && exchange.context.exposure.isOver(cutover.name),
    // Mostly there are none, and nothing is put together to ask for one.
    cohort: cutover.cohorts[0] && cohortOf(cutover.cohorts, exchange.context, whose()),
    leaders: cutover.leaders.length === 0 ? noLeaders : leadersTold(exchange, cutover.leaders, whose()),
    linkedBeside: isBeside(cutover, linking) ? leadersTold(exchange, [linking.name], whose())[0] : undefined,
    visit: visitIn(exchange, cutover, view),
    mayVisit: mayKeep,
    link: link && linkAsked(exchange, link, view, { shopper, bucket, mayKeep }),
    linked: undefined,
    bucket,
    keys,
    unread: isUnread ? markOf(head, buffered) : undefined,
    named: learns(route, head.method) ? keysNamedIn(cutover.naming, view, unreadText) : nothingNamed,
    claims: !safeMethods.has(head.method),
    shopper: asksForShoppers(cutover) ? shopper : undefined,
    identity: shopper?.name,
    visitor,
  };
}

function asksForShoppers({ journey, handover, leaders }: CompiledCutover): boolean {
  return journey !== undefined || handover !== undefined || leaders.length > 0;
}

/** What is the same where a sender comes again with a body that cannot be read: as much as is known of it. */
function markOf({ method, target, framing }: RequestHead, buffered: Buffered): string {
  const length = framing.kind === "sized" ? framing.length : "";
  const text = buffered.kind === "whole" ? buffered.content.toString("latin1") : "";
  return `${method} ${target} ${length}\n${text}`;
}

/** @returns the pin unless it says nothing of this request, which is then as one without a cookie */
function countingPin(
  { context }: Recorded,
  route: CompiledRoute,
  pin: JourneyPin | undefined,
): JourneyPin | undefined {
  if (pin === undefined) return undefined;
  // A journey that has ended keeps its side for confirmation pages; a start is another journey.
  if (pin.ended && isStart(route)) return undefined;
  return isVoid(pin, stateInForce(context.following, route).pinEpoch) ? undefined : pin;
}

/**
 * The first of the sources that is present. What names a session is known to nobody but its client; any other value is
 * what anybody may say, unless it comes in the header, and from the addresses, of those who are trusted to say it.
 */
function shopperIn(
  { shopper, trustedShopper }: CompiledCutover,
  view: RequestView,
  peerAddress: string,
): NamedShopper | undefined {
  for (const source of shopper) {
    const isTrusted = source.kind === "header" && source.name === trustedShopper?.header;
    if (isTrusted && !trustedShopper.from(peerAddress)) continue;
    const name = readSource(source, view);
    if (name === undefined) continue;
    const keepsNone = !view.fieldNames.includes("cookie");
    const isOwnWord = source.kind === "cookie" || source.kind === "visitor";
    return { name, isVouched: isTrusted || isOwnWord, keepsNone, isVisitor: source.kind === "visitor" };
  }
  return undefined;
}

/** @returns the keys of the request that may have an owner, in the order of the configuration */
function ownerKeysIn(exchange: Recorded, cutover: CompiledCutover, view: RequestView): OwnerKey[] {
  const keys: OwnerKey[] = [];
  for (const owner of cutover.owners) {
    const key = readFirstKey(owner.key, view);
    if (key === undefined) continue;
    if (key.length > longestText) recordNotice(exchange, { kind: "long_key" });
    else keys.push(ownerKey(owner, key));
  }
  return keys;
}

const nothingNamed: NamedKeys = new Set();

const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** Whether each request on the route is a start: where it may be the end too, its answer tells. */
export function isStart({ starts, ends }: CompiledRoute): boolean {
  return starts !== undefined && ends === undefined;
}

/** Whether answers to this method tell of orders made. */
export function learns({ learns: from }: CompiledRoute, method: string): boolean {
  if (from === "none") return false;
  return !safeMethods.has(method) || (from === "any" && method === "GET");
}

/** A key with what its form tells of its owner. */
export function ownerKey({ patterns, learn, ttlMs, what }: CompiledOwner, key: string): OwnerKey {
  const plain = { key, ttlMs, claimed: learn === undefined, ...(what === undefined ? {} : { what }) };
  if (patterns.length === 0) return plain;
  const text = /[^\0-\x7f]/.test(key) ? Buffer.from(key, "latin1").toString("utf8") : key;
  const form = patterns.find(({ pattern }) => isFound(pattern, text) === true);
  return form === undefined ? plain : { ...plain, side: form.side };
}

/**
 * Decides by the state of now.
 *
 * @param owner the side that owns a key of the request
 * @param stored the journey's pin, where that is in the store
 */
export function decideBy(
  following: Following,
  gathered: Gathered,
  owner: Side | undefined,
  stored: JourneyPin | undefined,
): Decided {
  const { route, pin, forced, cohort, leaders, visit, bucket, isOverCap } = gathered;
  const { staleAfterMs, anonymousMoves, force } = route.cutover;
  const snapshot = following.current();
  const state = snapshot.states.get(route.cutover.name) ?? initialState();
  const after = leaders.length === 0 ? undefined : aheadOf(leaders, bucket, snapshot, following);
  const journey = pin ?? stored;
  const stale = staleAfterMs !== undefined && following.isStale(staleAfterMs);
  const decision = decide(state, {
    owner,
    journey,
    exposed: isOverCap && (route.starts !== undefined || visit === undefined),
    forced,
    forcedWhileRolledBack: force?.whileRolledBack === true,
    cohort,
    bucket,
    stale,
    visit: visit?.side,
    anonymousMoves,
    after,
  });
  const carried = pin !== undefined;
  const { keys, named, shopper, identity, visitor, mayVisit, linked, isVoid } = gathered;
  return {
    decision,
    state,
    bucket,
    cohort,
    after,
    pin: journey,
    carried,
    keys,
    named,
    shopper,
    identity,
    visitor,
    visit,
    mayVisit,
    linked,
    isVoid,
    begun: undefined,
  };
}

export function stateInForce(following: Following, { cutover }: CompiledRoute): CutoverState {
  return following.current().states.get(cutover.name) ?? initialState();
}

/**
 * One request from arrival to outcome.
 *
 *   head → refuse or route → gather facts (the body buffered, where the route wants it) → look up owners → decide
 *        → relay → settle
 *
 * Every exit passes through the one `settle` (settle.ts). The store is awaited for the owners of the request's keys and
 * for its journey alone (owner-lookup.ts): all else is answered from one immutable snapshot, read when deciding.
 */
import type { Readable } from "node:stream";
import type { ExchangeContext } from "./context.ts";
import type { Destination } from "./destinations.ts";
import { answersLink } from "./force/force.ts";
import { withHandover } from "./handover/handover.ts";
import type { Gone, Inbound } from "./inbound.ts";
import { type Refusal, refusalOf, refusals } from "./refusal.ts";
import { forwardRequest } from "./relay/forward-request.ts";
import { relayOrElse } from "./relay/or-else.ts";
import { noTaps, type RelayEvents } from "./relay/relay.ts";
import { rewriteExchange, type WayBack } from "./relay/rewrite/rewrite.ts";
import type { TunnelEnd } from "./relay/tunnel.ts";
import { lookedAt, meantByStatus, tapsOn } from "./request/answer/meaning.ts";
import { type Arrival, readArrival } from "./request/arrival.ts";
import type { Buffered } from "./request/buffered-body.ts";
import { chooseRoute } from "./request/choice/choose-route.ts";
import { bufferForRoute, bufferToChoose, guardedBody } from "./request/choice/incoming-body.ts";
import { giveBackJourney } from "./request/cookies/journey.ts";
import { addedFields } from "./request/cookies/visitor.ts";
import { isSentAway } from "./request/cookies/voided.ts";
import { fallenBack, mayFallBack } from "./request/fallback.ts";
import { gather, learns } from "./request/gather.ts";
import { type NamedRequest, namedBy } from "./request/ids.ts";
import { mayBeSent } from "./request/maintenance.ts";
import { isRefused, lookUp } from "./request/owner-lookup.ts";
import type { CompiledRoute } from "./routes.ts";
import {
  endLife,
  followBody,
  isOver,
  limit,
  type Recorded,
  recordAnswer,
  recordArrival,
  recordDecision,
  recordFinished,
  recordLateAnswer,
  recordSending,
  recordUpgrade,
  refuse,
  settle,
  settleAnswered,
  settleLeft,
  waitingSince,
} from "./settle.ts";
import { codes } from "./upstream/failure.ts";
import type { Failure, Forwarding } from "./upstream/port.ts";
import type { Decided } from "./witness.ts";

/** Takes a request and answers it. */
export type Handle = (inbound: Inbound) => void;

/** One exchange: what is known of it so far. One object, its functions are shared. */
interface Exchange extends Recorded, RelayEvents {
  /** Absent where its head was refused. */
  arrival: Arrival | undefined;
  /** Where its body has yet to tell, the first that it may be on. */
  on: CompiledRoute | undefined;
  forwarding: Forwarding | undefined;
  /** Whether the answer is read to its end although nobody waits for it, because it may name an order. */
  lingers: boolean;
  wayBack: WayBack | undefined;
}

export const createHandle = (context: ExchangeContext): Handle => begin.bind(undefined, context);

function begin(context: ExchangeContext, inbound: Inbound): void {
  const arrivedAt = context.clock.monotonic();
  const { head } = inbound;
  const names = context.fieldNames.of(head.fields);
  const named = namedBy(context, head, names);
  const read = readArrival(context.table, head, names, context.proxyName);
  const arrival = "proxyError" in read ? undefined : read;
  const exchange = createExchange(context, inbound, named, arrivedAt, arrival);
  recordArrival(exchange, arrival?.near);
  if ("proxyError" in read) refuse(exchange, read);
  else if (head.framing.kind === "sized" && head.framing.length > context.table.bodyLimits.maxBytes)
    refuse(exchange, refusals.bodyTooLarge);
  else if (!answersLink(exchange, read)) goOn(exchange, read);
}

function createExchange(
  context: ExchangeContext,
  inbound: Inbound,
  { requestId, traceparent, parent }: NamedRequest,
  arrivedAt: number,
  arrival: Arrival | undefined,
): Exchange {
  const on = (arrival?.choices?.[0] ?? arrival?.match)?.value;
  return {
    context,
    inbound,
    requestId,
    traceparent,
    parent,
    method: inbound.head.method,
    cutover: on?.cutover.name ?? "none",
    route: on?.name ?? arrival?.elsewhere.name ?? "none",
    arrivedAt,
    attemptAt: arrivedAt,
    readyAt: arrivedAt,
    ownMs: 0,
    endedAt: arrivedAt,
    side: "none",
    reason: undefined,
    decided: undefined,
    orElse: undefined,
    status: undefined,
    outcome: undefined,
    code: undefined,
    witnesses: (on ?? arrival?.elsewhere ?? context.table.fallthrough).witnesses,
    deadlines: undefined,
    unwatch: undefined,
    giveBack: undefined,
    unsent: false,
    meaning: undefined,
    hasBegun: false,
    hasFailed: false,
    askedAt: arrivedAt,
    gaveUpAfterMs: on?.cutover.gaveUpAfterMs ?? Number.POSITIVE_INFINITY,
    waitingSince,
    waitsAt: -1,
    isAwaited: false,
    deskAt: -1,
    pastAt: -1,
    arrival,
    on,
    content: inbound.body,
    forwarding: undefined,
    lifetime: undefined,
    lingers: false,
    wayBack: undefined,
    dueAt: 0,
    before: undefined,
    behind: undefined,
    expired,
    answered,
    ended,
    switched,
    misbehaved,
    failed,
  };
}

function goOn(exchange: Exchange, arrival: Arrival): void {
  const { inbound, on: route } = exchange;
  const { framing } = inbound.head;
  inbound.answer.onGone((why) => gone(exchange, why));
  const body = framing.kind === "none" ? inbound.body : guardedBody(exchange);
  exchange.content = body;
  if (framing.kind !== "none") followBody(exchange, body);
  if (arrival.choices !== undefined) chooseFirst(exchange, arrival, body);
  else if (route === undefined) send(exchange, arrival.elsewhere.destination);
  else if (route.buffersBody && framing.kind !== "none") bufferFirst(exchange, arrival, route, body);
  else decideSide(exchange, arrival, route, undefined);
}

function bufferFirst(exchange: Exchange, arrival: Arrival, route: CompiledRoute, body: Readable): void {
  whenRead(exchange, bufferForRoute(exchange, route, body), (buffered) => {
    exchange.content = buffered.content;
    decideSide(exchange, arrival, route, buffered);
  });
}

/** Its body tells which route it is on. */
function chooseFirst(exchange: Exchange, arrival: Arrival, body: Readable): void {
  whenRead(exchange, bufferToChoose(exchange, arrival, body), (buffered) => {
    const chosen = chooseRoute(exchange, arrival, buffered);
    if (chosen === undefined) return;
    exchange.arrival = chosen;
    exchange.on = chosen.match?.value;
    if (exchange.on === undefined) send(exchange, chosen.elsewhere.destination);
    else decideSide(exchange, chosen, exchange.on, buffered);
  });
}

function whenRead<Read>(exchange: Exchange, body: Promise<Read>, goOn: (read: Read) => void): void {
  body.then(goOn, () => settle(exchange, "client_aborted")).catch((error) => fail(exchange, error));
}

function decideSide(
  exchange: Exchange,
  arrival: Arrival,
  route: CompiledRoute,
  buffered: Buffered | undefined,
): void {
  goBy(exchange, route, lookUp(exchange.context, gather(exchange, arrival, route, buffered)));
}

function goBy(exchange: Exchange, route: CompiledRoute, found: ReturnType<typeof lookUp>): void {
  if ("then" in found) found.then((by) => go(exchange, route, by)).catch((error) => fail(exchange, error));
  else go(exchange, route, found);
}

function go(exchange: Exchange, route: CompiledRoute, by: Decided | Refusal): void {
  if (isRefused(by)) {
    refuse(exchange, by);
    return;
  }
  if (by.begun !== undefined || by.settleClaims !== undefined) {
    exchange.giveBack = () => {
      if (!exchange.hasBegun) giveBackJourney(exchange, route.cutover.name, by);
      by.settleClaims?.(!exchange.unsent);
    };
  }
  if (!mayBeSent(exchange, route, by)) return;
  if (isSentAway(exchange, route, exchange.arrival, by)) return;
  recordDecision(exchange, by);
  const destination = route.destinations[by.decision.side];
  const waits = recordSending(exchange);
  if (waits === undefined) send(exchange, destination);
  else waits.then(() => send(exchange, destination)).catch((error) => fail(exchange, error));
}

function send(exchange: Exchange, destination: Destination): void {
  const { context, inbound, arrival, on: route, decided: by, content } = exchange;
  // Its head was refused, or it has ended since it was decided: nothing of it is sent.
  if (arrival === undefined || isOver(exchange)) return;
  limit(exchange, destination.total);
  exchange.lifetime = destination.lifetime;
  const { method, framing } = inbound.head;
  const looks = route === undefined ? "status" : lookedAt(route, method);
  const isRead = looks === "body" || route?.failure?.looks.rules === "body";
  const made = forwardRequest(context, arrival, destination, exchange, content, isRead);
  rewriteExchange(destination.rewriting, exchange, arrival, made);
  const request = withHandover(exchange, route, by, made);
  const taps = route && by ? tapsOn(exchange, arrival, route, by, looks) : noTaps;
  // A body that is still under way breaks off with the client.
  if (route !== undefined && looks !== "status")
    exchange.lingers = learns(route, method) && (Buffer.isBuffer(content) || framing.kind === "none");
  exchange.forwarding = relayOrElse(exchange, arrival, route, destination, request, taps);
}

function answered(this: Exchange, status: number): readonly string[] {
  const { on: route, decided: by } = this;
  const meaning = this.meaning ?? (route && meantByStatus(route, status));
  if (meaning?.finishes && by !== undefined) recordFinished(this, by, meaning.keys);
  if (isOver(this)) {
    recordLateAnswer(this, status);
    return [];
  }
  recordAnswer(this, status, this.content);
  if (route === undefined || by === undefined || meaning === undefined) return [];
  return addedFields(this, route, by, meaning);
}

function ended(this: Exchange): void {
  settleAnswered(this);
}

function switched(this: Exchange): (end: TunnelEnd) => void {
  return recordUpgrade(this);
}

function misbehaved(this: Exchange): void {
  this.forwarding?.abort();
  refuse(this, refusals.protocol_error);
}

function failed(this: Exchange, failure: Failure): void {
  if (isOver(this)) return;
  this.unsent = !failure.sent;
  const { on: route, decided: by } = this;
  if (route !== undefined && by !== undefined && mayFallBack(this, route, by, failure)) {
    goBy(this, route, fallenBack(this, route, by, failure));
  } else if (failure.code === codes.requestBody) {
    // What came is no whole request: its client has left, or is out of step.
    this.inbound.answer.abort();
    settleLeft(this);
  } else refuse(this, refusalOf(failure));
}

/** Its total time is over, or the time its answer may live. */
function expired(this: Exchange): void {
  this.forwarding?.abort();
  if (!endLife(this)) refuse(this, this.forwarding ? refusals.timeout : refusals.requestTimeout);
}

function gone(exchange: Exchange, why: Gone): void {
  if (isOver(exchange)) return;
  if (!exchange.lingers || why === "malformed") exchange.forwarding?.abort();
  if (why === "malformed") refuse(exchange, refusals.malformed);
  else settleLeft(exchange);
}

/** A fault of ours ends this exchange, not the process. */
function fail(exchange: Exchange, error: unknown): void {
  exchange.context.onFault(error);
  exchange.forwarding?.abort();
  refuse(exchange, refusals.internal);
}

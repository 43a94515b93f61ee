/**
 * A request on its way to an upstream and the answer on its way back: let in by the admission, sent by the engine, sent
 * once more where a kept connection was dead, passed on as fast as the client takes it.
 */
import type { ExchangeContext } from "../context.ts";
import type { Destination } from "../destinations.ts";
import type { Answer, Inbound, RequestHead } from "../inbound.ts";
import { connectOf, type Entry, type ShedReason, type Way } from "../upstream/admission.ts";
import type { Connect, Pass } from "../upstream/breaker.ts";
import type {
  Failure,
  Forwarding,
  ForwardRequest,
  ResponseHead,
  ResponseSink,
  Switched,
  UpgradeLimits,
} from "../upstream/port.ts";
import type { Waiter } from "../upstream/slots.ts";
import type { SetAgainst } from "./cookies/apart.ts";
import { keepFromSharedCaches, type PassedHead, responseHead } from "./headers.ts";
import type { WayBack } from "./rewrite/rewrite.ts";
import { trailerFields } from "./trailers.ts";
import { joinTunnel, type TunnelEnd } from "./tunnel.ts";

/** What the exchange is told; after `ended` or `failed` nothing follows. */
export interface RelayEvents {
  /** What becomes of the answer, where its upstream has other addresses and fields than shoppers see. */
  readonly wayBack?: WayBack | undefined;
  /** The response's status is known. @returns fields to add to the answer, flat */
  answered(status: number): readonly string[];
  ended(): void;
  /** The upstream changed the protocol and both connections are joined. @returns hears of their end */
  switched(): (end: TunnelEnd) => void;
  /** The upstream answered what cannot be passed on. */
  misbehaved(): void;
  failed(failure: Failure): void;
}

/**
 * Stands in the way of one answer, from the upstream to the client, and sees all of it: what it returns is given each
 * part, and passes it on to `next`, at once or later. A change of protocol goes past it, and nobody tells it that the
 * answer was given up.
 *
 * @param resume asks the upstream for more, after the tap has said by `data` that no more is wanted
 */
export type Tap = (next: ResponseSink, resume: () => void) => ResponseSink;

type RelayContext = Pick<ExchangeContext, "proxyName" | "clock" | "droppedCookie">;

/** The taps of an answer that nothing else wants to see. */
export const noTaps: readonly Tap[] = [];

/**
 * One request on its way, and its answer: what the engine calls, what waits to be let in, and what the exchange gives
 * up. Its functions are shared.
 */
interface Relay extends ResponseSink, Forwarding, Waiter {
  readonly context: RelayContext;
  readonly way: Way;
  readonly marking: Destination["marking"];
  readonly asked: RequestHead;
  readonly answer: Answer;
  readonly events: RelayEvents;
  request: ForwardRequest;
  /** The first of the taps, where there are any. */
  tap: ResponseSink | undefined;
  /** waiting: to be let in. passing: is in. over: nothing follows from the engine. */
  stage: "waiting" | "passing" | "over";
  /** Absent before it is let in, and once its admission has heard of the connect. */
  pass: Pass | undefined;
  forwarding: Forwarding | undefined;
}

/**
 * Sends the request, once it is let in, and relays what comes back, as fast as the client takes it.
 *
 * @param taps those that see the answer on its way, the first of them first
 */
export function relay(
  context: RelayContext,
  { way, marking }: Pick<Destination, "way" | "marking">,
  request: ForwardRequest,
  { head: asked, answer }: Pick<Inbound, "head" | "answer">,
  events: RelayEvents,
  taps: readonly Tap[],
): Forwarding {
  const made: Relay = {
    context,
    way,
    marking,
    asked,
    answer,
    events,
    request,
    tap: undefined,
    stage: "waiting",
    pass: undefined,
    forwarding: undefined,
    place: undefined,
    granted,
    expired,
    interim,
    head,
    data,
    end,
    switched,
    failure,
    resume,
    abort,
  };
  if (taps.length > 0) made.tap = tapped(taps, made);
  enter(made);
  answer.onDrain(() => made.resume());
  return made;
}

function tapped(taps: readonly Tap[], relayed: Relay): ResponseSink {
  const last: ResponseSink = {
    interim: (received) => passInterim(relayed, received),
    head: (received) => passHead(relayed, received),
    data: (chunk) => relayed.answer.write(chunk),
    end: (trailers) => passEnd(relayed, trailers),
    failure: (failed) => relayed.events.failed(failed),
  };
  const resumeIt = () => relayed.resume();
  return taps.reduceRight((next, tap) => tap(next, resumeIt), last);
}

function enter(relayed: Relay): void {
  goOn(relayed, relayed.way.admission.enter(relayed));
}

function granted(this: Relay): void {
  goOn(this, this.way.admission.enterGranted());
}

function expired(this: Relay): void {
  turnAway(this, "queue_timeout");
}

function goOn(relayed: Relay, entry: Entry): void {
  if (entry === "queued") return;
  if (typeof entry === "string") {
    // The caller has no Forwarding yet.
    queueMicrotask(() => turnAway(relayed, entry));
    return;
  }
  const { way, request } = relayed;
  relayed.stage = "passing";
  relayed.pass = entry;
  const upstream = request.upgrade === undefined ? way.engine : way.upgrades;
  relayed.forwarding = upstream.forward(request, relayed);
}

function turnAway(relayed: Relay, reason: ShedReason): void {
  // Given up by the caller meanwhile.
  if (relayed.stage === "over") return;
  relayed.stage = "over";
  passFailure(relayed, relayed.way.admission.refuse(reason));
}

function interim(this: Relay, received: ResponseHead): void {
  connected(this);
  const seen = asSeen(this, received);
  if (this.tap === undefined) passInterim(this, seen);
  else this.tap.interim(seen);
}

function head(this: Relay, received: ResponseHead): void {
  connected(this);
  const seen = asSeen(this, received);
  if (this.tap === undefined) passHead(this, seen);
  else this.tap.head(seen);
}

/** @returns the head with the addresses that its shopper sees */
function asSeen({ events: { wayBack } }: Relay, received: ResponseHead): ResponseHead {
  return wayBack === undefined ? received : wayBack.back(received);
}

function data(this: Relay, chunk: Buffer): boolean {
  return this.tap === undefined ? this.answer.write(chunk) : this.tap.data(chunk);
}

function end(this: Relay, trailers: readonly string[]): void {
  leave(this, "made");
  if (this.tap === undefined) passEnd(this, trailers);
  else this.tap.end(trailers);
}

function switched(this: Relay, received: ResponseHead, connection: Switched, limits: UpgradeLimits): void {
  leave(this, "made");
  const { events, answer, request } = this;
  const out = passedHead(this, asSeen(this, received).fields, "final").fields;
  out.push(...events.answered(101), "Connection", "Upgrade", "Upgrade", request.upgrade ?? "");
  const client = answer.switchProtocols?.(out);
  if (client === undefined) connection.stream.destroy();
  else joinTunnel(client, connection, limits, events.switched());
}

function failure(this: Relay, failed: Failure): void {
  leave(this, connectOf(failed));
  if (failed.stale && !this.request.fresh && mayRepeat(this.request)) {
    this.way.admission.repeated();
    this.request = { ...this.request, fresh: true };
    this.stage = "waiting";
    enter(this);
  } else passFailure(this, failed);
}

function resume(this: Relay): void {
  this.forwarding?.resume();
}

function abort(this: Relay): void {
  if (this.stage === "waiting") {
    this.stage = "over";
    this.way.admission.withdraw(this);
  } else if (this.stage === "passing") {
    leave(this, "unknown");
    this.forwarding?.abort();
  }
}

function connected(relayed: Relay): void {
  const { pass } = relayed;
  if (pass === undefined) return;
  relayed.pass = undefined;
  relayed.way.admission.connected(pass);
}

function leave(relayed: Relay, connect: Connect): void {
  if (relayed.stage !== "passing") return;
  relayed.stage = "over";
  const { pass } = relayed;
  relayed.pass = undefined;
  relayed.way.admission.leave(pass, connect);
}

function passInterim(relayed: Relay, { status, reason, fields }: ResponseHead): void {
  const { events, asked, answer } = relayed;
  if (status === 101) {
    events.misbehaved();
    return;
  }
  // 100 is this hop's own affair; HTTP/1.0 knows no interim response (RFC 9110 §15.2).
  if (status === 100 || asked.version === "1.0") return;
  answer.interim(status, reason, passedHead(relayed, fields, "interim").fields);
}

function passHead(relayed: Relay, received: ResponseHead): void {
  const { events, answer, request } = relayed;
  const { status, reason } = received;
  const { fields, length } = passedHead(relayed, received.fields, "final");
  const added = events.answered(status);
  if (added.includes("Set-Cookie")) keepFromSharedCaches(request.method, fields);
  for (const part of added) fields.push(part);
  try {
    answer.head({ status, reason, fields, length });
  } catch {
    // A control character in the upstream's head: the transport will not write it (RFC 9110 §5.5).
    events.misbehaved();
  }
}

/** What goes on of a head of the upstream's. */
function passedHead(relayed: Relay, received: readonly string[], kind: "interim" | "final"): PassedHead {
  const { marking, context, events } = relayed;
  const passed = responseHead(received, marking.onAnswer ? context.proxyName : undefined);
  events.wayBack?.pass(passed.fields, kind);
  marking.cookies?.toClient(passed.fields, () => setAgainst(relayed));
  return passed;
}

function setAgainst({ asked: { fields }, context }: Relay): SetAgainst {
  const cookies = fields.filter((_, i) => i % 2 === 1 && fields[i - 1]?.toLowerCase() === "cookie");
  return { cookies, nowMs: context.clock.now(), dropped: context.droppedCookie };
}

function passEnd({ events, answer }: Relay, trailers: readonly string[]): void {
  const passed = trailerFields(trailers);
  answer.end(events.wayBack?.drop(passed) ?? passed);
  events.ended();
}

function passFailure({ tap, events }: Relay, failed: Failure): void {
  if (tap === undefined) events.failed(failed);
  else tap.failure(failed);
}

/**
 * Whether it may be sent again after a kept connection turned out to be dead: the upstream may have closed it just
 * before, and no harm is done if it has not (RFC 9110 §9.2.2, RFC 9112 §9.3.1).
 */
function mayRepeat({ method, body }: ForwardRequest): boolean {
  return body.kind === "none" && idempotent.has(method);
}

const idempotent: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

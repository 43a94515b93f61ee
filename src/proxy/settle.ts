/**
 * The record of an exchange, and its end: whatever becomes of it, `settle` is what ends it, once. Here its witnesses are
 * told of each phase, and here alone it is known whether it is over.
 */
import type { Readable } from "node:stream";
import type { Deadlines, Waiting } from "../base/waiting/deadlines.ts";
import type { JourneyPin } from "../decide/pin.ts";
import type { JourneyEvent, OwnerKey } from "../ownership/port.ts";
import type { Side } from "../state/rules/model.ts";
import type { ExchangeContext } from "./context.ts";
import type { Inbound } from "./inbound.ts";
import type { Outcome } from "./outcome.ts";
import { type Refusal, renderRefusal } from "./refusal.ts";
import type { TunnelEnd } from "./relay/tunnel.ts";
import type { FixedRoute } from "./request/routing.ts";
import type { CompiledRoute } from "./routes.ts";
import type { Decided, ExchangeRecord, Notice, Witnesses } from "./witness.ts";

type Writable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

/** An exchange as far as its record and its end go; it is its own record, and waits for the end of its own time. */
export interface Recorded extends Writable<ExchangeRecord>, Waiting {
  readonly context: ExchangeContext;
  readonly inbound: Inbound;
  witnesses: Witnesses;
  /** Where its time is bounded: in all, or from the head of its answer on. */
  deadlines: Deadlines | undefined;
  /** How long an answer of where it was sent last may go on, where that is bounded. */
  lifetime: Deadlines | undefined;
  /** Ends the watch over the request's body, where there is one. */
  unwatch: (() => void) | undefined;
  /** Gives back what its request was to bind, unless that was bound. */
  giveBack: (() => void) | undefined;
  /** Whether its answer has begun a journey. */
  hasBegun: boolean;
  /** What is sent of the request's body. */
  content: Buffer | Readable;
  /** When there was all that its side is decided by: on arrival, when its body was read, or when it fell back. */
  readyAt: number;
  /** When its side was last given something of it, or took no more. */
  askedAt: number;
  /** How long its client has waited for a head when its leaving counts against the side. */
  gaveUpAfterMs: number;
  /** Whether the route's own condition says that its answer is that of a failure. */
  hasFailed: boolean;
}

export function isOver(exchange: Recorded): boolean {
  return exchange.outcome !== undefined;
}

/** @param near a route that the request is not on: who is told of that route's oddities hears of this one */
export function recordArrival(exchange: Recorded, near: CompiledRoute | undefined): void {
  for (const witness of exchange.witnesses.arrived) witness.arrived(exchange);
  if (near === undefined) return;
  const notice = { kind: "near_path", cutover: near.cutover.name } as const;
  for (const witness of near.witnesses.noticed) witness.noticed(exchange, notice);
}

/** Its body has told which route it is on; until then it counted as on the first that it might be on. */
export function recordRoute(exchange: Recorded, on: CompiledRoute | undefined, elsewhere: FixedRoute): void {
  const before = exchange.witnesses;
  exchange.cutover = on?.cutover.name ?? "none";
  exchange.route = (on ?? elsewhere).name;
  exchange.gaveUpAfterMs = on?.cutover.gaveUpAfterMs ?? Number.POSITIVE_INFINITY;
  exchange.witnesses = (on ?? elsewhere).witnesses;
  if (exchange.witnesses === before) return;
  for (const witness of exchange.witnesses.arrived) witness.arrived(exchange);
  for (const witness of before.left) witness.left(exchange);
}

export function recordNotice(exchange: Recorded, notice: Notice): void {
  for (const witness of exchange.witnesses.noticed) witness.noticed(exchange, notice);
}

export function recordDecision(exchange: Recorded, by: Decided): void {
  exchange.decided = by;
  exchange.askedAt = exchange.context.clock.monotonic();
  exchange.ownMs += exchange.askedAt - exchange.readyAt;
  exchange.side = by.decision.side;
  exchange.reason = by.decision.reason;
  for (const witness of exchange.witnesses.decided) witness.decided(exchange);
}

/** @returns resolves when nobody holds it back any more, which is in a bounded time; `undefined`: nobody does */
export function recordSending(exchange: Recorded): Promise<void> | undefined {
  let waits: Promise<void> | undefined;
  for (const witness of exchange.witnesses.sending) waits = witness.sending(exchange) ?? waits;
  if (waits === undefined) return undefined;
  exchange.unsent = true;
  return waits.then(() => {
    if (!isOver(exchange)) exchange.unsent = false;
  });
}

/** The attempt failed before a byte was sent, and another follows: what it took counts against its side. */
export function recordFallback(exchange: Recorded, outcome: Outcome, code: string): void {
  exchange.endedAt = exchange.context.clock.monotonic();
  for (const witness of exchange.witnesses.fellBack) witness.fellBack(exchange, outcome, code);
  exchange.attemptAt = exchange.endedAt;
  exchange.readyAt = exchange.endedAt;
  exchange.ownMs = 0;
}

/** The side has answered, and another is asked: how long that takes is not the side's. */
export function recordAsking(exchange: Recorded): void {
  exchange.deadlines?.end(exchange);
  exchange.gaveUpAfterMs = Number.POSITIVE_INFINITY;
}

/** What was found is no side's answer by any count: what it takes from here on is told of none. */
export function recordElsewhere(exchange: Recorded, side: Side, isFound: boolean): void {
  exchange.endedAt = exchange.context.clock.monotonic();
  for (const witness of exchange.witnesses.soughtElsewhere) witness.soughtElsewhere(exchange, side, isFound);
  if (!isFound) return;
  exchange.attemptAt = exchange.endedAt;
  exchange.orElse = side;
  exchange.side = "none";
}

export function recordJourney(exchange: Recorded, pin: JourneyPin, event: JourneyEvent): void {
  for (const witness of exchange.witnesses.journeyed) witness.journeyed(exchange, pin, event);
}

/** @param told the keys in the answer: those count that it names first */
export function recordFinished(exchange: Recorded, by: Decided, told: readonly OwnerKey[]): void {
  if (exchange.witnesses.finished.length === 0) return;
  const keys = [...by.keys, ...told.filter(({ key }) => !by.named.has(key))];
  for (const witness of exchange.witnesses.finished) witness.finished(exchange, keys);
}

export function recordAnswer(exchange: Recorded, status: number, content: Buffer | Readable): void {
  exchange.status = status;
  limitAnswer(exchange, content);
  for (const witness of exchange.witnesses.answered) witness.answered(exchange);
}

/** Nobody is there any more to be given anything, but the side has answered. */
export function recordLateAnswer(exchange: Recorded, status: number): void {
  for (const witness of exchange.witnesses.answeredLate) witness.answeredLate(exchange, status);
}

/** The exchange is over with the 101; what follows is no request, and its length no latency. */
export function recordUpgrade(exchange: Recorded): (end: TunnelEnd) => void {
  settle(exchange, "ok");
  // The connection may last for a day: it keeps nothing of the exchange.
  const listeners: ((end: TunnelEnd) => void)[] = [];
  for (const witness of exchange.witnesses.upgraded) listeners.push(witness.upgraded(exchange));
  return (end) => {
    for (const listener of listeners) listener(end);
  };
}

/** Bounds its total time; `expired` is called when that is over first. The first call counts. */
export function limit(exchange: Recorded, deadlines: Deadlines): void {
  if (exchange.deadlines !== undefined) return;
  exchange.deadlines = deadlines;
  deadlines.wait(exchange);
}

/**
 * The answer has begun. Once the request is over too, what follows may go on for as long as it moves, or for as long as
 * it may live; a request that is still under way keeps its total time.
 */
function limitAnswer(exchange: Recorded, content: Buffer | Readable): void {
  const { lifetime, inbound } = exchange;
  const { framing } = inbound.head;
  if (isOver(exchange)) return;
  if (framing.kind === "none" || Buffer.isBuffer(content) || content.readableEnded) {
    exchange.deadlines?.end(exchange);
    exchange.deadlines = lifetime;
    lifetime?.wait(exchange);
  } else content.once("end", () => limitAnswer(exchange, content));
}

/**
 * The answer has gone on for as long as it may: it is broken off, and its side has not failed.
 *
 * @returns whether that is what is over, and not the total time
 */
export function endLife(exchange: Recorded): boolean {
  const { deadlines, lifetime } = exchange;
  if (deadlines === undefined || deadlines !== lifetime) return false;
  exchange.inbound.answer.abort();
  settleAnswered(exchange, "lifetime_over");
  return true;
}

export function settleAnswered(exchange: Recorded, code?: string): void {
  if ((exchange.status ?? 0) >= 500) settle(exchange, "server_error", code);
  else if (exchange.hasFailed) settle(exchange, "failed", "failed");
  else settle(exchange, "ok", code);
}

/** Remembers when its side is last given something of the body, and when it takes no more. */
export function followBody(exchange: Recorded, body: Readable): void {
  const note = () => {
    exchange.askedAt = exchange.context.clock.monotonic();
  };
  body.on("end", note).on("pause", note);
}

/** An exchange's own; its meaning is the record's. */
export function waitingSince(this: Recorded): number | undefined {
  const { side, status, content, inbound, askedAt } = this;
  if (side === "none" || status !== undefined) return undefined;
  if (inbound.head.framing.kind === "none" || Buffer.isBuffer(content) || content.readableEnded)
    return askedAt;
  // While it flows its client is awaited, and while it does not its side.
  return content.readableFlowing === true ? undefined : askedAt;
}

/** Its client has left. One that had waited in vain for its side says something of that side. */
export function settleLeft(exchange: Recorded): void {
  const since = exchange.waitingSince();
  if (since !== undefined && exchange.context.clock.monotonic() - since >= exchange.gaveUpAfterMs) {
    settle(exchange, "gave_up", "gave_up");
  } else settle(exchange, "client_aborted");
}

/** @param code what the refusal or the failure is called that ended it */
export function settle(exchange: Recorded, outcome: Outcome, code?: string): void {
  if (isOver(exchange)) return;
  exchange.outcome = outcome;
  exchange.code = code;
  exchange.endedAt = exchange.context.clock.monotonic();
  exchange.deadlines?.end(exchange);
  exchange.unwatch?.();
  exchange.giveBack?.();
  for (const witness of exchange.witnesses.settled) witness.settled(exchange, outcome);
}

/** Sends the client elsewhere (RFC 9110 §15.4.4). @param fields with its Location */
export function redirect(exchange: Recorded, fields: readonly string[]): void {
  exchange.status = 303;
  const given = [...fields, "Cache-Control", "no-store"];
  exchange.inbound.answer.head({ status: 303, reason: "See Other", fields: given, length: 0 });
  exchange.inbound.answer.end([]);
  settle(exchange, "ok");
}

/** Answers what is no refusal and no shop's answer. @param fields without its length */
export function answerSelf(exchange: Recorded, fields: string[], content: Buffer): void {
  exchange.status = 200;
  exchange.inbound.answer.head({ status: 200, reason: "OK", fields, length: content.length });
  if (exchange.inbound.head.method !== "HEAD") exchange.inbound.answer.write(content);
  exchange.inbound.answer.end([]);
  settle(exchange, "ok");
}

/** Answers in the proxy's own words, or breaks off when the upstream's head is already out; and settles. */
export function refuse(exchange: Recorded, refusal: Refusal): void {
  if (isOver(exchange)) return;
  const { head, answer } = exchange.inbound;
  if (answer.headSent()) answer.abort();
  else {
    const { status, reason: phrase } = refusal;
    const { fields, body } = renderRefusal(refusal, exchange.context.proxyName, exchange.requestId);
    exchange.status = status;
    answer.head({ status, reason: phrase, fields, length: body.length });
    if (head.method !== "HEAD" && body.length > 0) answer.write(body);
    answer.end([]);
  }
  settle(exchange, refusal.outcome, refusal.code);
}

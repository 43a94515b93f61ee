/**
 * One request from arrival to outcome.
 *
 *   head → refuse or route → facts (body held, owners asked: only where the route wants it) → decide
 *        → relay → settle
 *
 * Every exit passes through the one `settle` of its life (life.ts). The store is awaited for one thing only: who
 * holds the keys and the journey of the request, where it carries keys or its client keeps no cookies (holders.ts).
 * All else is answered from one immutable snapshot, read when deciding.
 */
import type { Readable } from "node:stream";
import type { Clock } from "../base/clock.ts";
import { fieldValue } from "../decide/sources.ts";
import type { Notebook } from "../ownership/port.ts";
import { mayFallBack } from "./fallback.ts";
import type { Gone, Inbound } from "./inbound.ts";
import type { TunnelEnd, UpgradeCounts } from "./listen/metrics.ts";
import { type Refusal, refusalOf, refusals } from "./refusal.ts";
import {
  decisionField,
  forwardRequest,
  noTaps,
  type RelayContext,
  type RelayEvents,
  relay,
  type Tap,
} from "./relay/relay.ts";
import { type Arrival, readArrival } from "./request/arrival.ts";
import { type BodyLimits, boundedBody, watchBody } from "./request/body-limits.ts";
import { type Held, holdBody } from "./request/buffered-body.ts";
import { type GatherContext, gather } from "./request/gather.ts";
import { type JourneyContext, journeyFields } from "./request/journey.ts";
import { learning, learns } from "./request/learn.ts";
import type { Decided, Met } from "./request/owner-lookup.ts";
import type { CompiledRoute, Destination } from "./routes.ts";
import {
  attemptFailed,
  began,
  beginLife,
  decided,
  type Life,
  type LifeContext,
  limit,
  refuse,
  routed,
  settle,
  type Watcher,
} from "./settle.ts";
import { codes } from "./upstream/failure.ts";
import type { Failure, Forwarding } from "./upstream/port.ts";

export interface ExchangeContext extends RelayContext, GatherContext, Omit<LifeContext, "noneRow"> {
  readonly bodyLimits: BodyLimits;
  /** Hears of each answer that begins, continues or ends a journey. */
  readonly journeys?: Pick<Notebook, "seen"> | undefined;
  /** Hears of each order that is finished. */
  readonly orders?: Pick<Notebook, "finished"> | undefined;
  /** Name of a response field that tells how the request was decided; for tests and debugging. */
  readonly decisionHeader: string | undefined;
  /** Counts connections whose protocol was changed. */
  readonly upgrades: UpgradeCounts;
  /** Hears of a fault of the proxy's own. */
  readonly onFault: (error: unknown) => void;
}

export type Exchange = (inbound: Inbound) => void;

/** What exchanges share. */
interface World extends ExchangeContext {
  readonly lifeContext: LifeContext;
  readonly journeyContext: JourneyContext;
}

/** One exchange: what is known of it so far. Its functions are shared. */
interface Course extends RelayEvents, Watcher {
  readonly world: World;
  readonly inbound: Inbound;
  readonly life: Life;
  readonly arrival: Arrival;
  readonly route: CompiledRoute | undefined;
  decided: Decided | undefined;
  /** What is sent of the body. */
  content: Buffer | Readable;
  forwarding: Forwarding | undefined;
  /** Whether the answer is read to its end although nobody waits for it, because it may name an order. */
  lingers: boolean;
}

export function createExchange(context: ExchangeContext): Exchange {
  const { table, ids } = context;
  const world: World = {
    ...context,
    lifeContext: { ...context, noneRow: table.noneRow },
    journeyContext: { ...context, newId: ids.journeyId },
  };
  return (inbound) => begin(world, inbound);
}

function begin(world: World, inbound: Inbound): void {
  const { head } = inbound;
  const { framing } = head;
  const names = world.fieldNames.of(head.fields);
  const requestId = world.ids.requestId(fieldValue(head.fields, names, "x-request-id"));
  const life = beginLife(world.lifeContext, inbound, requestId);
  const arrival = readArrival(world.table, head, names, world.proxyName);
  if ("proxyError" in arrival) {
    refuse(life, arrival);
    return;
  }
  const route = arrival.match?.value;
  if (route !== undefined) routed(life, route);
  if (framing.kind === "sized" && framing.length > world.bodyLimits.maxBytes) {
    refuse(life, refusals.bodyTooLarge);
    return;
  }
  const course = createCourse(world, inbound, life, arrival);
  inbound.answer.onGone((why) => gone(course, why));
  const body = framing.kind === "none" ? inbound.body : guardedBody(course);
  course.content = body;
  if (route === undefined) send(course, world.table.fallthrough);
  else if (route.holdsBody && framing.kind !== "none") hold(course, route, body);
  else gatherFor(course, route, undefined);
}

function createCourse(world: World, inbound: Inbound, life: Life, arrival: Arrival): Course {
  return {
    world,
    inbound,
    life,
    arrival,
    route: arrival.match?.value,
    decided: undefined,
    content: inbound.body,
    forwarding: undefined,
    lingers: false,
    answered,
    ended,
    switched,
    misbehaved,
    failed,
    timedOut,
  };
}

/** @returns the body, kept to its limits, with an eye on its client */
function guardedBody(course: Course): Readable {
  const { inbound, life } = course;
  const { maxBytes, paceMs } = course.world.bodyLimits;
  life.onSettled = watchBody(inbound.body, {
    paceMs,
    isLost: inbound.isLost,
    onSlow: () => giveUp(course, refusals.requestTimeout),
    onLost() {
      course.forwarding?.abort();
      inbound.answer.abort();
      settle(life, "client_aborted");
    },
  });
  if (inbound.head.framing.kind !== "chunked") return inbound.body;
  return boundedBody(inbound.body, maxBytes, () => giveUp(course, refusals.bodyTooLarge));
}

function hold(course: Course, route: CompiledRoute, body: Readable): void {
  const { life } = course;
  const { framing } = course.inbound.head;
  limit(life, route.cutover.destinations.legacy.total, course);
  holdBody(body, framing.kind === "sized" ? framing.length : undefined)
    .then(
      (held) => {
        course.content = held.content;
        gatherFor(course, route, held);
      },
      () => settle(life, "client_aborted"),
    )
    .catch((error) => fail(course, error));
}

function gatherFor(course: Course, route: CompiledRoute, held: Held | undefined): void {
  const met = gather(course.world, course.arrival, route, held);
  if (typeof met === "object" && "then" in met)
    met.then((found) => go(course, found)).catch((error) => fail(course, error));
  else go(course, met);
}

function go(course: Course, found: Met): void {
  const { life } = course;
  if (life.isSettled) return;
  if (found === "unknown") {
    refuse(life, refusals.ownerUnknown);
    return;
  }
  const { decision, route } = found;
  course.decided = found;
  decided(life, decision.side, decision.reason);
  send(course, route.cutover.destinations[decision.side]);
}

function send(course: Course, { way, total }: Destination): void {
  const { world, inbound, life, arrival, content } = course;
  const { method, framing } = inbound.head;
  began(life);
  limit(life, total, course);
  const learned = course.decided !== undefined && learns(course.decided.route.cutover, method);
  // A body that is still under way breaks off with the client.
  course.lingers = learned && (Buffer.isBuffer(content) || framing.kind === "none");
  const request = forwardRequest(world, arrival, life.requestId, content);
  const taps = learned ? tapsOf(course, course.decided) : noTaps;
  course.forwarding = relay(world, way, request, inbound, course, taps);
}

function tapsOf({ world }: Course, found: Decided | undefined): readonly Tap[] {
  if (found === undefined) return noTaps;
  const { route, decision, keys } = found;
  return [learning(world, route.cutover, decision.side, keys)];
}

function answered(this: Course, status: number): readonly string[] {
  const { world, life, decided: found, inbound } = this;
  // Nobody is there any more to be given anything.
  if (life.isSettled) return [];
  life.status = status;
  if (found === undefined) return [];
  const { route, decision, state } = found;
  const now = secondsOf(world.clock);
  const added = journeyFields(world.journeyContext, found, status, now, inbound.head.peer.encrypted);
  if (route.finishes && status >= 200 && status < 300) {
    for (const { key, claimed } of found.keys) {
      if (!claimed) world.orders?.finished(route.cutover.name, key);
    }
  }
  if (world.decisionHeader !== undefined) {
    added.push(world.decisionHeader, decisionField(route.cutover.name, decision, state.version));
  }
  return added;
}

function ended(this: Course): void {
  settle(this.life, (this.life.status ?? 0) >= 500 ? "server_error" : "ok");
}

function switched(this: Course): (end: TunnelEnd) => void {
  // The exchange is over with the 101; what follows is no request, and its length no latency.
  settle(this.life, "ok");
  const { decided: found, route, world } = this;
  return world.upgrades.opened(route?.cutover.name ?? "none", found?.decision.side ?? "none");
}

function misbehaved(this: Course): void {
  this.forwarding?.abort();
  refuse(this.life, refusals.protocol_error);
}

function failed(this: Course, failure: Failure): void {
  const { life, decided: found } = this;
  if (life.isSettled) return;
  if (found !== undefined && mayFallBack(found, failure, this.content)) {
    attemptFailed(life, failure.outcome);
    go(this, { ...found, decision: { side: "legacy", reason: "fallback" } });
  } else if (failure.code === codes.requestBody) {
    // What came is no whole request: its client has left, or is out of step.
    this.inbound.answer.abort();
    settle(life, "client_aborted");
  } else refuse(life, refusalOf(failure));
}

function timedOut(this: Course): void {
  const { forwarding } = this;
  forwarding?.abort();
  refuse(this.life, forwarding === undefined ? refusals.requestTimeout : refusals.timeout);
}

function gone({ life, lingers, forwarding }: Course, why: Gone): void {
  if (life.isSettled) return;
  if (!lingers || why === "malformed") forwarding?.abort();
  if (why === "malformed") refuse(life, refusals.malformed);
  else settle(life, "client_aborted");
}

function giveUp(course: Course, refusal: Refusal): void {
  if (course.life.isSettled) return;
  course.forwarding?.abort();
  refuse(course.life, refusal);
}

/** A fault of ours ends this exchange, not the process. */
function fail(course: Course, error: unknown): void {
  course.world.onFault(error);
  course.forwarding?.abort();
  refuse(course.life, refusals.internal);
}

function secondsOf(clock: Clock): number {
  return Math.floor(clock.now() / 1000);
}

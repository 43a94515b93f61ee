/**
 * The end of an exchange, whatever it is: `settle` counts it once and logs it once. What an exchange learns on
 * its way (route, side, reason, status) is noted here for that line.
 */

import type { Clock } from "../base/clock.ts";
import type { Deadlines, Waiting } from "../base/deadlines.ts";
import type { Reason } from "../decide/decide.ts";
import type { Side } from "../state/rules/model.ts";
import type { AccessLog } from "../telemetry/log.ts";
import type { MeteredSide, MeterRow } from "../telemetry/requests/meter.ts";
import type { Inbound } from "./inbound.ts";
import type { Outcome } from "./outcome.ts";
import { type Refusal, renderRefusal } from "./refusal.ts";
import type { CompiledRoute } from "./routes.ts";

export interface LifeContext {
  readonly clock: Clock;
  readonly accessLog: AccessLog;
  readonly proxyName: string;
  /** Counts what matches no route. */
  readonly noneRow: MeterRow;
}

export interface Watcher {
  /** The total time is over. */
  timedOut(): void;
}

/** One object an exchange; its functions (below) are shared. */
export interface Life extends Waiting {
  readonly context: LifeContext;
  readonly inbound: Inbound;
  readonly requestId: string;
  readonly startedAt: number;
  attemptAt: number;
  isSettled: boolean;
  /** The status of the answer; absent before there is one. */
  status: number | undefined;
  route: CompiledRoute | undefined;
  row: MeterRow;
  side: MeteredSide;
  reason: Reason | undefined;
  inFlight: boolean;
  /** Where its total time is bounded, and who hears that it is over. */
  deadlines: Deadlines | undefined;
  watcher: Watcher | undefined;
  /** Runs when it is settled. */
  onSettled: (() => void) | undefined;
}

export function beginLife(context: LifeContext, inbound: Inbound, requestId: string): Life {
  const startedAt = context.clock.monotonic();
  return {
    context,
    inbound,
    requestId,
    startedAt,
    attemptAt: startedAt,
    isSettled: false,
    status: undefined,
    route: undefined,
    row: context.noneRow,
    side: "none",
    reason: undefined,
    inFlight: false,
    deadlines: undefined,
    watcher: undefined,
    onSettled: undefined,
    dueAt: 0,
    before: undefined,
    behind: undefined,
    expired,
  };
}

/** The route is known: from here on the exchange counts as its. */
export function routed(life: Life, route: CompiledRoute): void {
  life.route = route;
  life.row = route.row;
}

export function decided(life: Life, side: Side, reason: Reason): void {
  life.side = side;
  life.reason = reason;
  life.row.decided(side, reason);
}

/** The request goes to the upstream now: it is in flight until settled, or until the next `began`. */
export function began(life: Life): void {
  life.row.began(life.side);
  life.inFlight = true;
}

/** The attempt in flight failed without a byte sent, and another follows: counts it against its side. */
export function attemptFailed(life: Life, outcome: Outcome): void {
  const now = life.context.clock.monotonic();
  count(life, outcome, now);
  life.attemptAt = now;
}

/** Tells the watcher when the time is over before it is settled; the first call counts. */
export function limit(life: Life, deadlines: Deadlines, watcher: Watcher): void {
  if (life.deadlines !== undefined) return;
  life.deadlines = deadlines;
  life.watcher = watcher;
  deadlines.wait(life);
}

export function settle(life: Life, outcome: Outcome): void {
  if (life.isSettled) return;
  life.isSettled = true;
  life.deadlines?.end(life);
  life.onSettled?.();
  const { context, route } = life;
  const now = context.clock.monotonic();
  count(life, outcome, now);
  context.accessLog({
    cutover: route?.cutover.name ?? "none",
    route: route?.name ?? "none",
    side: life.side,
    reason: life.reason,
    outcome,
    status: life.status,
    durationMs: now - life.startedAt,
    requestId: life.requestId,
    method: life.inbound.head.method,
  });
}

/** Answers in the proxy's own words, or breaks off when the upstream's head is already out; and settles. */
export function refuse(life: Life, refusal: Refusal): void {
  if (life.isSettled) return;
  const { head, answer } = life.inbound;
  if (answer.headSent()) answer.abort();
  else {
    const { status, reason: phrase } = refusal;
    const { fields, body } = renderRefusal(refusal, life.context.proxyName, life.requestId);
    life.status = status;
    answer.head({ status, reason: phrase, fields, length: body.length });
    if (head.method !== "HEAD" && body.length > 0) answer.write(body);
    answer.end([]);
  }
  settle(life, refusal.outcome);
}

function count(life: Life, outcome: Outcome, now: number): void {
  const { row, side } = life;
  if (!life.inFlight) row.began(side);
  life.inFlight = false;
  row.settled(side, outcome, (now - life.attemptAt) / 1000);
}

function expired(this: Life): void {
  this.watcher?.timedOut();
}

/**
 * The timers of one exchange with an upstream, the same behind every engine.
 *
 * - headers: from the request's dispatch, or from its last byte where a streamed body follows, to the response's
 *   head. Interim responses do not restart it. Before a connection is had it bounds the wait for one.
 * - idle: the longest silence of the upstream while a body moves: bytes wait to be taken by it, or more of the
 *   response's body is due. A silence the other side causes (the client sends nothing, the client reads nothing)
 *   is not the upstream's: the timer is stopped for as long.
 *
 * One Node timer an exchange, restarted with `refresh()`; no closure of its own.
 */
import type { UpstreamTimeouts } from "./port.ts";

export type TimeoutCode = "ERR_HEADERS_TIMEOUT" | "ERR_IDLE_TIMEOUT";

/** What the timers keep in the exchange's own object. */
export interface Timers {
  timer: NodeJS.Timeout | undefined;
  awaited: TimeoutCode | undefined;
}

export interface Timed extends Timers {
  readonly timeouts: UpstreamTimeouts;
  /** The upstream was silent too long; nothing runs any more. */
  timedOut(code: TimeoutCode): void;
}

/** Waits for the response's head, from now. */
export function awaitHead(exchange: Timed): void {
  run(exchange, "ERR_HEADERS_TIMEOUT", exchange.timeouts.headersMs);
}

/** Waits for the upstream's next move of a body, from now. */
export function awaitBody(exchange: Timed): void {
  run(exchange, "ERR_IDLE_TIMEOUT", exchange.timeouts.idleMs);
}

/** Waits for the upstream's next move of a body, unless it is being waited for already. */
export function keepAwaitingBody(exchange: Timed): void {
  if (exchange.awaited !== "ERR_IDLE_TIMEOUT") awaitBody(exchange);
}

/** Nothing is due from the upstream. */
export function stopTimer(exchange: Timers): void {
  if (exchange.awaited === undefined) return;
  clearTimeout(exchange.timer);
  exchange.awaited = undefined;
}

function run(exchange: Timed, code: TimeoutCode, milliseconds: number): void {
  if (exchange.awaited === code) {
    exchange.timer?.refresh();
    return;
  }
  clearTimeout(exchange.timer);
  exchange.awaited = code;
  exchange.timer = setTimeout(expire, milliseconds, exchange);
}

function expire(exchange: Timed): void {
  const code = exchange.awaited;
  if (code === undefined) return;
  exchange.awaited = undefined;
  exchange.timedOut(code);
}

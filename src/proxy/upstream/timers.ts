/**
 * The timers of one attempt at an upstream, the same behind every engine.
 *
 * - headers: from the request's dispatch, or from its last byte where a streamed body follows, to the response's
 *   head. Interim responses do not restart it. Before a connection is had it bounds the wait for one.
 * - idle: the longest silence of the upstream while a body moves: bytes wait to be taken by it, or more of the
 *   response's body is due. A silence the other side causes (the client sends nothing, the client reads nothing)
 *   is not the upstream's: the timer is stopped for as long.
 *
 * No Node timer of its own, and no closure: the attempt itself is what waits (deadlines.ts).
 */
import { createDeadlines, type Waiting } from "../../base/waiting/deadlines.ts";
import type { UpstreamTimeouts, Waits } from "./port.ts";

export type TimeoutCode = "ERR_HEADERS_TIMEOUT" | "ERR_IDLE_TIMEOUT";

export function createWaits({ connectMs, headersMs, idleMs }: UpstreamTimeouts): Waits {
  return { connectMs, headers: createDeadlines(headersMs), idle: createDeadlines(idleMs) };
}

export interface Timed extends Waiting {
  readonly waits: Waits;
  awaited: TimeoutCode | undefined;
  /** The upstream was silent too long; nothing runs any more. */
  timedOut(code: TimeoutCode): void;
}

/** Waits for the response's head, from now. */
export function awaitHead(timed: Timed): void {
  if (timed.awaited === "ERR_IDLE_TIMEOUT") timed.waits.idle.end(timed);
  timed.awaited = "ERR_HEADERS_TIMEOUT";
  timed.waits.headers.wait(timed);
}

/** Waits for the upstream's next move of a body, from now. */
export function awaitBody(timed: Timed): void {
  if (timed.awaited === "ERR_HEADERS_TIMEOUT") timed.waits.headers.end(timed);
  timed.awaited = "ERR_IDLE_TIMEOUT";
  timed.waits.idle.wait(timed);
}

/** Waits for the upstream's next move of a body, unless it is being waited for already. */
export function keepAwaitingBody(timed: Timed): void {
  if (timed.awaited !== "ERR_IDLE_TIMEOUT") awaitBody(timed);
}

/** Nothing is due from the upstream. */
export function stopTimer(timed: Timed): void {
  if (timed.awaited === "ERR_HEADERS_TIMEOUT") timed.waits.headers.end(timed);
  else if (timed.awaited === "ERR_IDLE_TIMEOUT") timed.waits.idle.end(timed);
  timed.awaited = undefined;
}

/** The `expired` of what is timed. */
export function expireTimed(this: Timed): void {
  const code = this.awaited;
  if (code === undefined) return;
  this.awaited = undefined;
  this.timedOut(code);
}

/**
 * The body of a request on its way in: kept to its limits with an eye on its client, and buffered where something in it
 * is to be known before the request goes on.
 */
import type { Readable } from "node:stream";
import { type Refusal, refusals } from "../../refusal.ts";
import type { CompiledRoute } from "../../routes.ts";
import { isOver, limit, type Recorded, refuse, settleLeft } from "../../settle.ts";
import type { Forwarding } from "../../upstream/port.ts";
import type { Arrival } from "../arrival.ts";
import { boundedBody, watchBody } from "../body-limits.ts";
import { type Buffered, bufferBody } from "../buffered-body.ts";

interface Sending extends Recorded {
  readonly forwarding: Forwarding | undefined;
}

/** @returns the body, kept to its limits, with an eye on its client */
export function guardedBody(exchange: Sending): Readable {
  const { inbound } = exchange;
  const { maxBytes, paceMs } = exchange.context.table.bodyLimits;
  exchange.unwatch = watchBody(inbound.body, {
    paceMs,
    isLost: inbound.isLost,
    onSlow: () => giveUp(exchange, refusals.requestTimeout),
    onLost() {
      exchange.forwarding?.abort();
      inbound.answer.abort();
      settleLeft(exchange);
    },
  });
  if (inbound.head.framing.kind !== "chunked") return inbound.body;
  return boundedBody(inbound.body, maxBytes, () => giveUp(exchange, refusals.bodyTooLarge));
}

function giveUp(exchange: Sending, refusal: Refusal): void {
  if (isOver(exchange)) return;
  exchange.forwarding?.abort();
  refuse(exchange, refusal);
}

/** Buffers the body for a route. @returns rejects when its client breaks off */
export function bufferForRoute(exchange: Recorded, route: CompiledRoute, body: Readable): Promise<Buffered> {
  const { framing } = exchange.inbound.head;
  limit(exchange, route.destinations.legacy.total);
  return bufferBody(body, framing.kind === "sized" ? framing.length : undefined).then((buffered) => {
    exchange.readyAt = exchange.context.clock.monotonic();
    return buffered;
  });
}

/**
 * What has to be there before it is told which route the request is on.
 *
 * @returns the body, where it has one; rejects when its client breaks off
 */
export async function bufferToChoose(
  exchange: Recorded,
  { head: { framing }, choices = [] }: Arrival,
  body: Readable,
): Promise<Buffered | undefined> {
  const [first] = choices;
  const buffered =
    first === undefined || framing.kind === "none"
      ? undefined
      : await bufferForRoute(exchange, first.value, body);
  await exchange.context.table.documents?.loaded;
  return buffered;
}

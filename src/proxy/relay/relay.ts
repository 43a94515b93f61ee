/**
 * One attempt at an upstream: the request as the next hop should see it, and the response as the client should.
 */
import type { Readable } from "node:stream";
import type { Decision } from "../../decide/decide.ts";
import { fieldValue } from "../../decide/sources.ts";
import type { Answer, RequestFraming } from "../inbound.ts";
import type { TunnelEnd } from "../listen/metrics.ts";
import { type Arrival, hopsLeft } from "../request/arrival.ts";
import type { FieldNames } from "../request/field-names.ts";
import type { Ids } from "../request/ids.ts";
import type { Table } from "../routes.ts";
import type {
  Failure,
  ForwardBody,
  Forwarding,
  ForwardRequest,
  ResponseHead,
  ResponseSink,
  Switched,
  UpgradeLimits,
  Upstream,
} from "../upstream/port.ts";
import { requestFields, responseHead } from "./headers.ts";
import { trailerFields } from "./trailers.ts";
import { joinTunnel } from "./tunnel.ts";

export interface RelayContext {
  readonly table: Table;
  readonly fieldNames: FieldNames;
  readonly ids: Ids;
  /** This proxy's name in Via and Proxy-Status. */
  readonly proxyName: string;
  /** Whether what an address says of the way here is believed. */
  readonly trusts: (address: string) => boolean;
}

/** What the exchange is told; after `ended` or `failed` nothing follows. */
export interface RelayEvents {
  /** The response's status is known. @returns fields to add to the answer, flat */
  answered(status: number): readonly string[];
  ended(): void;
  /** The upstream changed the protocol and both connections are joined. @returns hears of their end */
  switched(): (end: TunnelEnd) => void;
  /** The upstream answered what can not be passed on. */
  misbehaved(): void;
  failed(failure: Failure): void;
}

/**
 * Stands in the way of one answer, from the upstream to the client, and sees all of it: what it returns is given each
 * part, and passes it on to `next`, at once or later.
 *
 * @param resume asks the upstream for more, after the tap has said by `data` that no more is wanted
 */
export type Tap = (next: ResponseSink, resume: () => void) => ResponseSink;

/** The taps of an answer that nothing else wants to see. */
export const noTaps: readonly Tap[] = [];

/** The request for the next hop (RFC 9110 §7.6). */
export function forwardRequest(
  context: RelayContext,
  arrival: Arrival,
  requestId: string,
  content: Buffer | Readable,
): ForwardRequest {
  const { head, names, target, host } = arrival;
  const fields = requestFields(
    head.fields,
    names,
    {
      peerAddress: head.peer.address,
      peerIsTrusted: context.trusts(head.peer.address),
      encrypted: head.peer.encrypted,
      host,
      proxyName: context.proxyName,
      version: head.version,
      requestId,
      traceparent: context.ids.traceparent(fieldValue(head.fields, names, "traceparent")),
    },
    context.table.journeyCookies,
    context.table.identityFields,
  );
  if (head.method === "OPTIONS") countHop(fields, hopsLeft(head, names));
  const body = framed(head.framing, content);
  return { method: head.method, target: target.forwarded, fields, body, upgrade: head.upgrade };
}

/** RFC 9110 §7.6.2. */
function countHop(fields: string[], left: number | undefined): void {
  if (left === undefined) return;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]?.toLowerCase() === "max-forwards") fields[i + 1] = `${left - 1}`;
  }
}

/** One attempt under way: what the engine calls, and what the exchange does. Its functions are shared. */
interface Relay extends ResponseSink, Forwarding {
  readonly context: Pick<RelayContext, "proxyName">;
  readonly upstream: Upstream;
  readonly arrival: Pick<Arrival, "head">;
  readonly answer: Answer;
  readonly events: RelayEvents;
  request: ForwardRequest;
  /** What the engine is given: itself, or the first of the taps before it. */
  outer: ResponseSink;
  forwarding: Forwarding | undefined;
}

/**
 * Sends the request and relays what comes back, as fast as the client takes it.
 *
 * @param taps those that see the answer on its way, the first of them first
 */
export function relay(
  context: Pick<RelayContext, "proxyName">,
  upstream: Upstream,
  request: ForwardRequest,
  arrival: Pick<Arrival, "head">,
  answer: Answer,
  events: RelayEvents,
  taps: readonly Tap[],
): Forwarding {
  const made: Omit<Relay, "outer"> = {
    context,
    upstream,
    arrival,
    answer,
    events,
    request,
    forwarding: undefined,
    interim,
    head,
    data,
    end,
    switched,
    failure,
    resume,
    abort,
  };
  const attempt: Relay = Object.assign(made, { outer: made });
  if (taps.length > 0) attempt.outer = tapped(taps, attempt);
  attempt.forwarding = upstream.forward(request, attempt.outer);
  answer.onDrain(() => attempt.forwarding?.resume());
  return attempt;
}

function tapped(taps: readonly Tap[], attempt: Relay): ResponseSink {
  const resumeIt = () => attempt.resume();
  return taps.reduceRight<ResponseSink>((next, tap) => tap(next, resumeIt), attempt);
}

function interim(this: Relay, { status, reason, fields }: ResponseHead): void {
  if (status === 101) {
    this.events.misbehaved();
    return;
  }
  // 100 is this hop's own affair; HTTP/1.0 knows no interim response (RFC 9110 §15.2).
  if (status === 100 || this.arrival.head.version === "1.0") return;
  this.answer.interim(status, reason, responseHead(fields, this.context.proxyName).fields);
}

function head(this: Relay, { status, reason, fields: received }: ResponseHead): void {
  const { fields, length } = responseHead(received, this.context.proxyName);
  for (const part of this.events.answered(status)) fields.push(part);
  try {
    this.answer.head({ status, reason, fields, length });
  } catch {
    // A control character in the upstream's head: the transport will not write it (RFC 9110 §5.5).
    this.events.misbehaved();
  }
}

function data(this: Relay, chunk: Buffer): boolean {
  return this.answer.write(chunk);
}

function end(this: Relay, trailers: readonly string[]): void {
  this.answer.end(trailerFields(trailers));
  this.events.ended();
}

function switched(this: Relay, { fields }: ResponseHead, connection: Switched, limits: UpgradeLimits): void {
  const { events, answer, arrival } = this;
  const out = responseHead(fields, this.context.proxyName).fields;
  out.push(...events.answered(101), "Connection", "Upgrade", "Upgrade", arrival.head.upgrade ?? "");
  const client = answer.switchProtocols?.(out);
  if (client === undefined) connection.stream.destroy();
  else joinTunnel(client, connection, limits, events.switched());
}

function failure(this: Relay, failed: Failure): void {
  const { request, upstream } = this;
  if (failed.stale && !request.fresh && mayRepeat(request)) {
    this.request = { ...request, fresh: true };
    this.forwarding = upstream.forward(this.request, this.outer);
  } else this.events.failed(failed);
}

function resume(this: Relay): void {
  this.forwarding?.resume();
}

function abort(this: Relay): void {
  this.forwarding?.abort();
}

/**
 * Whether it may be sent again after a kept connection turned out to be dead: the upstream may have closed it just
 * before, and no harm is done if it has not (RFC 9110 §9.2.2, RFC 9112 §9.3.1).
 */
function mayRepeat({ method, body }: ForwardRequest): boolean {
  return body.kind === "none" && idempotent.has(method);
}

const idempotent: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

function framed(framing: RequestFraming, content: Buffer | Readable): ForwardBody {
  switch (framing.kind) {
    case "none":
      return framing;
    case "sized":
      return { kind: "sized", length: framing.length, content };
    case "chunked":
      return { kind: "chunked", content };
  }
}

/** The value of the debugging field: `checkout; side=new; reason=bucket; version=12`. */
export function decisionField(cutover: string, { side, reason }: Decision, version: number): string {
  return `${cutover}; side=${side}; reason=${reason}; version=${version}`;
}

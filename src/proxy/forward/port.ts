/**
 * The port to an upstream. An engine (undici.ts, http-proxy.ts) sends one request over one connection and
 * reports what comes back; it decides nothing, retries nothing and adds no field. One wire suite holds both.
 *
 * Fields are flat lists, name then value, latin1, in the order of the wire. Framing (content-length,
 * transfer-encoding, connection) is never among them in either direction of a request: `body` says it, and the
 * engine emits it canonically.
 */
import type { Readable } from "node:stream";
import type { ForwardFailure } from "../../telemetry/outcome.ts";

export interface ForwardRequest {
  readonly method: string;
  /** The request target, byte for byte (latin1); `*` for OPTIONS *. */
  readonly target: string;
  /** End-to-end fields, host included, no framing. */
  readonly fields: readonly string[];
  readonly body: ForwardBody;
}

export type ForwardBody =
  | { readonly kind: "none" }
  /** A body of a length the sender declared; held whole, or streamed. */
  | { readonly kind: "sized"; readonly length: number; readonly content: Buffer | Readable }
  /** A body of a length nobody declared: sent chunked, or by its size where it is held whole. */
  | { readonly kind: "chunked"; readonly content: Buffer | Readable };

export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  /** As received, hop-by-hop and framing fields included: filtering is headers.ts's. */
  readonly fields: readonly string[];
}

export interface Failure {
  readonly outcome: ForwardFailure;
  /** Whether a byte of the request may have reached the upstream. */
  readonly sent: boolean;
  /** For the log: a code such as ECONNREFUSED. Never a byte of the message. */
  readonly code: string;
}

/** What an engine calls, in this order: interim*, head, data*, then exactly one of end and failure. */
export interface ResponseSink {
  interim(head: ResponseHead): void;
  head(head: ResponseHead): void;
  /** @returns false when no more is wanted until `resume` */
  data(chunk: Buffer): boolean;
  /** @param trailers flat list as received, empty when none */
  end(trailers: readonly string[]): void;
  /** Before the head: nothing came. After it: the body broke off. Never after `abort`. */
  failure(failure: Failure): void;
}

export interface Forwarding {
  /** The sink can take more data. */
  resume(): void;
  /**
   * Gives up: closes the upstream connection unless the exchange on it was complete. Calls nothing back. A streamed
   * body is no more read from here on, and never destroyed: it is the caller's again, as after every other end.
   */
  abort(): void;
}

export interface UpstreamTimeouts {
  readonly connectMs: number;
  readonly headersMs: number;
  readonly idleMs: number;
}

export interface Upstream {
  readonly name: string;
  forward(request: ForwardRequest, sink: ResponseSink): Forwarding;
  /** Closes idle connections, waits for the busy ones to finish. */
  close(): Promise<void>;
}

/** An engine: makes the way to one origin. */
export type CreateUpstream = (options: {
  readonly name: string;
  /** http://HOST:PORT */
  readonly url: URL;
  readonly connections: number | undefined;
  readonly timeouts: UpstreamTimeouts;
}) => Upstream;

/**
 * The port to an upstream. An engine (undici/, http-proxy/) sends one request over one connection and
 * reports what comes back; it decides nothing, retries nothing and adds no field. One wire suite tests both.
 *
 * Fields are flat lists, name then value, latin1, in the order of the wire. Framing (content-length,
 * transfer-encoding, connection) is never among them in either direction of a request: `body` says it, and the
 * engine emits it canonically.
 */
import type { LookupFunction } from "node:net";
import type { Duplex, Readable } from "node:stream";
import type { Deadlines } from "../../base/waiting/deadlines.ts";
import type { ForwardFailure } from "../outcome.ts";

export interface ForwardRequest {
  readonly method: string;
  /** The request target, byte for byte (latin1); `*` for OPTIONS *. */
  readonly target: string;
  /** End-to-end fields, host included, no framing. The engine changes none of them. */
  readonly fields: string[];
  readonly body: ForwardBody;
  /** Only a connection made for it will do, where one can be had. */
  readonly fresh?: boolean;
  /** In place of the upstream's own; not for what asks for an upgrade, which waits in another way. */
  readonly waits?: Waits | undefined;
  /** The protocol the connection is to change to, lower case; such requests go by websocket.ts, not by an engine. */
  readonly upgrade?: string | undefined;
}

export type ForwardBody =
  | { readonly kind: "none" }
  /** A body of a length the sender declared: whole in memory, or streamed. */
  | { readonly kind: "sized"; readonly length: number; readonly content: Buffer | Readable }
  /** A body of a length nobody declared: sent chunked, or by its size where it is whole in memory. */
  | { readonly kind: "chunked"; readonly content: Buffer | Readable };

export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  /** As received, hop-by-hop and framing fields included: filtering is headers.ts's. */
  readonly fields: readonly string[];
}

export interface Failure {
  /** `shed`: it was never tried, because the upstream has as many requests as it may. */
  readonly outcome: ForwardFailure | "shed";
  /** Whether a byte of the request may have reached the upstream. */
  readonly sent: boolean;
  /** As the engine has it, such as ECONNREFUSED; `failureCode` is what it is called beyond. Never a byte of the message. */
  readonly code: string;
  /** It was sent on a connection kept from an earlier exchange, which ended without a byte of an answer. */
  readonly stale?: boolean;
  /** When to come again, where that is known. */
  readonly retryAfterSeconds?: number;
}

/** A connection whose protocol was changed: no HTTP any more. */
export interface Switched {
  readonly stream: Duplex;
  /** Bytes read from it already. */
  readonly first: Buffer;
}

/** How long a changed connection may last. */
export interface UpgradeLimits {
  /** Longest silence of both sides. */
  readonly idleMs: number;
  readonly lifetimeMs: number;
}

/**
 * What an engine calls, in this order: interim*, head, data*, then exactly one of end and failure. Or, where the
 * request asked for it: interim*, switched, and nothing more.
 */
export interface ResponseSink {
  interim(head: ResponseHead): void;
  head(head: ResponseHead): void;
  /** @returns false when no more is wanted until `resume` */
  data(chunk: Buffer): boolean;
  /** @param trailers flat list as received, empty when none */
  end(trailers: readonly string[]): void;
  /** 101: the connection is the sink's now. */
  switched?(head: ResponseHead, connection: Switched, limits: UpgradeLimits): void;
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

/** The same as attempts share them, all of one upstream or of one route (timers.ts). */
export interface Waits {
  readonly connectMs: number;
  readonly headers: Deadlines;
  readonly idle: Deadlines;
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
  /** http://HOST:PORT or https://HOST:PORT */
  readonly url: URL;
  /** The most there may be. */
  readonly connections: number | undefined;
  /** How old a connection may be when a request begins on it; without it, as old as it gets. */
  readonly maxAgeMs?: number | undefined;
  readonly timeouts: UpstreamTimeouts;
  /** Finds the addresses of its host; without it all lookups of the process share libuv's few threads. */
  readonly lookup?: LookupFunction | undefined;
  /** Whether faults of its heads that leave no doubt are put right (old-habits.ts). */
  readonly lenient?: boolean;
  /** How an https upstream is known; without it the system's authorities are believed. */
  readonly tls?: UpstreamTls | undefined;
}) => Upstream;

/** How an https upstream is known, and how this proxy makes itself known to it. PEM. */
export interface UpstreamTls {
  /** Believed in place of the system's authorities. */
  readonly ca?: Buffer | undefined;
  readonly cert?: Buffer | undefined;
  readonly key?: Buffer | undefined;
  /** The name asked for (SNI) and looked for in the certificate, where it is not the URL's host. */
  readonly servername?: string | undefined;
  /** Whether a certificate that cannot be trusted ends the connection. */
  readonly verify: boolean;
}

/**
 * The seam between a transport and the exchange: a request's head and body, and a way to answer. The exchange
 * knows no class of node:http; a transport (http1.ts, http2.ts) makes these of whatever it speaks.
 */
import { BlockList, isIP } from "node:net";
import type { Duplex, Readable } from "node:stream";
import type { Config } from "../config/schema.ts";

export interface RequestHead {
  readonly method: string;
  /** The request target as received: origin, absolute or asterisk form; a byte string. */
  readonly target: string;
  /** Flat list, name then value, as received; byte strings. */
  readonly fields: readonly string[];
  readonly version: "1.0" | "1.1" | "2";
  readonly framing: RequestFraming;
  readonly peer: Peer;
  /** The protocol the client asks to change to (RFC 9110 §7.8), lower case. */
  readonly upgrade?: string | undefined;
}

/** What the sender's framing says of the body, read by a strict parser. */
export type RequestFraming =
  | { readonly kind: "none" }
  | { readonly kind: "sized"; readonly length: number }
  | { readonly kind: "chunked" };

/** Who is at the other end of the connection. */
export interface Peer {
  readonly address: string;
  /** Whether the connection is TLS. */
  readonly encrypted: boolean;
  /** Whether it passes a client on and did not say whom: that one is not believed what the peer itself would be. */
  readonly isUntold?: boolean;
}

export interface Inbound {
  readonly head: RequestHead;
  /** The body; the transport asks the client for it (100 Continue) only once it is read. */
  readonly body: Readable;
  readonly answer: Answer;
  /**
   * Whether the client has broken the connection off. Only for a transport that does not hear of it by itself while
   * the body is not read.
   */
  readonly isLost?: (() => boolean) | undefined;
}

export interface AnswerHead {
  readonly status: number;
  readonly reason: string;
  /** Flat list of end-to-end fields, without framing. */
  readonly fields: string[];
  /** Bytes of the body to come; `undefined` when nobody knows; for HEAD and 304 what the length would be. */
  readonly length: number | undefined;
}

/**
 * The way to answer. `interim`* then `head`, `write`*, `end`; or `abort` at any time.
 *
 * Made once a request, so without accessors: V8 gives each object literal that has one a hidden class of its own,
 * in old space, which keeps the whole exchange alive until the next full collection.
 */
export interface Answer {
  headSent(): boolean;
  interim(status: number, reason: string, fields: readonly string[]): void;
  head(head: AnswerHead): void;
  /** @returns false when the client reads slower than this: wait for `onDrain` */
  write(chunk: Buffer): boolean;
  end(trailers: readonly string[]): void;
  /**
   * In place of `head`, where the request's head asks for an upgrade: answers 101 and gives the connection away.
   *
   * @param fields those of the change of protocol included
   * @returns `undefined` when the client is gone
   */
  switchProtocols?(
    fields: readonly string[],
  ): { readonly stream: Duplex; readonly first: Buffer } | undefined;
  /** Breaks the connection off, so that what was sent cannot be taken for a whole answer. */
  abort(): void;
  onDrain(listener: () => void): void;
  /** Called when nobody waits for the answer any more, or no more of the request can be read. */
  onGone(listener: (why: Gone) => void): void;
}

/** The client's connection ended before the answer was whole; or its request's body is malformed. */
export type Gone = "left" | "malformed";

/** Whether what the peer says of the way here, and of its client, is believed. */
export function isBelieved(trusts: (address: string) => boolean, { address, isUntold }: Peer): boolean {
  return isUntold !== true && trusts(address);
}

/**
 * @param cidrs addresses or networks, IPv4 or IPv6
 * @returns whether an address is in one of them; an IPv4 address mapped into IPv6 is the IPv4 address
 */
export function createTrust(cidrs: readonly string[]): (address: string) => boolean {
  if (cidrs.length === 0) return () => false;
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = "", bits] = cidr.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return (text) => {
    const address = text.replace(/^::ffff:(?=\d+\.)/i, "");
    const family = isIP(address);
    return family !== 0 && list.check(address, family === 6 ? "ipv6" : "ipv4");
  };
}

/** A header, lower case, and the addresses that it counts from. */
export interface TrustedHeader {
  readonly header: string;
  readonly from: (address: string) => boolean;
}

/** @param from addresses or networks */
export function createTrustedHeader(given: {
  readonly header: string;
  readonly from: readonly string[];
}): TrustedHeader {
  return { header: given.header, from: createTrust(given.from) };
}

/**
 * @param cutovers whose headers of testers go on from nobody
 * @returns those of their headers that an address is not trusted to say: for the shops they would be an identity. One that
 *   is trusted from different addresses goes on from each of these
 */
export function createVouching(
  cutovers: readonly {
    readonly trustedShopper: TrustedHeader | undefined;
    readonly force: { readonly header: string } | undefined;
  }[],
): (address: string) => ReadonlySet<string> {
  const trusted = cutovers.flatMap(({ trustedShopper }) => trustedShopper ?? []);
  const always = cutovers.flatMap(({ force }) => force?.header ?? []);
  const none: ReadonlySet<string> = new Set(always);
  if (trusted.length === 0) return () => none;
  return (address) => {
    const believed = new Set(trusted.flatMap(({ header, from }) => (from(address) ? header : [])));
    const unvouched = trusted.flatMap(({ header }) => (believed.has(header) ? [] : header));
    return new Set([...always, ...unvouched]);
  };
}

/** Servers believe them: who the client is, which target or method is meant. */
const claimingFields: readonly string[] = [
  "x-real-ip",
  "true-client-ip",
  "x-client-ip",
  "x-original-url",
  "x-rewrite-url",
  "x-http-method-override",
  "x-http-method",
  "x-method-override",
];

/** @returns names of fields that are believed of trusted peers alone; lower case */
export function claimingFieldsOf({
  upstreams,
  trustedFields,
}: Pick<Config, "upstreams" | "trustedFields">): ReadonlySet<string> {
  const set = Object.values(upstreams).flatMap((upstream) => Object.keys(upstream.set));
  const names = [...claimingFields, ...set.map((name) => name.toLowerCase())];
  return new Set(names.filter((name) => !trustedFields.includes(name)));
}

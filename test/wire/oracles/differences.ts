/**
 * Where the oracles do otherwise, and why. A case that is not here is read alike by all three, and one that is here
 * must differ as it says: both are asserted.
 */
import type { OracleName } from "../../support/oracles.ts";

export interface Difference {
  /**
   * refuses: the oracle lets it through, this proxy does not. passes: the other way round. otherwise: both let it
   * through, and their upstreams see it differently.
   */
  readonly cutover: "refuses" | "passes" | "otherwise";
  readonly why: string;
}

export const differences: Readonly<Record<string, Partial<Record<OracleName, Difference>>>> = {
  "Content-Length and Transfer-Encoding": {
    haproxy: {
      cutover: "refuses",
      why: "RFC 9112 §6.3 allows to refuse what smuggles; HAProxy drops the length",
    },
  },
  "Transfer-Encoding and Content-Length": {
    haproxy: {
      cutover: "refuses",
      why: "RFC 9112 §6.3 allows to refuse what smuggles; HAProxy drops the length",
    },
  },
  "two equal Content-Lengths": {
    haproxy: { cutover: "refuses", why: "RFC 9110 §8.6 allows either; refused, as the sender is broken" },
  },
  "Content-Length: 5, 5": {
    haproxy: { cutover: "refuses", why: "RFC 9110 §8.6 allows either; refused, as the sender is broken" },
  },
  "Transfer-Encoding: CHUNKED": {
    haproxy: { cutover: "passes", why: "HAProxy passes the coding's spelling on; this proxy writes its own" },
  },
  "Transfer-Encoding behind a tab": {
    nginx: { cutover: "passes", why: "a tab is whitespace (RFC 9110 §5.6.3); what goes on is canonical" },
  },
  "Transfer-Encoding in HTTP/1.0": {
    haproxy: { cutover: "refuses", why: "RFC 9112 §6.1: the framing is faulty" },
  },
  "a folded Transfer-Encoding": {
    haproxy: { cutover: "refuses", why: "RFC 9112 §5.2: refused" },
  },
  "bare LF between fields": {
    nginx: { cutover: "refuses", why: "RFC 9112 §2.2 allows to take it; refused, since others read on" },
    haproxy: { cutover: "refuses", why: "RFC 9112 §2.2 allows to take it; refused, since others read on" },
  },
  "bare LF everywhere": {
    nginx: { cutover: "refuses", why: "RFC 9112 §2.2 allows to take it; refused, since others read on" },
    haproxy: { cutover: "refuses", why: "RFC 9112 §2.2 allows to take it; refused, since others read on" },
  },
  "a NUL in a value": {
    haproxy: { cutover: "refuses", why: "RFC 9110 §5.5: invalid and dangerous" },
  },
  "a control character in a value": {
    nginx: { cutover: "refuses", why: "RFC 9110 §5.5: invalid" },
    haproxy: { cutover: "refuses", why: "RFC 9110 §5.5: invalid" },
  },
  "an obs-fold": {
    haproxy: { cutover: "refuses", why: "RFC 9112 §5.2: refused" },
  },
  "a field without a colon": {
    nginx: { cutover: "refuses", why: "RFC 9112 §5: no field; nginx drops it" },
  },
  "no Host": {
    haproxy: { cutover: "refuses", why: "RFC 9112 §3.2: must be refused" },
  },
  "two Hosts": {
    haproxy: { cutover: "refuses", why: "RFC 9112 §3.2: must be refused" },
  },
  "a Host with a path": {
    haproxy: { cutover: "refuses", why: "RFC 9112 §3.2: no valid authority" },
  },
  "an absolute form with another Host": {
    haproxy: {
      cutover: "passes",
      why: "RFC 9112 §3.2.2: the authority of the target wins; HAProxy refuses the mismatch",
    },
  },
  "OPTIONS *": {
    nginx: { cutover: "passes", why: "RFC 9112 §3.2.4: a proxy passes it on; nginx refuses it" },
  },
  "GET *": {
    haproxy: { cutover: "refuses", why: "RFC 9112 §3.2.4: only OPTIONS has it" },
  },
  TRACE: {
    haproxy: {
      cutover: "refuses",
      why: "it would show a script the cookies it may not read (RFC 9110 §9.3.8)",
    },
  },
  CONNECT: {
    haproxy: { cutover: "refuses", why: "no tunnels through this proxy" },
  },
  "a lower-case method": {
    haproxy: { cutover: "refuses", why: "the parser knows no such method" },
  },
  "HTTP/0.9": {
    nginx: { cutover: "refuses", why: "no version: refused once its head is whole, or times out" },
  },
  "HTTP/2.0": {
    haproxy: { cutover: "refuses", why: "not the HTTP/1.x this connection speaks" },
  },
  "HTTP/1.2": {
    nginx: { cutover: "refuses", why: "a minor version nobody has specified" },
    haproxy: { cutover: "refuses", why: "a minor version nobody has specified" },
  },
  "a tab before the target": {
    haproxy: { cutover: "refuses", why: "RFC 9112 §3: one space" },
  },
  "a fragment": {
    nginx: { cutover: "refuses", why: "RFC 9112 §3.2: no target has one" },
  },
  "obs-text in the target": {
    nginx: { cutover: "refuses", why: "RFC 9112 §3.2: it must have been encoded" },
  },
  "an encoded NUL": {
    nginx: { cutover: "passes", why: "byte for byte: what it means is the upstream's to say" },
  },
  "a bad percent sign": {
    nginx: { cutover: "passes", why: "byte for byte: what it means is the upstream's to say" },
  },
  "an empty chunk extension": {
    nginx: { cutover: "refuses", why: "RFC 9112 §7.1.1: an extension has a name" },
    haproxy: { cutover: "refuses", why: "RFC 9112 §7.1.1: an extension has a name" },
  },
  "a chunk extension with a bare LF": {
    nginx: { cutover: "refuses", why: "RFC 9112 §7.1.1: smuggles past those who end the line there" },
    haproxy: { cutover: "refuses", why: "RFC 9112 §7.1.1: smuggles past those who end the line there" },
  },
  "a chunk size with a space behind": {
    nginx: { cutover: "refuses", why: "RFC 9112 §7.1: no whitespace" },
    haproxy: { cutover: "refuses", why: "RFC 9112 §7.1: no whitespace" },
  },
  "a chunk size ended by a bare LF": {
    nginx: { cutover: "refuses", why: "RFC 9112 §7.1" },
    haproxy: { cutover: "refuses", why: "RFC 9112 §7.1" },
  },
  "chunk data ended by a bare LF": {
    nginx: { cutover: "refuses", why: "RFC 9112 §7.1" },
    haproxy: { cutover: "refuses", why: "RFC 9112 §7.1" },
  },
  "Content-Length among trailers": {
    nginx: { cutover: "refuses", why: "RFC 9110 §6.5.1: it frames" },
    haproxy: { cutover: "refuses", why: "RFC 9110 §6.5.1: it frames" },
  },
};

/** Reads a request's head: which authority the request is for, and which route it is on. */
import type { Match } from "../../decide/route.ts";
import { fieldValue } from "../../decide/sources.ts";
import type { RequestHead } from "../inbound.ts";
import { type Refusal, refusals } from "../refusal.ts";
import type { CompiledRoute, Table } from "../routes.ts";
import { isRefusal, parseTarget, soundHost, type Target } from "./target.ts";

export interface Arrival {
  readonly head: RequestHead;
  /** The names of the head's fields, lower case. */
  readonly names: readonly string[];
  readonly target: Target;
  /** The authority the request is for. */
  readonly host: string;
  readonly match: Match<CompiledRoute> | undefined;
}

/** @returns the arrival, or the refusal its head earns */
export function readArrival(
  table: Table,
  head: RequestHead,
  names: readonly string[],
  proxyName: string,
): Arrival | Refusal {
  if (!isFramedSoundly(head, names)) return refusals.malformed;
  const target = parseTarget(head.method, head.target);
  if (isRefusal(target)) return target;
  const host = hostOf(target, head, names);
  if (host === undefined) return refusals.host;
  if (head.method === "TRACE" || head.method === "CONNECT") return refusals.method;
  if (wasHere(head, names, proxyName)) return refusals.loop;
  if (head.method === "OPTIONS" && hopsLeft(head, names) === 0) return refusals.lastHop;
  return { head, names, target, host, match: table.router.match(head.method, target.path) };
}

/**
 * The only transfer coding that is understood is chunked, alone, and not in HTTP/1.0, where the next hop may not know
 * it (RFC 9112 §6.1). A length is a number that can be counted to.
 */
function isFramedSoundly({ fields, version, framing }: RequestHead, names: readonly string[]): boolean {
  const at = names.indexOf("transfer-encoding");
  if (at === -1) return framing.kind !== "sized" || Number.isSafeInteger(framing.length);
  if (version === "1.0") return false;
  const isAlone = !names.includes("content-length") && !names.includes("transfer-encoding", at + 1);
  return isAlone && /^chunked$/i.test(fields[2 * at + 1] ?? "");
}

/** RFC 9112 §3.2: one Host field exactly, in HTTP/1.0 none is tolerated; an absolute form's authority wins. */
function hostOf(target: Target, head: RequestHead, names: readonly string[]): string | undefined {
  const first = names.indexOf("host");
  if (first === -1) return head.version === "1.0" ? (target.authority ?? "") : undefined;
  if (names.indexOf("host", first + 1) !== -1) return undefined;
  const host = head.fields[2 * first + 1] ?? "";
  return soundHost.test(host) ? (target.authority ?? host) : undefined;
}

/** Whether any Via names this proxy (RFC 9110 §7.6.3). */
function wasHere({ fields }: RequestHead, names: readonly string[], proxyName: string): boolean {
  for (let i = names.indexOf("via"); i !== -1; i = names.indexOf("via", i + 1)) {
    if (fields[2 * i + 1]?.includes(proxyName)) return true;
  }
  return false;
}

/** @returns how many more hops the request may take (RFC 9110 §7.6.2); `undefined` when it does not say */
export function hopsLeft({ fields }: RequestHead, names: readonly string[]): number | undefined {
  const text = fieldValue(fields, names, "max-forwards");
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

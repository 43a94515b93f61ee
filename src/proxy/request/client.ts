/**
 * Who a request is from, as far as trusted proxies have told it: the nearest on its way here that is none of them; and
 * whether that is a browser that opens a page.
 */
import { isIP } from "node:net";
import { fieldValue } from "../../decide/sources.ts";
import { isBelieved, type RequestHead } from "../inbound.ts";
import { soundHost } from "./target.ts";

interface Client {
  /** The nearest address that is not trusted, else the farthest that is known; IPv4 as IPv4. */
  readonly address: string;
  /**
   * Whose requests count together: the address, or what a trusted proxy writes in place of one. `undefined` where all that
   * is known of the way is trusted: a trusted proxy that names nobody is nobody's client, for it speaks for many.
   */
  readonly counted: string | undefined;
}

/**
 * The way is in X-Forwarded-For, else in Forwarded. What stands farther from here than the first untrusted address, that
 * one may have made up; what is no address, made up names included, tells of nothing farther either.
 *
 * @param names those of the head's fields, lower case
 */
export function clientOf(
  trusts: (address: string) => boolean,
  { fields, peer }: Pick<RequestHead, "fields" | "peer">,
  names: readonly string[],
): Client {
  let nearest = plain(peer.address);
  if (isBelieved(trusts, peer)) {
    for (const text of wayOf(fields, names)) {
      const address = addressIn(text);
      if (address === undefined) return { address: nearest, counted: text.slice(0, longest) };
      nearest = address;
      if (!trusts(nearest)) break;
    }
  }
  return { address: nearest, counted: trusts(nearest) ? undefined : nearest };
}

/** Whether a browser opens a page with it; one that is too old to say so takes HTML. */
export function navigates(fields: readonly string[], names: readonly string[]): boolean {
  const mode = fieldValue(fields, names, "sec-fetch-mode");
  if (mode !== undefined) return mode.trim() === "navigate";
  return /\btext\/html\b/i.test(fieldValue(fields, names, "accept") ?? "");
}

/** @returns the host that the client has asked for, by the word of a trusted proxy; `undefined` where none says */
export function hostTold(
  trusts: (address: string) => boolean,
  { fields, peer }: Pick<RequestHead, "fields" | "peer">,
  names: readonly string[],
): string | undefined {
  const text = isBelieved(trusts, peer) ? fieldValue(fields, names, "x-forwarded-host") : undefined;
  const [host = ""] = text?.split(",") ?? [];
  const told = host.trim();
  return told !== "" && soundHost.test(told) ? told : undefined;
}

const longest = 64;

/** What the proxies have written of whom they had the request from, the nearest first. */
function wayOf(fields: readonly string[], names: readonly string[]): string[] {
  const listed = (name: string) =>
    names.flatMap((one, i) => (one === name ? [fields[2 * i + 1] ?? ""] : [])).join(",");
  const told = fromTheEnd(listed("x-forwarded-for"), ",");
  return told.length > 0 ? told : fromTheEnd(listed("forwarded"), ",").map(forIn);
}

/** RFC 7239 §4. @returns what the element says of `for`; a proxy that says nothing of it does not know */
function forIn(element: string): string {
  for (const pair of fromTheEnd(element, ";")) {
    const [, node] = /^for\s*=\s*(.*)$/is.exec(pair) ?? [];
    if (node !== undefined) return node.replaceAll('"', "");
  }
  return "unknown";
}

/** Read from the end, whose quotes a trusted proxy has set: those of a stranger before it may be odd. @returns last first */
function fromTheEnd(text: string, separator: "," | ";"): string[] {
  const parts: string[] = [];
  let isQuoted = false;
  let end = text.length;
  for (let at = text.length - 1; at >= -1; at--) {
    if (text[at] === '"' && text[at - 1] !== "\\") isQuoted = !isQuoted;
    if (at >= 0 && (isQuoted || text[at] !== separator)) continue;
    const part = text.slice(at + 1, end).trim();
    if (part !== "") parts.push(part);
    end = at;
  }
  return parts;
}

/** An address as proxies write it: some add the port, and an IPv6 address is then in brackets (RFC 7239 §6). */
const node = /^(?:\[([\dA-Fa-f:.]+)\](?::[\w.-]+)?|([\d.]+)(?::[\w.-]+)?|([\dA-Fa-f:.]+))$/;

function addressIn(text: string): string | undefined {
  const [, bracketed, v4, v6] = node.exec(text) ?? [];
  const address = bracketed ?? v4 ?? v6 ?? "";
  return isIP(address) === 0 ? undefined : plain(address);
}

/** An IPv4 address mapped into IPv6 is the IPv4 address. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}

/**
 * Cookies kept apart per side: two shops that both call their session `sid` would each destroy the other's. An upstream
 * that is `new` to a cutover with `cookies.apart` has its cookies of these names at the client under names of their own,
 * that end in its suffix; all other upstreams keep the plain ones.
 *
 *                     Cookie of a request                        Set-Cookie of an answer
 *   such an upstream  its own lose the suffix; those of the      those of the names get its suffix; one that would be
 *                     names without it do not go on              too many or too long is dropped
 *   all others        as they came                               as they came
 *   every upstream    what ends in a suffix of another one,      what ends in a suffix by itself is dropped: no shop
 *                     or of a name no more kept apart, stays     sets another's
 *
 * So what one sets under such a name is sent to nobody else, and comes back to it byte for byte. A suffix stands at the
 * end, so that `__Host-` and `__Secure-` still mean to the browser what they say.
 */
import type { Config } from "../../../config/schema.ts";
import { apartSuffix, type CookiePattern, namesCookie } from "../../../config/values/apart-cookies.ts";

/** Why a cookie that an upstream sets does not go on. */
export const droppedWhys = ["count", "name", "size"] as const;
export type DroppedWhy = (typeof droppedWhys)[number];

/** What an answer's cookies are judged by. */
export interface SetAgainst {
  /** Cookie fields of the request. */
  readonly cookies: readonly string[];
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  readonly dropped: (why: DroppedWhy) => void;
}

/** How one upstream's cookies go to it and come from it, where any upstream's are kept apart. */
export interface ApartCookies {
  /** @returns a request's Cookie field as the upstream is to see it; empty: there is nothing left of it */
  toUpstream(field: string): string;
  /** @param fields of an answer of the upstream, flat; changed in place */
  toClient(fields: string[], against: () => SetAgainst): void;
}

/** Octets of name and value together, above which browsers keep no cookie (RFC 6265bis §5.6). */
const mostBytes = 4096;
/** How many of an upstream's a client is given. Browsers drop others' for those that are too many (RFC 6265 §6.1). */
const mostCookies = 50;

/** @returns by the names of all upstreams; empty where no cookies are kept apart */
export function apartCookiesOf({
  upstreams,
  cutovers,
}: Pick<Config, "upstreams" | "cutovers">): ReadonlyMap<string, ApartCookies> {
  const patterns = new Map<string, readonly CookiePattern[]>();
  for (const { new: upstream, cookies } of Object.values(cutovers)) {
    if (cookies !== undefined) patterns.set(upstream, [...(patterns.get(upstream) ?? []), ...cookies.apart]);
  }
  if (patterns.size === 0) return new Map();
  const suffixes = [...patterns.keys()].map(apartSuffix);
  return new Map(
    Object.keys(upstreams).map((name) => [
      name,
      apartCookies(suffixes, apartSuffix(name), patterns.get(name) ?? []),
    ]),
  );
}

/**
 * @param suffixes of all upstreams whose cookies are kept apart
 * @param own the suffix of this one
 * @param patterns which of its cookies have it; none: it keeps the plain names
 */
function apartCookies(
  suffixes: readonly string[],
  own: string,
  patterns: readonly CookiePattern[],
): ApartCookies {
  const isNamed = (name: string) => patterns.some((pattern) => namesCookie(pattern, name));
  const isSuffixed = (name: string) => suffixes.some((suffix) => name.endsWith(suffix));
  /** @returns the name that the upstream knows it by; `undefined`: it is not for this one */
  const plainName = (name: string): string | undefined => {
    if (!isSuffixed(name)) return isNamed(name) ? undefined : name;
    if (!name.endsWith(own)) return undefined;
    const plain = name.slice(0, -own.length);
    return isNamed(plain) ? plain : undefined;
  };

  return {
    toUpstream(field) {
      if (patterns.length === 0 && !suffixes.some((suffix) => field.includes(suffix))) return field;
      let kept = "";
      let isCut = false;
      let isFirst = true;
      for (let at = 0; at <= field.length; ) {
        const semicolon = field.indexOf(";", at);
        const pairEnd = semicolon === -1 ? field.length : semicolon;
        const { start, end } = nameIn(field, at, pairEnd);
        const name = field.slice(start, end);
        const plain = plainName(name);
        if (plain === undefined) isCut = true;
        else {
          if (!isFirst) kept += ";";
          kept +=
            plain === name
              ? field.slice(at, pairEnd)
              : field.slice(at, start) + plain + field.slice(end, pairEnd);
          isFirst = false;
        }
        at = pairEnd + 1;
      }
      return isCut ? kept.trimStart() : kept;
    },

    toClient(fields, against) {
      let given: Given | undefined;
      let kept = firstSet(fields);
      for (let i = kept; i + 1 < fields.length; i += 2) {
        const field = fields[i] ?? "";
        let value: string | undefined = fields[i + 1] ?? "";
        if (setsCookie(field)) {
          const { start, end } = nameInSet(value);
          const name = value.slice(start, end);
          if (isNamed(name)) {
            given ??= givenBy(against(), own);
            value = admit(given, value.slice(0, end) + own + value.slice(end), name + own);
          } else if (isSuffixed(name)) {
            against().dropped("name");
            value = undefined;
          }
        }
        if (value === undefined) continue;
        fields[kept] = field;
        fields[kept + 1] = value;
        kept += 2;
      }
      fields.length = kept;
    },
  };
}

/** @returns where the first cookie is set; the end of the list where none is */
function firstSet(fields: readonly string[]): number {
  for (let i = 0; i < fields.length; i += 2) if (setsCookie(fields[i] ?? "")) return i;
  return fields.length;
}

function setsCookie(field: string): boolean {
  return field.length === 10 && field.toLowerCase() === "set-cookie";
}

/** What a client is given by one answer. */
interface Given {
  readonly against: SetAgainst;
  /** Names of those of the upstream that the client has. */
  readonly names: Set<string>;
}

function givenBy(against: SetAgainst, suffix: string): Given {
  const names = against.cookies.flatMap((field) => field.split(";")).map((pair) => nameOf(pair));
  return { against, names: new Set(names.filter((name) => name.endsWith(suffix))) };
}

/** @returns the field's value, unless the client is not given it */
function admit({ against, names }: Given, value: string, name: string): string | undefined {
  // What is deleted takes no room, and must go whatever else there is.
  if (isDeletion(value, against.nowMs)) {
    names.delete(name);
    return value;
  }
  if (sizeOf(value) > mostBytes) {
    against.dropped("size");
    return undefined;
  }
  if (!names.has(name) && names.size >= mostCookies) {
    against.dropped("count");
    return undefined;
  }
  names.add(name);
  return value;
}

/** Octets of a cookie's name and value. @param value of Set-Cookie, a byte string */
function sizeOf(value: string): number {
  const semicolon = value.indexOf(";");
  const pair = semicolon === -1 ? value : value.slice(0, semicolon);
  const equals = pair.indexOf("=");
  if (equals === -1) return pair.trim().length;
  return pair.slice(0, equals).trim().length + pair.slice(equals + 1).trim().length;
}

/** Max-Age counts before Expires, and the last of each (RFC 6265 §5.3). */
function isDeletion(value: string, nowMs: number): boolean {
  const seconds = attribute(value, /;[\t ]*max-age[\t ]*=[\t ]*(-?\d+)[\t ]*(?=;|$)/gi);
  if (seconds !== undefined) return Number(seconds) <= 0;
  const date = attribute(value, /;[\t ]*expires[\t ]*=([^;]*)/gi);
  return date !== undefined && Date.parse(date) <= nowMs;
}

function attribute(value: string, form: RegExp): string | undefined {
  let last: string | undefined;
  for (const [, given] of value.matchAll(form)) last = given;
  return last;
}

function nameOf(pair: string): string {
  const { start, end } = nameIn(pair, 0, pair.length);
  return pair.slice(start, end);
}

/**
 * Where the name of a cookie stands that is set. One that has none, as in `=sid=1`, is sent back by its value alone
 * (RFC 6265bis §5.8.3), whose beginning is then the name for whoever reads it.
 */
function nameInSet(value: string): { readonly start: number; readonly end: number } {
  const semicolon = value.indexOf(";");
  const pair = semicolon === -1 ? value : value.slice(0, semicolon);
  const [nothing = ""] = /^[\t ]*=/.exec(pair) ?? [];
  return nameIn(pair, nothing.length, pair.length);
}

/** Without the spaces around it. A pair with no `=` is all name. @param to where the pair ends */
function nameIn(text: string, from: number, to: number): { readonly start: number; readonly end: number } {
  let end = from;
  while (end < to && text[end] !== "=") end += 1;
  let start = from;
  while (start < end && isSpace(text[start])) start += 1;
  while (end > start && isSpace(text[end - 1])) end -= 1;
  return { start, end };
}

function isSpace(character: string | undefined): boolean {
  return character === " " || character === "\t";
}

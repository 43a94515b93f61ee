/** Cookie request fields (RFC 6265 §4.2), read and cut byte for byte. PURE. */

/** @returns the first cookie of that name that counts, its surrounding double quotes dropped */
export function cookieValue(
  fields: readonly string[],
  fieldNames: readonly string[],
  name: string,
  counts: (value: string) => boolean = isAny,
): string | undefined {
  for (let i = fieldNames.indexOf("cookie"); i !== -1; i = fieldNames.indexOf("cookie", i + 1)) {
    const header = fields[2 * i + 1] ?? "";
    for (let found = cookieFrom(header, name, 0); found; found = cookieFrom(header, name, found.end)) {
      if (counts(found.value)) return found.value;
    }
  }
  return undefined;
}

const isAny = () => true;

/** @returns every cookie of that name, over all fields, in their order: other hosts and paths may have set namesakes */
export function cookieValues(
  fields: readonly string[],
  fieldNames: readonly string[],
  name: string,
): string[] {
  const values: string[] = [];
  for (let i = fieldNames.indexOf("cookie"); i !== -1; i = fieldNames.indexOf("cookie", i + 1)) {
    const header = fields[2 * i + 1] ?? "";
    for (let found = cookieFrom(header, name, 0); found; found = cookieFrom(header, name, found.end)) {
      values.push(found.value);
    }
  }
  return values;
}

/** @returns the first cookie of that name from there on, and where the search goes on behind it */
function cookieFrom(
  header: string,
  name: string,
  at: number,
): { readonly value: string; readonly end: number } | undefined {
  for (let from = header.indexOf(name, at); from !== -1; from = header.indexOf(name, from + 1)) {
    const equals = from + name.length;
    if (header[equals] !== "=" || pairBefore(header, from, isBlank) === -1) continue;
    const end = endOfPair(header, equals);
    return { value: unquoted(header.slice(equals + 1, end).trimEnd()), end: end + 1 };
  }
  return undefined;
}

/** @returns where the pair begins whose name stands there, behind nothing but spaces; -1: none does */
function pairBefore(header: string, name: number, isSpace: (code: number) => boolean): number {
  let start = name;
  while (start > 0 && isSpace(header.charCodeAt(start - 1))) start -= 1;
  return start === 0 || header[start - 1] === ";" ? start : -1;
}

function endOfPair(header: string, at: number): number {
  const semicolon = header.indexOf(";", at);
  return semicolon === -1 ? header.length : semicolon;
}

const isBlank = (code: number) => code === 0x20 || code === 0x09;
/** As `trim` has it, of a byte string: some shops read a name behind these, too. */
const isTrimmed = (code: number) => code === 0x20 || (code >= 0x09 && code <= 0x0d) || code === 0xa0;

function unquoted(value: string): string {
  return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}

/** Whether it is a name as visitors are given: 128 random bits, base64url. */
export function isVisitor(value: string): boolean {
  return value.length === 22 && /^[\w-]+$/.test(value);
}

/** A cookie by its name, and by its value where others may bear the name too. */
export interface OwnCookie {
  readonly name: string;
  isOwn(value: string): boolean;
}

/**
 * A cookie field without the own cookies; the others keep their bytes.
 *
 * @returns the same string when none of them is in it; empty when nothing is left
 */
export function withoutCookies(header: string, own: readonly OwnCookie[]): string {
  let kept = header;
  for (const cookie of own) if (kept.includes(cookie.name)) kept = withoutCookie(kept, cookie);
  return kept.length === header.length ? header : kept.trimStart();
}

function withoutCookie(header: string, { name, isOwn }: OwnCookie): string {
  let kept = "";
  let from = 0;
  for (let at = header.indexOf(name); at !== -1; ) {
    const equals = at + name.length;
    const start = header[equals] === "=" ? pairBefore(header, at, isTrimmed) : -1;
    const end = start === -1 ? equals : endOfPair(header, equals);
    if (start !== -1 && isOwn(unquoted(header.slice(equals + 1, end).trimEnd()))) {
      kept += header.slice(from, start);
      from = end + 1;
    }
    at = header.indexOf(name, end);
  }
  if (from === 0) return header;
  // Of the last pair the semicolon before it goes.
  return from > header.length ? kept.slice(0, -1) : kept + header.slice(from);
}

/** Cookie request fields (RFC 6265 §4.2), read and cut byte for byte. PURE. */

/** @returns the first cookie of that name, its surrounding double quotes dropped */
export function cookieValue(
  fields: readonly string[],
  fieldNames: readonly string[],
  name: string,
): string | undefined {
  for (let i = fieldNames.indexOf("cookie"); i !== -1; i = fieldNames.indexOf("cookie", i + 1)) {
    const found = cookieFrom(fields[2 * i + 1] ?? "", name, 0);
    if (found !== undefined) return found.value;
  }
  return undefined;
}

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
  for (let start = at; start < header.length; ) {
    const semicolon = header.indexOf(";", start);
    const end = semicolon === -1 ? header.length : semicolon;
    const from = skipSpace(header, start, end);
    if (header.startsWith(name, from) && header[from + name.length] === "=") {
      return { value: unquoted(header.slice(from + name.length + 1, end).trimEnd()), end: end + 1 };
    }
    start = end + 1;
  }
  return undefined;
}

function unquoted(value: string): string {
  return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}

/** Whether it is a name as visitors are given: 128 random bits, base64url. */
export function isVisitor(value: string): boolean {
  return /^[\w-]{22}$/.test(value);
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
  if (!own.some(({ name }) => header.includes(name))) return header;
  const pairs = header.split(";");
  const kept = pairs.filter((pair) => {
    const trimmed = pair.trim();
    return !own.some(
      ({ name, isOwn }) =>
        trimmed.startsWith(name) &&
        trimmed[name.length] === "=" &&
        isOwn(unquoted(trimmed.slice(name.length + 1))),
    );
  });
  return kept.length === pairs.length ? header : kept.join(";").trimStart();
}

function skipSpace(text: string, start: number, end: number): number {
  let at = start;
  while (at < end && (text[at] === " " || text[at] === "\t")) at += 1;
  return at;
}

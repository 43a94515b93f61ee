/** Cookie request fields (RFC 6265 §4.2), read and cut byte for byte. PURE. */

/** @returns the first cookie of that name, its surrounding double quotes dropped */
export function cookieValue(
  fields: readonly string[],
  fieldNames: readonly string[],
  name: string,
): string | undefined {
  for (let i = fieldNames.indexOf("cookie"); i !== -1; i = fieldNames.indexOf("cookie", i + 1)) {
    const value = valueIn(fields[2 * i + 1] ?? "", name);
    if (value !== undefined) return value;
  }
  return undefined;
}

function valueIn(header: string, name: string): string | undefined {
  for (let start = 0; start < header.length; ) {
    const semicolon = header.indexOf(";", start);
    const end = semicolon === -1 ? header.length : semicolon;
    const from = skipSpace(header, start, end);
    if (header.startsWith(name, from) && header[from + name.length] === "=") {
      const value = header.slice(from + name.length + 1, end).trimEnd();
      return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
    }
    start = end + 1;
  }
  return undefined;
}

/**
 * A cookie field without the named cookies; the others keep their bytes.
 *
 * @returns the same string when none of them is in it; empty when nothing is left
 */
export function withoutCookies(header: string, names: readonly string[]): string {
  if (!names.some((name) => header.includes(name))) return header;
  const kept = header.split(";").filter((pair) => {
    const trimmed = pair.trimStart();
    return !names.some((name) => trimmed.startsWith(name) && trimmed[name.length] === "=");
  });
  return kept.join(";").trimStart();
}

function skipSpace(text: string, start: number, end: number): number {
  let at = start;
  while (at < end && (text[at] === " " || text[at] === "\t")) at += 1;
  return at;
}

/** A route's path pattern: exact (`/checkout`), with parameters (`/orders/:orderId/pay`), or a prefix (`/cart/*`). */
export interface PathPattern {
  readonly text: string;
  /** What stands between the slashes, in order; for a prefix, what comes before `*`. */
  readonly segments: readonly PathSegment[];
  /** `/cart/*`: matches `/cart/` and whatever follows it, not `/cart`. */
  readonly prefix: boolean;
}

type PathSegment =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "param"; readonly name: string };

/** @returns the pattern, or the sentence that says what was expected */
export function parsePath(text: string): PathPattern | string {
  if (!text.startsWith("/")) return "expected a path that starts with /";
  if (!/^[\x21-\x7e]+$/.test(text)) return "expected a path in ASCII, other characters percent-encoded";
  if (/[?#\\]/.test(text)) return "expected a path without query, fragment or backslash";
  const prefix = text.endsWith("/*");
  const parts = (prefix ? text.slice(1, -2) : text.slice(1)).split("/");
  if (prefix && text === "/*") parts.length = 0;
  const segments: PathSegment[] = [];
  const names = new Set<string>();
  for (const part of parts) {
    if (part.includes("*")) return "expected * only as the last segment, as in /cart/*";
    const text = canonicalSegment(part);
    if (text === "." || text === "..") return "expected a path without dot segments";
    if (!part.startsWith(":")) {
      segments.push({ kind: "literal", text });
      continue;
    }
    const name = part.slice(1);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return "expected a parameter name after :";
    if (names.has(name)) return "expected each parameter name once";
    names.add(name);
    segments.push({ kind: "param", name });
  }
  return { text, segments, prefix };
}

/**
 * The one spelling of segments that are the same (RFC 3986 §6.2.2): unreserved characters plain, what else is encoded in
 * capitals.
 */
export function canonicalSegment(segment: string): string {
  if (!segment.includes("%")) return segment;
  return segment.replace(/%[0-9a-f]{2}/gi, (encoded) => {
    const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16));
    return /[\w.~-]/.test(character) ? character : encoded.toUpperCase();
  });
}

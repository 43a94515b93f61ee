/** The cookies of one shopper at one site (RFC 6265 §5.3, without domains and paths: every request is to `/`). */
export interface CookieJar {
  /** @param fields the Set-Cookie values of an answer */
  keep(fields: readonly string[]): void;
  /** The Cookie field; `undefined` when there is none to send. */
  header(): string | undefined;
}

/** @param now milliseconds since the epoch */
export function createCookieJar(now: () => number): CookieJar {
  const cookies = new Map<string, string>();

  return {
    keep(fields) {
      for (const field of fields) {
        const [pair = "", ...attributes] = field.split(";");
        const equals = pair.indexOf("=");
        if (equals < 1) continue;
        const name = pair.slice(0, equals).trim();
        if (isExpired(attributes, now())) cookies.delete(name);
        else cookies.set(name, pair.slice(equals + 1).trim());
      }
    },
    header: () =>
      cookies.size === 0 ? undefined : [...cookies].map(([name, value]) => `${name}=${value}`).join("; "),
  };
}

/** Max-Age has precedence over Expires (RFC 6265 §5.3, step 3). */
function isExpired(attributes: readonly string[], nowMs: number): boolean {
  let expires = Number.POSITIVE_INFINITY;
  for (const attribute of attributes) {
    const equals = attribute.indexOf("=");
    const value = attribute.slice(equals + 1).trim();
    const name = attribute.slice(0, Math.max(equals, 0)).trim().toLowerCase();
    if (name === "max-age" && /^-?\d+$/.test(value)) return Number(value) <= 0;
    if (name === "expires" && !Number.isNaN(Date.parse(value))) expires = Date.parse(value);
  }
  return expires <= nowMs;
}

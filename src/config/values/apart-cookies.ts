/** Names of cookies that are kept apart per side (`cookies.apart`), and what tells an upstream's from the others'. PURE. */

/** A cookie's name, or how it begins, with `*` behind it. */
export type CookiePattern = string;

/** What the names of an upstream's cookies end in at the client, where they are kept apart. */
export function apartSuffix(upstream: string): string {
  return `~${upstream}`;
}

export function namesCookie(pattern: CookiePattern, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

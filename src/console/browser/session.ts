/** Signing in and out, and the path of its own that a session has: the root sends its people there. */
const own = /^\/s\/[\w-]{22}\//;
const kept = "cutover-path";

/** The path that the page and its API lie under. */
export function rootOf(pathname: string): string {
  return own.exec(pathname)?.[0] ?? "/";
}

/** Kept for this origin, which is one of this port alone. */
function recall(): string | undefined {
  try {
    return own.exec(localStorage.getItem(kept) ?? "")?.[0];
  } catch {
    return undefined;
  }
}

export function remember(path: string | undefined): void {
  try {
    if (path === undefined) localStorage.removeItem(kept);
    else if (recall() !== path) localStorage.setItem(kept, path);
  } catch {
    // Then the root asks for a token again.
  }
}

/** At the root nobody is signed in; on a session's path that has ended, nobody is any more. */
export function settlePath(root: string, isKnown: boolean, isNamed: boolean): void {
  if (isKnown) {
    if (root !== "/" && isNamed) remember(root);
    return;
  }
  const path = recall();
  const { search, hash } = location;
  const hasFailed = search.startsWith("?sign-in=");
  if (root === "/" && path !== undefined && !hasFailed) location.replace(path + search + hash);
  else if (path === root) remember(undefined);
}

/** Trades the token for a cookie. @returns why it came to nothing; else the browser goes to the session's path */
export async function tradeToken(token: string): Promise<string> {
  // What no header field can carry is no token.
  if (!/^[\x21-\x7e]+$/.test(token)) return "This is no token.";
  try {
    const response = await fetch("/api/v1/session", {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(5000),
    });
    const answer = await response.json();
    if (response.ok && own.test(answer.path)) {
      remember(answer.path);
      location.replace(answer.path + location.search.replace(/^\?sign-in=.*/, "") + location.hash);
      return "";
    }
    return `Not signed in: ${answer.detail ?? response.status}.`;
  } catch {
    return "Not signed in: the admin API did not answer.";
  }
}

/** @param end ends the session at the server */
export async function leave(end: () => Promise<unknown>): Promise<void> {
  await end();
  remember(undefined);
  location.replace("/");
}

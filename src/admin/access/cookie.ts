/**
 * The session's cookie. HttpOnly and SameSite=Strict always; over https it is also Secure and bears the prefix
 * `__Host-`, so that no other host of the domain can set it (RFC 6265bis §4.1.3.2).
 */
import type { IncomingHttpHeaders } from "node:http";

const plainName = "cutover_session";
const secureName = `__Host-${plainName}`;
const attributes = "Path=/; HttpOnly; SameSite=Strict";

/** @returns the session's id; `undefined` without exactly one */
export function sessionIdOf({ cookie }: IncomingHttpHeaders): string | undefined {
  const pairs = (cookie ?? "").split(";").map((pair) => pair.trim());
  for (const name of [secureName, plainName]) {
    const [found, ...more] = pairs.filter((pair) => pair.startsWith(`${name}=`));
    if (found !== undefined) return more.length === 0 ? found.slice(name.length + 1) : undefined;
  }
  return undefined;
}

/**
 * Whether the browser speaks https: this listener does not, but what stands before it may. Whoever forges the field
 * changes only their own cookie.
 */
export function isSecure(headers: IncomingHttpHeaders): boolean {
  const [first] = [headers["x-forwarded-proto"]].flat();
  return first?.split(",")[0]?.trim().toLowerCase() === "https";
}

export function sessionCookie(id: string, secure: boolean): string {
  return secure ? `${secureName}=${id}; ${attributes}; Secure` : `${plainName}=${id}; ${attributes}`;
}

/** What takes the cookie out of the browser again. */
export function endedCookie(secure: boolean): string {
  return `${sessionCookie("", secure)}; Max-Age=0`;
}

/**
 * The cookies that the admin API's page is given. Cookies know no ports (RFC 6265 §8.5): a shop on the page's host would be
 * sent them too, if not for their Path; and the proxy takes them out of whatever it forwards.
 */
export const sessionCookie = "cutover_session";
/** Kept while a person signs in at the issuer. */
export const signInCookie = "cutover_sign_in";

/** RFC 6265bis §4.1.3.1: over TLS, so that no page without it can set one of the name. */
export const securePrefix = "__Secure-";

/** Under every name they have; `__Host-` is that of versions before. */
export const pageCookieNames: readonly string[] = [sessionCookie, signInCookie].flatMap((name) =>
  ["", securePrefix, "__Host-"].map((prefix) => prefix + name),
);

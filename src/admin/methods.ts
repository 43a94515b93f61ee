/** A known path asked for by a method it has not: 405 with `Allow` (RFC 9110 §15.5.6), never 404. */
import type { AdminApp } from "./context.ts";
import { Refused } from "./problem.ts";

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] as const;
type Method = (typeof methods)[number];

/**
 * Notes every route made after this call.
 *
 * @returns what to call when all routes are made: it fills each path's other methods
 */
export function watchMethods(app: AdminApp): () => void {
  const paths = new Map<string, { allowed: Set<string>; isOpen: boolean }>();
  app.addHook("onRoute", (route) => {
    const known = paths.get(route.url) ?? { allowed: new Set(), isOpen: route.config?.isOpen === true };
    for (const method of [route.method].flat()) known.allowed.add(method);
    paths.set(route.url, known);
  });
  return () => {
    for (const [url, { allowed, isOpen }] of [...paths]) {
      const others: Method[] = methods.filter((method) => !allowed.has(method));
      const allow = [...allowed].join(", ");
      app.route({
        method: others,
        url,
        config: { isOpen },
        schema: { hide: true },
        // Before the body is read: a wrong method is wrong whatever it carries.
        onRequest: async () => {
          throw new Refused("method_not_allowed", `the path knows ${allow}`, { headers: { allow } });
        },
        handler: async () => undefined,
      });
    }
  };
}

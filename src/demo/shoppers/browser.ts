/** One shopper's way to the shop: keeps the cookies, names the shopper, reads JSON. */
import type { Dispatcher } from "undici";
import { jsonOf } from "../../base/json.ts";

export interface Page {
  readonly status: number;
  /** Which shop answered (`x-shop`); absent when none did, as in the proxy's own answers. */
  readonly shop: string | undefined;
  readonly body: unknown;
}

export interface Browser {
  /** @returns `undefined` when no answer came. Never rejects. */
  post(path: string, body: object, idempotencyKey?: string): Promise<Page | undefined>;
}

interface BrowserOptions {
  readonly dispatcher: Dispatcher;
  readonly origin: string;
  readonly shopper: string;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

export function createBrowser(options: BrowserOptions): Browser {
  const { dispatcher, origin, shopper, signal, now } = options;
  const jar = createCookieJar(now);

  return {
    async post(path, body, idempotencyKey) {
      try {
        const response = await dispatcher.request({
          origin,
          method: "POST",
          path,
          headers: fieldsOf(shopper, jar, idempotencyKey),
          body: JSON.stringify(body),
          signal,
        });
        jar.keep(several(response.headers["set-cookie"]));
        const text = await response.body.text();
        return {
          status: response.statusCode,
          shop: several(response.headers["x-shop"])[0],
          body: jsonOf(text),
        };
      } catch {
        return undefined;
      }
    },
  };
}

function fieldsOf(shopper: string, jar: CookieJar, idempotencyKey: string | undefined) {
  const fields: Record<string, string> = {
    "x-shopper-id": shopper,
    "user-agent": "sample-shopper",
    "content-type": "application/json",
  };
  const cookie = jar.header();
  if (cookie !== undefined) fields.cookie = cookie;
  if (idempotencyKey !== undefined) fields["idempotency-key"] = idempotencyKey;
  return fields;
}

function several(value: string | string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === "string" ? [value] : value;
}

/** The cookies of one shopper at one site (RFC 6265 §5.3, without domains and paths: every request is to `/`). */
interface CookieJar {
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

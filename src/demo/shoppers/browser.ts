/** One shopper's way to the shop: keeps the cookies, names the shopper, reads JSON. */
import type { Dispatcher } from "undici";
import { jsonOf } from "../../base/json.ts";
import { type CookieJar, createCookieJar } from "./cookies.ts";

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

export interface BrowserOptions {
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

/**
 * A browser as far as its cookies go (RFC 6265 §5.3–5.4): kept by host and path and never by port, sent the longest path
 * first, followed over redirects.
 */
import { request as send } from "undici";

interface Kept {
  readonly name: string;
  readonly value: string;
  readonly host: string;
  readonly path: string;
}

export interface Fetched {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

interface JarRequest {
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | Headers | undefined;
  readonly body?: string | URLSearchParams | null | undefined;
}

export interface BrowserJar {
  /** The Cookie field that a request of this address would carry; empty: none. */
  cookieFor(url: string): string;
  /** Every cookie, each `name=value` with its path. */
  all(): readonly Kept[];
  /** One request, its answer's cookies kept. */
  request(url: string, request?: JarRequest): Promise<Fetched>;
  /** Opens an address as a person does, or sends a form there, and follows redirects up to `until` answers true. */
  visit(
    url: string,
    options?: { readonly form?: Record<string, string>; readonly until?: (url: string) => boolean },
  ): Promise<Fetched>;
}

export function createBrowserJar(): BrowserJar {
  let kept: Kept[] = [];

  function keep(url: URL, field: string): void {
    const [pair = "", ...attributes] = field.split(";").map((part) => part.trim());
    const at = pair.indexOf("=");
    const named = new Map(
      attributes.map((text) => {
        const [key = "", value = ""] = text.split("=");
        return [key.toLowerCase(), value];
      }),
    );
    const told = named.get("path");
    const path = told?.startsWith("/") === true ? told : url.pathname.replace(/\/[^/]*$/, "") || "/";
    const cookie = { name: pair.slice(0, at), value: pair.slice(at + 1), host: url.hostname, path };
    kept = kept.filter((one) => one.name !== cookie.name || one.host !== cookie.host || one.path !== path);
    const expires = named.get("expires");
    const isGone =
      named.get("max-age") === "0" || (expires !== undefined && Date.parse(expires) <= Date.now());
    if (!isGone) kept.push(cookie);
  }

  const fits = ({ host, path }: Kept, { hostname, pathname }: URL) =>
    host === hostname &&
    (pathname === path ||
      (pathname.startsWith(path) && (path.endsWith("/") || pathname[path.length] === "/")));

  function cookieFor(url: string): string {
    const found = kept.filter((one) => fits(one, new URL(url)));
    return found
      .toSorted((one, other) => other.path.length - one.path.length)
      .map(({ name, value }) => `${name}=${value}`)
      .join("; ");
  }

  /** Not by `fetch`, which says of itself what kind of request it is (`Sec-Fetch-Mode`), and lets nobody else. */
  async function request(url: string, { method = "GET", headers, body }: JarRequest = {}): Promise<Fetched> {
    const sent = new Headers(headers);
    const cookie = cookieFor(url);
    if (cookie !== "") sent.set("cookie", cookie);
    if (body instanceof URLSearchParams) sent.set("content-type", "application/x-www-form-urlencoded");
    const answer = await send(url, {
      method,
      headers: Object.fromEntries(sent),
      body: body === undefined || body === null ? null : String(body),
    });
    const received = new Headers();
    for (const [name, values = []] of Object.entries(answer.headers)) {
      for (const value of [values].flat()) received.append(name, value);
    }
    for (const field of received.getSetCookie()) keep(new URL(url), field);
    return { url, status: answer.statusCode, headers: received, text: await answer.body.text() };
  }

  return {
    cookieFor,
    all: () => kept,
    request,
    async visit(url, { form, until = () => false } = {}) {
      const navigation = { "sec-fetch-mode": "navigate" };
      let visit = await request(
        url,
        form === undefined
          ? { headers: navigation }
          : { method: "POST", headers: navigation, body: new URLSearchParams(form) },
      );
      for (let hop = 0; hop < 20; hop += 1) {
        const location = visit.headers.get("location");
        if (visit.status < 300 || visit.status > 399 || location === null) return visit;
        const next = new URL(location, visit.url).href;
        if (until(next)) return { ...visit, url: next };
        visit = await request(next, { headers: navigation });
      }
      throw new Error("more than 20 redirects");
    },
  };
}

/** ApiCalls of the admin API, and what came of them: an answer, a refusal in its own words, or nothing in time. */
import type { RefusedCall } from "../words/outcome.ts";

export type Called<T> =
  | { readonly kind: "answered"; readonly answer: T; readonly status: number }
  | { readonly kind: "refused"; readonly status: number; readonly refusal: RefusedCall }
  | { readonly kind: "unreachable" };

export interface ApiCalls {
  /** @returns `undefined` where it was not answered, or not with 200 */
  get<T>(path: string): Promise<T | undefined>;
  /** A change. It is not sent again by itself. */
  send<T>(method: "POST" | "PUT" | "DELETE", path: string, body?: object): Promise<Called<T>>;
}

/** Longer than a write waits for instances. */
const patienceMs = 8000;

/**
 * @param root the path that the API lies under
 * @param csrf the session's token as of now
 * @param touch the fields that say whether a person did something since the last call
 */
export function createApiCalls(
  root: string,
  csrf: () => string | undefined,
  touch: () => Readonly<Record<string, string>>,
): ApiCalls {
  return {
    async get<T>(path: string): Promise<T | undefined> {
      try {
        const headers = touch();
        const signal = AbortSignal.timeout(patienceMs);
        const answer = await fetch(root + path, { cache: "no-store", headers, signal });
        return answer.ok ? await answer.json() : undefined;
      } catch {
        return undefined;
      }
    },

    async send<T>(method: string, path: string, body?: object): Promise<Called<T>> {
      try {
        const token = csrf();
        const headers = {
          ...(token === undefined ? {} : { "x-csrf-token": token }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        };
        const answer = await fetch(root + path, {
          method,
          headers,
          signal: AbortSignal.timeout(patienceMs),
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        const { status } = answer;
        const text = await answer.text();
        if (answer.ok)
          return { kind: "answered", status, answer: text === "" ? undefined : JSON.parse(text) };
        return { kind: "refused", status, refusal: refusalIn(text, status) };
      } catch {
        return { kind: "unreachable" };
      }
    },
  };
}

/** What stands in between may answer with something that is no problem. */
function refusalIn(text: string, status: number): RefusedCall {
  try {
    const { code, detail, current } = JSON.parse(text);
    return { code: String(code), detail, current };
  } catch {
    return { code: `the answer was ${status}` };
  }
}

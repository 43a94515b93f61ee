/**
 * Calls a Prometheus, with bounds on everything: how long it may take and how much it may say. What it answers is somebody
 * else's word: whoever asks looks at each number. https://prometheus.io/docs/prometheus/latest/querying/api/
 */
import * as z from "zod";
import { codeOf } from "../errors.ts";
import { jsonOf } from "../json.ts";

interface PrometheusCall {
  /** What it signs in by may stand in it. */
  readonly url: string;
  readonly of: "query" | "query_range";
  readonly fields: Readonly<Record<string, string>>;
  /** Ends it. */
  readonly signal: AbortSignal;
  readonly answerMs: number;
  readonly mostBytes: number;
}

/** `read`: the JSON of a 200; `nothing`: why there is none, in printable ASCII and short. */
type PrometheusAnswer =
  | { readonly kind: "read"; readonly read: unknown }
  | { readonly kind: "nothing"; readonly why: string };

const longestSaid = 120;
const refused = z.object({ status: z.literal("error"), error: z.string() });

/** Never rejects. */
export async function callPrometheus(call: PrometheusCall): Promise<PrometheusAnswer> {
  const { answerMs, signal } = call;
  try {
    const { address, fields } = placeOf(call);
    const response = await fetch(address, {
      method: "POST",
      headers: { "user-agent": "cutover", "accept-encoding": "identity", ...fields },
      body: new URLSearchParams({ ...call.fields, timeout: `${answerMs}ms` }),
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
    });
    const text = await boundedText(response, call.mostBytes);
    if (text === undefined) return noAnswer("it answers at too great length");
    const read = jsonOf(text);
    const error = refused.safeParse(read).data?.error;
    if (error !== undefined) return noAnswer(`it refuses the query: ${error}`);
    return response.status === 200 ? { kind: "read", read } : notPrometheus(response.status);
  } catch (error) {
    return noAnswer(wordOf(error));
  }
}

/** What is no answer of its kind. */
export function notPrometheus(status = 200): { readonly kind: "nothing"; readonly why: string } {
  return noAnswer(`no answer of a Prometheus, status ${status}`);
}

function placeOf({ url, of }: Pick<PrometheusCall, "url" | "of">): {
  readonly address: URL;
  readonly fields: Readonly<Record<string, string>>;
} {
  const base = new URL(url);
  const { username, password } = base;
  base.username = "";
  base.password = "";
  base.pathname = `${base.pathname.replace(/\/$/, "")}/api/v1/${of}`;
  if (username === "" && password === "") return { address: base, fields: {} };
  const signIn = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { address: base, fields: { authorization: `Basic ${Buffer.from(signIn).toString("base64")}` } };
}

/** @returns `undefined`: it is longer than that, and the rest is not waited for */
async function boundedText({ body }: Response, mostBytes: number): Promise<string | undefined> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of body ?? []) {
    length += part.byteLength;
    // Leaving the loop ends the connection.
    if (length > mostBytes) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function noAnswer(why: string): { readonly kind: "nothing"; readonly why: string } {
  const said = why.replaceAll(/[^\x21-\x7e]+/g, " ");
  return { kind: "nothing", why: said.length > longestSaid ? `${said.slice(0, longestSaid)}…` : said };
}

/** Its code or name alone: an error's text may tell the URL. */
function wordOf(error: unknown): string {
  if (error instanceof Error && error.name === "TimeoutError") return "no answer in time";
  const cause = error instanceof Error ? error.cause : undefined;
  return codeOf(cause) ?? codeOf(error) ?? (error instanceof Error ? error.name : "error");
}

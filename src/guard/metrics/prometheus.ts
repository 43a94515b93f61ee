/**
 * Asks a Prometheus, with bounds on everything: how long it may take, how much it may say, and what it has to look like. It
 * is believed about numbers and about nothing else. https://prometheus.io/docs/prometheus/latest/querying/api/
 */
import * as z from "zod";
import { codeOf } from "../../base/errors.ts";
import { jsonOf } from "../../base/json.ts";
import type { Reply } from "./rule.ts";

interface AskOptions {
  /** What it signs in by may stand in it. */
  readonly url: string;
  /** An instant query that gives a range of points. */
  readonly query: string;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** 5 s without it. */
  readonly answerMs?: number;
}

/** 20 points of a series are 1 kB. */
const mostBytes = 64 * 1024;
const longestSaid = 120;

const refused = z.object({ status: z.literal("error"), error: z.string() });
const answered = z.object({
  status: z.literal("success"),
  data: z.object({
    resultType: z.literal("matrix"),
    result: z.array(z.object({ values: z.array(z.tuple([z.number(), z.string().regex(/^\S+$/)])) })),
  }),
});

/** Never rejects. What is no finite number is no point. */
export async function askPrometheus({ url, query, signal, answerMs = 5000 }: AskOptions): Promise<Reply> {
  try {
    const { address, fields } = placeOf(url);
    const response = await fetch(address, {
      method: "POST",
      headers: { "user-agent": "cutover", "accept-encoding": "identity", ...fields },
      body: new URLSearchParams({ query, timeout: `${answerMs}ms` }),
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
    });
    const text = await boundedText(response);
    return text === undefined ? nothing("it answers at too great length") : answerOf(text, response.status);
  } catch (error) {
    return nothing(wordOf(error));
  }
}

function placeOf(url: string): { readonly address: URL; readonly fields: Readonly<Record<string, string>> } {
  const base = new URL(url);
  const { username, password } = base;
  base.username = "";
  base.password = "";
  base.pathname = `${base.pathname.replace(/\/$/, "")}/api/v1/query`;
  if (username === "" && password === "") return { address: base, fields: {} };
  const signIn = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { address: base, fields: { authorization: `Basic ${Buffer.from(signIn).toString("base64")}` } };
}

/** @returns `undefined`: it is longer than that, and the rest is not waited for */
async function boundedText({ body }: Response): Promise<string | undefined> {
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

function answerOf(text: string, status: number): Reply {
  const read = jsonOf(text);
  const error = refused.safeParse(read).data?.error;
  if (error !== undefined) return nothing(`it refuses the query: ${error}`);
  const found = answered.safeParse(read).data?.data.result;
  if (status !== 200 || found === undefined) return nothing(`no answer of a Prometheus, status ${status}`);
  const [series, ...more] = found;
  if (series === undefined) return nothing("no series");
  if (more.length > 0) return nothing(`${found.length} series, where one is expected`);
  const points = series.values.map(([at, value]) => ({ at, value: Number(value) }));
  return { kind: "points", points: points.filter(({ value }) => Number.isFinite(value)) };
}

function nothing(why: string): Reply {
  const said = why.replaceAll(/[^\x21-\x7e]+/g, " ");
  return { kind: "nothing", why: said.length > longestSaid ? `${said.slice(0, longestSaid)}…` : said };
}

/** Its code or name alone: an error's text may tell the URL. */
function wordOf(error: unknown): string {
  if (error instanceof Error && error.name === "TimeoutError") return "no answer in time";
  const cause = error instanceof Error ? error.cause : undefined;
  return codeOf(cause) ?? codeOf(error) ?? (error instanceof Error ? error.name : "error");
}

/** Asks a Prometheus for one series. It is believed about numbers and about nothing else. */
import * as z from "zod";
import { callPrometheus, notPrometheus } from "../../base/prometheus/call.ts";
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

const answered = z.object({
  status: z.literal("success"),
  data: z.object({
    resultType: z.literal("matrix"),
    result: z.array(z.object({ values: z.array(z.tuple([z.number(), z.string().regex(/^\S+$/)])) })),
  }),
});

/** Never rejects. What is no finite number is no point. */
export async function askPrometheus({ url, query, signal, answerMs = 5000 }: AskOptions): Promise<Reply> {
  const called = await callPrometheus({ url, of: "query", fields: { query }, signal, answerMs, mostBytes });
  if (called.kind === "nothing") return called;
  const found = answered.safeParse(called.read).data?.data.result;
  if (found === undefined) return notPrometheus();
  const [series, ...more] = found;
  if (series === undefined) return { kind: "nothing", why: "no series" };
  if (more.length > 0) return { kind: "nothing", why: `${found.length} series, where one is expected` };
  const points = series.values.map(([at, value]) => ({ at, value: Number(value) }));
  return { kind: "points", points: points.filter(({ value }) => Number.isFinite(value)) };
}

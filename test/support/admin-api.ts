/** The admin API as a program outside calls it: over HTTP, every answer's status, body and time. */
import { Agent, request } from "undici";
import { z } from "zod";
import { type CutoverView, cutoverView } from "../../src/admin/api/cutover-view.ts";
import { historyEntry } from "../../src/admin/api/history-view.ts";
import { type WriteAnswer, writeAnswer } from "../../src/admin/api/write.ts";

const refusal = z.object({ code: z.string() });

export interface Written {
  readonly status: number;
  /** What a refusal is called. */
  readonly code: string | undefined;
  /** What a 200 says. */
  readonly answer: WriteAnswer | undefined;
  readonly ms: number;
  /** When the answer was there, in `performance.now()`. */
  readonly answeredAt: number;
}

export interface AdminApi {
  set(percent: number, more?: { readonly waitMs?: number; readonly reason?: string }): Promise<Written>;
  call(
    call: "rollback" | "hold" | "resume",
    more?: { readonly waitMs?: number; readonly hard?: boolean },
  ): Promise<Written>;
  view(): Promise<CutoverView>;
  history(): Promise<readonly z.output<typeof historyEntry>[]>;
  /** The value of one series, as it stands in the scrape's page; undefined when there is none. */
  metric(series: string): Promise<number | undefined>;
  close(): Promise<void>;
}

/** @throws Error when it was refused */
export function accepted({ answer, status, code }: Written): WriteAnswer {
  if (answer === undefined) throw new Error(`not accepted: ${status} ${code}`);
  return answer;
}

/** Speaks of the cutover `checkout`. */
export function createAdminApi(url: string): AdminApi {
  const dispatcher = new Agent({
    connections: 16,
    headersTimeout: 20_000,
    keepAliveTimeout: 1000,
    keepAliveMaxTimeout: 1000,
  });
  const root = new URL("/api/v1/cutovers/checkout", url).href;

  async function write(method: "PUT" | "POST", path: string, body: object): Promise<Written> {
    const begun = performance.now();
    const answer = await request(`${root}/${path}`, {
      dispatcher,
      method,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const content = await answer.body.json();
    const answeredAt = performance.now();
    const isDone = answer.statusCode === 200;
    return {
      status: answer.statusCode,
      code: isDone ? undefined : refusal.parse(content).code,
      answer: isDone ? writeAnswer.parse(content) : undefined,
      ms: answeredAt - begun,
      answeredAt,
    };
  }

  async function read(address: string): Promise<string> {
    const answer = await request(address, { dispatcher });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`${address}: ${answer.statusCode} ${text}`);
    return text;
  }

  return {
    set: (percent, more = {}) => write("PUT", "percent", { percent, reason: "a test", ...more }),
    call: (call, more = {}) => write("POST", call, { reason: "a test", ...more }),
    view: async () => cutoverView.parse(JSON.parse(await read(root))),
    history: async () => z.array(historyEntry).parse(JSON.parse(await read(`${root}/history?limit=1000`))),
    async metric(series) {
      const page = await read(new URL("/metrics", url).href);
      const line = page.split("\n").find((each) => each.startsWith(`${series} `));
      return line === undefined ? undefined : Number(line.slice(series.length + 1));
    },
    close: () => dispatcher.destroy(),
  };
}

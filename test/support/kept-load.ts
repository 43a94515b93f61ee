/** A load of plain requests over kept connections, which counts what fails. */
import { Pool } from "undici";

export interface Sent {
  /** `performance.now()` when it was sent and when it was over. */
  readonly begunAt: number;
  readonly endedAt: number;
  /** Undefined when it was answered with 200. */
  readonly fault: string | undefined;
}

export interface Load {
  readonly sent: readonly Sent[];
  /** How many are under way. */
  underWay(): number;
  /** Sends no more; resolves when all are over. */
  stop(): Promise<void>;
}

const tickMs = 5;

export interface LoadOptions {
  readonly perSecond: number;
  /** The path of each request, by its number; `/cart/1` without it. */
  readonly path?: (number: number) => string;
  /** 32 without it. */
  readonly connections?: number;
  /** Whether every request has a connection of its own. */
  readonly fresh?: boolean;
}

/**
 * A steady load over kept connections, unless told otherwise. No more is under way than there are connections: none
 * waits here to be sent, so that who stops has nothing left to send.
 */
export function startLoad(proxy: string, options: LoadOptions): Load {
  const { perSecond, path = () => "/cart/1", connections = 32, fresh = false } = options;
  const pool = new Pool(proxy, { connections, pipelining: 1, headersTimeout: 60_000, bodyTimeout: 60_000 });
  const sent: Sent[] = [];
  const open = new Set<Promise<void>>();
  const begun = performance.now();
  let count = 0;

  async function send(number: number): Promise<void> {
    const begunAt = performance.now();
    let fault: string | undefined;
    try {
      const { statusCode, body } = await pool.request({
        method: "GET",
        path: path(number),
        reset: fresh,
        headers: { "x-shopper-id": `shopper-${number % 1000}` },
      });
      await body.text();
      if (statusCode !== 200) fault = `status ${statusCode}`;
    } catch (error) {
      fault = error instanceof Error ? error.message : "failed";
    }
    sent.push({ begunAt, endedAt: performance.now(), fault });
  }

  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - begun) * perSecond) / 1000);
    const burst = Math.ceil((4 * tickMs * perSecond) / 1000);
    for (count = Math.max(count, due - burst); count < due; count++) {
      if (open.size >= connections) continue;
      const request = send(count).then(() => void open.delete(request));
      open.add(request);
    }
  }, tickMs);
  return {
    sent,
    underWay: () => open.size,
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      if (!pool.closed) await pool.close();
    },
  };
}

export function failed(sent: readonly Sent[]): readonly Sent[] {
  return sent.filter(({ fault }) => fault !== undefined);
}

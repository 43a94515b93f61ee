/** Shoppers' requests through a proxy, each recorded with who served it, by which decision, and how long it took. */
import { Pool } from "undici";

export interface Visit {
  readonly shopper: string;
  /** `performance.now()` before anything of the request was sent. */
  readonly begunAt: number;
  readonly ms: number;
  /** Who answered, by the upstream's own word. */
  readonly side: "legacy" | "new" | undefined;
  /** By the proxy's decision field. */
  readonly reason: string | undefined;
  readonly version: number | undefined;
  /** What was wrong with the answer, whatever side was right; undefined when nothing was. */
  readonly fault: string | undefined;
}

export interface Shop {
  /** Never rejects. */
  visit(shopper: string): Promise<Visit>;
  close(): Promise<void>;
}

const decided = /^checkout; side=(legacy|new); reason=([a-z_]+); version=(\d+)$/;

/** @param proxy `http://127.0.0.1:PORT` of a proxy as startServe makes it */
export function createShop(proxy: string, connections: number): Shop {
  const pool = new Pool(proxy, { connections, pipelining: 1, headersTimeout: 60_000, bodyTimeout: 60_000 });
  return {
    async visit(shopper) {
      const begunAt = performance.now();
      const failed = (fault: string) => {
        const ms = performance.now() - begunAt;
        return { shopper, begunAt, ms, side: undefined, reason: undefined, version: undefined, fault };
      };
      try {
        const { statusCode, headers, body } = await pool.request({
          method: "GET",
          path: "/cart/1",
          headers: { "x-shopper-id": shopper },
        });
        const content = await body.text();
        const ms = performance.now() - begunAt;
        const side = headers["x-side"];
        const [, said, reason, version] = decided.exec(String(headers["x-cutover-decision"])) ?? [];
        if (statusCode !== 200) return failed(`status ${statusCode}`);
        if (side !== "legacy" && side !== "new") return failed("no upstream answered");
        if (said !== side || content !== side) return failed(`decided ${said}, served by ${side}`);
        if (headers["x-shopper"] !== shopper) return failed("another shopper's answer");
        return { shopper, begunAt, ms, side, reason, version: Number(version), fault: undefined };
      } catch (error) {
        return failed(error instanceof Error ? error.message : "failed");
      }
    },
    close: () => pool.destroy(),
  };
}

/** Every shopper once, so many at a time. */
export async function visitAll(
  shop: Shop,
  shoppers: readonly string[],
  atOnce: number,
): Promise<readonly Visit[]> {
  const visits: Visit[] = [];
  const rest = shoppers.values();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const shopper of rest) visits.push(await shop.visit(shopper));
    }),
  );
  return visits;
}

export interface Load {
  /** All that were answered so far. */
  readonly visits: readonly Visit[];
  /** Sends no more; resolves when all are answered. */
  stop(): Promise<void>;
}

const tickMs = 5;

/** A steady load that waits for nobody: `perSecond` requests, over the shops and shoppers in turn. */
export function startLoad(shops: readonly Shop[], shoppers: readonly string[], perSecond: number): Load {
  const visits: Visit[] = [];
  const open = new Set<Promise<void>>();
  const begunAt = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    // After a pause of this process what was missed is not made up for in a burst.
    const due = Math.floor(((performance.now() - begunAt) * perSecond) / 1000);
    const burst = Math.ceil((4 * tickMs * perSecond) / 1000);
    for (sent = Math.max(sent, due - burst); sent < due; sent++) {
      const shop = shops[sent % shops.length];
      const shopper = shoppers[Math.floor(sent / shops.length) % shoppers.length];
      if (shop === undefined || shopper === undefined) throw new Error("nobody to visit");
      const visit = shop.visit(shopper).then((done) => {
        visits.push(done);
        open.delete(visit);
      });
      open.add(visit);
    }
  }, tickMs);
  return {
    visits,
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
    },
  };
}

/** The value below or at which `share` (0–1) of the values lie; nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new Error("no values");
  return value;
}

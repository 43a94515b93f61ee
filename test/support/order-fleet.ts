/** The fleet, on a Redis that is made to last, with a checkout that makes orders and callbacks that pay them. */
import { Pool } from "undici";
import { type Fleet, startFleet } from "./fleet.ts";
import { scrape, sumOf } from "./scrape.ts";
import type { Shape } from "./serve-yaml.ts";

export const size = 3;

export interface OrderFleet extends Fleet {
  /** @param instance of any number: they take turns */
  post(instance: number, path: string, headers: Record<string, string>, body: string): Promise<Answer>;
  /** The sum of a metric over all instances and series. */
  metric(name: string): Promise<number>;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** @param unknown what callbacks do whose order cannot be told */
export async function startOrderFleet(
  unknown: "bucket" | "retry",
  more: Partial<Shape> = {},
): Promise<OrderFleet> {
  const cutover = [
    "shopper: ['header:x-shopper-id', 'cookie:sid']",
    "journey: {}",
    "routes:",
    "  - { name: checkout, path: /checkout, methods: [POST], journey: start }",
    "  - { name: pay, path: '/orders/:orderId/pay', methods: [POST], journey: end, payment: true }",
    `  - { name: callback, path: /callbacks/payment, methods: [POST], unknown: ${unknown} }`,
    "owners:",
    "  budget: off",
    "  keys:",
    "    - { key: 'header:idempotency-key', ttl: 24h }",
    "    - { key: ['param:orderId', 'json:/order_id'], learn: ['json:/orderId'] }",
  ];
  const shape = () => ({ cutover, spool: "var/spool", ...more });
  const fleet = await startFleet({ redisFlags: ["--appendonly", "yes"], shape });
  const pools = fleet.members.map(({ served }) => new Pool(served.proxy, { connections: 32, pipelining: 1 }));
  return {
    ...fleet,
    async post(instance, path, headers, body) {
      const pool = pools[instance % size];
      if (pool === undefined) throw new Error("no instance");
      const answer = await pool.request({
        method: "POST",
        path,
        headers: { "content-type": "application/json", ...headers },
        body,
      });
      return { status: answer.statusCode, body: await answer.body.text() };
    },
    async metric(name) {
      const pages = await Promise.all(fleet.members.map(({ served }) => scrape(served.admin)));
      return pages.reduce((sum, page) => sum + sumOf(page, name), 0);
    },
    async stop() {
      await Promise.all(pools.map((pool) => pool.destroy()));
      await fleet.stop();
    },
  };
}

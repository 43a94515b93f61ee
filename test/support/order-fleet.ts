/** Three instances of `cutover serve` on one Redis that is made to last, before two upstreams that make orders. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Pool } from "undici";
import { type OrderSides, startOrderSides } from "./order-sides.ts";
import { type RedisServer, startRedis } from "./redis.ts";
import { type Served, startServe } from "./serve.ts";

export const size = 3;

export interface OrderFleet {
  readonly redis: RedisServer;
  readonly sides: OrderSides;
  readonly instances: readonly Served[];
  post(instance: number, path: string, headers: Record<string, string>, body: string): Promise<Answer>;
  admin(path: string, body: unknown): Promise<void>;
  /** The sum of a metric over all instances and series. */
  metric(name: string): Promise<number>;
  stop(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** @param unknown what callbacks do whose order can not be told */
export async function startOrderFleet(unknown: "bucket" | "retry"): Promise<OrderFleet> {
  const folder = await mkdtemp(join(tmpdir(), "cutover-ownership-"));
  const redis = await startRedis(["--appendonly", "yes"]);
  const sides = await startOrderSides();
  const cutover = [
    "shopper: ['header:x-shopper-id', 'cookie:sid']",
    "journey: {}",
    "routes:",
    "  - { name: checkout, path: /checkout, methods: [POST], journey: start }",
    "  - { name: pay, path: '/orders/:orderId/pay', methods: [POST], journey: end, payment: true }",
    `  - { name: callback, path: /callbacks/payment, methods: [POST], unknown: ${unknown} }`,
    "owners:",
    "  - { key: 'header:idempotency-key', ttl: 24h }",
    "  - { key: ['param:orderId', 'json:/order_id'], learn: ['json:/orderId'] }",
  ];
  const instances = await Promise.all(
    Array.from({ length: size }, (_, i) =>
      startServe({ folder, name: `i${i}`, sides, store: redis.url, cutover }),
    ),
  );
  const pools = instances.map(({ proxy }) => new Pool(proxy, { connections: 32, pipelining: 1 }));
  return {
    redis,
    sides,
    instances,
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
    async admin(path, body) {
      const response = await fetch(`${instances[0]?.admin}/api/v1/cutovers/checkout/${path}`, {
        method: path === "percent" ? "PUT" : "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    },
    async metric(name) {
      let sum = 0;
      for (const { admin } of instances) {
        const text = await (await fetch(`${admin}/metrics`)).text();
        for (const [, value] of text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "gm"))) {
          sum += Number(value);
        }
      }
      return sum;
    },
    async stop() {
      await Promise.all(pools.map((pool) => pool.destroy()));
      await Promise.all(instances.map((instance) => instance.kill()));
      await sides.stop();
      await redis.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

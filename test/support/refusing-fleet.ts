/**
 * Two instances of two workers each on one Redis, and shoppers who order and whose payments are called back at once, at
 * either instance. What became of it is judged by the sides themselves: an order is called back where it was made, or is
 * told to come again.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent } from "undici";
import { type AdminApi, accepted, createAdminApi } from "./admin-api.ts";
import { type Served, startServe } from "./cutover.ts";
import { type RedisServer, startRedis } from "./redis.ts";
import { scrape, sumOf } from "./scrape.ts";
import { serveYaml } from "./serve-yaml.ts";
import { type Sides, startSides } from "./sides.ts";

export interface Answered {
  readonly status: number;
  /** The side, as the proxy's field for debugging tells it. */
  readonly side: string | undefined;
  readonly body: string;
}

export interface RefusingFleet {
  readonly redis: RedisServer;
  readonly sides: Sides;
  readonly instances: readonly { readonly served: Served; readonly api: AdminApi }[];
  /** On a connection of its own: whichever worker takes it. */
  order(instance: number, shopper: string, key: string): Promise<Answered>;
  callback(instance: number, order: string): Promise<Answered>;
  metric(name: string): Promise<number>;
  stop(): Promise<void>;
}

const cutover = [
  "shopper: ['header:x-shopper-id', 'cookie:sid']",
  "journey: {}",
  "routes:",
  "  - { name: checkout, path: /checkout, methods: [POST], journey: start }",
  "  - { name: pay, path: '/orders/:orderId/pay', methods: [POST], journey: end, payment: true }",
  // What nobody owns is free for whoever asks again: so that what is told to come again is told so by doubt alone.
  "  - { name: callback, path: /callbacks/payment, methods: [POST], unknown: retry, unknownFor: 1ms }",
  "owners:",
  // All shoppers have one address.
  "  budget: off",
  "  keys:",
  "    - { key: 'header:idempotency-key', ttl: 24h }",
  "    - { key: ['param:orderId', 'json:/order_id'], learn: ['json:/orderId'] }",
];

/** At half of the shoppers on each side. The instances are users of their own, `a` and `b`, with the password `sesame`. */
export async function startRefusingFleet(staleAfter: string): Promise<RefusingFleet> {
  const folder = await mkdtemp(join(tmpdir(), "cutover-refusing-"));
  const [redis, sides] = await Promise.all([startRedis(), startSides()]);
  const instances = await Promise.all(
    ["a", "b"].map(async (name) => {
      await redis.cli("ACL", "SETUSER", name, "on", ">sesame", "~*", "&*", "+@all");
      const store = redis.url.replace("//", `//${name}:sesame@`);
      const yaml = serveYaml({ sides, workers: 2, store, staleAfter, spool: "var/spool", cutover });
      const served = await startServe({ folder, name, yaml });
      return { served, api: createAdminApi(served.admin) };
    }),
  );
  const agent = new Agent({ pipelining: 0 });
  const [first] = instances;
  if (first !== undefined) accepted(await first.api.set(50));

  async function post(instance: number, path: string, headers: Record<string, string>, body: string) {
    const { served } = instances[instance % instances.length] ?? {};
    if (served === undefined) throw new Error("no instance");
    const answer = await agent.request({
      origin: served.proxy,
      method: "POST",
      path,
      headers: { "content-type": "application/json", ...headers },
      body,
      reset: true,
    });
    const [, side] = /side=(\w+)/.exec(String(answer.headers["x-cutover-decision"] ?? "")) ?? [];
    return { status: answer.statusCode, side, body: await answer.body.text() };
  }

  return {
    redis,
    sides,
    instances,
    order: (instance, shopper, key) =>
      post(instance, "/checkout", { "idempotency-key": key, "x-shopper-id": shopper }, "{}"),
    callback: (instance, order) =>
      post(instance, "/callbacks/payment", {}, JSON.stringify({ order_id: order })),
    async metric(name) {
      const pages = await Promise.all(instances.map(({ served }) => scrape(served.admin)));
      return pages.reduce((sum, page) => sum + sumOf(page, name), 0);
    },
    async stop() {
      await agent.close();
      await Promise.all(instances.map(({ api }) => api.close()));
      for (const { served } of instances) await served.kill();
      await Promise.all([redis.stop(), sides.stop(), rm(folder, { recursive: true, force: true })]);
    },
  };
}

/** What became of the shoppers' requests; moments of performance.now(). */
export interface Outcome {
  orders: number;
  callbacks: number;
  /** Answered 503 by `unknown: retry`. */
  comeAgain: number;
  /** What the proxy should not have answered, and when. */
  readonly failed: { readonly atMs: number; readonly what: string }[];
  /** Callbacks that met another side than made their order. */
  readonly misdelivered: { readonly atMs: number; readonly order: string }[];
  /** Callbacks of orders that nobody made, which were taken for free. */
  readonly believed: { readonly atMs: number }[];
  /** Orders of which no callback got through. */
  readonly lost: string[];
}

export interface Shoppers {
  readonly outcome: Outcome;
  /** Ends once each order that was made has been called back. */
  end(): Promise<void>;
}

/** @param random 0 ≤ r < 1: who is asked, and when somebody calls back an order that nobody made */
export function startShoppers(fleet: RefusingFleet, count: number, random: () => number): Shoppers {
  const outcome: Outcome = {
    orders: 0,
    callbacks: 0,
    comeAgain: 0,
    failed: [],
    misdelivered: [],
    believed: [],
    lost: [],
  };
  let isOver = false;
  let made = 0;
  const either = () => (random() < 0.5 ? 0 : 1);
  const isRefused = ({ status, body }: Answered) => status === 503 && body.includes("owner_unknown");

  async function callBack(order: string, side: string | undefined): Promise<void> {
    for (let tried = 0; tried < 600; tried++) {
      const answer = await fleet.callback(either(), order);
      const atMs = performance.now();
      outcome.callbacks += 1;
      if (answer.status === 200) {
        if (answer.side !== side) outcome.misdelivered.push({ atMs, order });
        return;
      }
      if (isRefused(answer)) outcome.comeAgain += 1;
      else outcome.failed.push({ atMs, what: `callback ${answer.status} ${answer.body}` });
      await sleep(200);
    }
    outcome.lost.push(order);
  }

  async function shop(): Promise<void> {
    while (!isOver) {
      const number = made++;
      const { status, side, body } = await fleet.order(either(), `shopper-${number}`, `key-${number}`);
      const atMs = performance.now();
      const [, order] = /"orderId":"([^"]+)"/.exec(body) ?? [];
      if (status !== 201 || order === undefined) {
        outcome.failed.push({ atMs, what: `order ${status} ${body}` });
        continue;
      }
      outcome.orders += 1;
      await callBack(order, side);
      if (random() < 0.2) {
        const stranger = await fleet.callback(either(), `nobody-${number % 4}`);
        if (stranger.status === 200) outcome.believed.push({ atMs: performance.now() });
        else if (!isRefused(stranger)) outcome.failed.push({ atMs, what: `stranger ${stranger.status}` });
      }
    }
  }

  const shopping = Promise.all(Array.from({ length: count }, shop));
  // Who does not wait for the end has failed already.
  shopping.catch(() => undefined);
  return {
    outcome,
    async end() {
      isOver = true;
      await shopping;
    },
  };
}

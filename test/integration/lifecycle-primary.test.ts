/** What the primary does for its workers: owners, secrets, rollbacks by signal; and that they do not outlive it. */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAdminApi } from "../support/admin-api.ts";
import { type Served, startServe } from "../support/cutover.ts";
import { isAlive } from "../support/processes.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { type Sides, startSides } from "../support/sides.ts";

let folder: string;
let sides: Sides;
let redis: RedisServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-primary-"));
  [sides, redis] = await Promise.all([startSides(), startRedis()]);
});
afterAll(async () => {
  await Promise.all([sides.stop(), redis.stop()]);
  await rm(folder, { recursive: true });
});

const yamlOf = (store: string, workers: number | "auto") => `
listeners: { proxy: { port: 0 }, admin: { port: 0 } }
workers: ${workers}
store: '${store}'
snapshot: off
audit: off
spool: off
upstreams: { social-shop: { url: '${sides.legacy}' }, marketplace: { url: '${sides.new}' } }
default: social-shop
cutovers:
  checkout:
    legacy: social-shop
    new: marketplace
    shopper: ['header:x-shopper-id']
    routes:
      - { name: checkout, path: /checkout, methods: [POST], journey: start }
      - { name: cart, path: '/cart/*' }
    journey: { cookie: pinned }
    owners: { budget: 160, keys: [{ key: 'header:idempotency-key', ttl: 24h }] }
`;

describe.each([
  ["memory:", 3],
  ["file", 2],
  ["redis", 2],
] as const)("on the store %s, with %d workers", (kind, workers) => {
  let serve: Served;

  beforeAll(async () => {
    const store =
      kind === "redis" ? redis.url : kind === "file" ? `file:${join(folder, "state.json")}` : kind;
    serve = await startServe({ folder, name: kind.replace(":", ""), yaml: yamlOf(store, workers) });
  });
  afterAll(async () => {
    await serve.stop();
  });

  /** Each over a connection of its own, so that every worker has some. */
  async function ask(
    path: string,
    headers: Readonly<Record<string, string>>,
    method: "GET" | "POST" = "POST",
  ) {
    const answer = await request(`${serve.proxy}${path}`, { method, headers, reset: true });
    await answer.body.text();
    return answer.headers;
  }
  const sidesOf = async (times: number, ...request: Parameters<typeof ask>) => {
    const answers = await Promise.all(Array.from({ length: times }, () => ask(...request)));
    return new Set(answers.map((headers) => headers["x-side"]));
  };

  test("an owner claimed through one worker is known to all; a journey begun on one is valid on all", async () => {
    const admin = createAdminApi(serve.admin);
    await admin.call("resume");
    await admin.set(0);
    const keyed = { "x-shopper-id": "somebody", "idempotency-key": `key-${kind}` };
    expect(await sidesOf(1, "/checkout", keyed)).toEqual(new Set(["legacy"]));
    const begun = await ask("/checkout", { "x-shopper-id": "another" });
    const cookie = String(begun["set-cookie"]).split(";")[0] ?? "";
    expect(cookie).toMatch(/^pinned=/);

    await admin.set(100);
    expect(await sidesOf(24, "/checkout", keyed)).toEqual(new Set(["legacy"]));
    expect(await sidesOf(24, "/cart/1", { "x-shopper-id": "another", cookie })).toEqual(new Set(["legacy"]));
    expect(await sidesOf(24, "/cart/1", { "x-shopper-id": "a-third", cookie: "none=0" })).toEqual(
      new Set(["new"]),
    );
    await admin.close();
  });

  test.runIf(kind === "memory:")(
    "a client has one budget of new keys with all workers, give or take a step of each",
    async () => {
      const statuses: number[] = [];
      const post = async (key: number) => {
        const headers = { "idempotency-key": `flood-${key}` };
        const answer = await request(`${serve.proxy}/checkout`, { method: "POST", headers, reset: true });
        await answer.body.dump();
        statuses.push(answer.statusCode);
      };
      const atOnce = 8;
      for (let key = 0; key < 240; key += atOnce) {
        await Promise.all(Array.from({ length: atOnce }, (_, i) => post(key + i)));
      }
      const served = statuses.filter((status) => status !== 429);
      const step = 160 / 16;
      expect(served.length).toBeGreaterThan(100);
      expect(served.length).toBeLessThanOrEqual(160 + 2 * step + atOnce);
    },
  );

  test("SIGUSR1 rolls back in every worker", async () => {
    const admin = createAdminApi(serve.admin);
    await admin.call("resume");
    await admin.set(100);
    const plain = ["/cart/1", { "x-shopper-id": "a-third", cookie: "none=0" }, "GET"] as const;
    expect(await sidesOf(12, ...plain)).toEqual(new Set(["new"]));
    serve.signal("SIGUSR1");
    await serve.said("SIGUSR1: rolling back every cutover on this instance");
    const deadline = performance.now() + 2000;
    let sides = await sidesOf(24, ...plain);
    while (sides.has("new") && performance.now() < deadline) sides = await sidesOf(24, ...plain);
    expect(sides).toEqual(new Set(["legacy"]));
    await admin.close();
  });
});

test("workers: auto is one process for each core, and one alone serves itself", async () => {
  const yaml = yamlOf("memory:", "auto");
  const serve = await startServe({ folder, name: "auto", yaml });
  const cores = availableParallelism();
  expect(await serve.workers()).toHaveLength(cores > 1 ? cores : 0);
  expect((await request(`${serve.proxy}/cart/1`)).statusCode).toBe(200);
  expect(await serve.stop()).toBe(0);
});

test("workers do not outlive a primary that is killed", async () => {
  const serve = await startServe({ folder, name: "killed", yaml: yamlOf("memory:", 2) });
  const workers = await serve.workers();
  expect(workers).toHaveLength(2);
  await serve.kill();
  const deadline = performance.now() + 5000;
  while (workers.some(isAlive) && performance.now() < deadline) await sleep(20);
  expect(workers.filter(isAlive)).toEqual([]);
});

/**
 * Owners in a Redis of their own: what anonymous requests fill, and what is away there, leaves the Redis that a rollback
 * needs as it was, and the other way round.
 */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { accepted, createAdminApi } from "../support/admin-api.ts";
import { type Served, startServe } from "../support/cutover.ts";
import { runOnPaper } from "../support/paper-terminal.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";

const isFull = process.env.CUTOVER_BARS === "full";

let folder: string;
let shop: Server;
let shopUrl: string;
let main: RedisServer;
let own: RedisServer;
const running: Served[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-owner-stores-"));
  let made = 0;
  shop = createServer((request, response) => {
    request.resume().on("end", () => {
      const isOrder = request.url?.endsWith("/checkout") === true;
      response.writeHead(isOrder ? 201 : 200, { "content-type": "application/json" });
      response.end(JSON.stringify(isOrder ? { orderId: `O-${++made}` } : {}));
    });
  }).listen(0, "127.0.0.1");
  await once(shop, "listening");
  const at = shop.address();
  shopUrl = `http://127.0.0.1:${typeof at === "object" ? at?.port : ""}`;
  [main, own] = await Promise.all([startRedis(), startRedis()]);
});
afterEach(async () => {
  for (const redis of [main, own]) redis.thaw();
  await Promise.all(running.splice(0).map((served) => served.stop()));
  await Promise.all([main, own].map((redis) => redis.cli("FLUSHALL")));
});
afterAll(async () => {
  shop.close();
  shop.closeAllConnections();
  await Promise.all([main.stop(), own.stop()]);
  await rm(folder, { recursive: true, force: true });
});

/** `checkout` keeps its owners in a store of their own, `pay` where the states are. */
const yamlOf = (store: string, owners: string, workers = 1) => {
  const cutover = (name: string, more: string) => `
  ${name}:
    legacy: social-shop
    new: marketplace
    shopper: ['header:x-shopper-id']
    journey: { cookie: '${name}_journey', secret: 'sixteen letters or more' }
    routes:
      - { name: carts, path: '/${name}/cart/*' }
      - { name: checkout, path: '/${name}/checkout', methods: [POST], journey: start }
      - { name: pay, path: '/${name}/orders/:orderId/pay', methods: [POST], journey: end, payment: true }
      - { name: callback, path: '/${name}/callbacks', methods: [POST], unknown: retry, unknownFor: 1ms }
    owners:
      budget: off
      memoryShare: 100
      ${more}
      keys:
        - { key: 'header:idempotency-key', ttl: 24h }
        - { key: ['param:orderId', 'json:/order_id'], learn: ['json:/orderId'] }`;
  return `
listeners: { proxy: { port: 0 }, admin: { port: 0 }, wait: 20s }
workers: ${workers}
store: '${store}'
staleAfter: 1500ms
snapshot: off
audit: off
spool: off
decisionHeader: x-cutover-decision
upstreams: { social-shop: { url: '${shopUrl}' }, marketplace: { url: '${shopUrl}' } }
default: social-shop
cutovers:${cutover("checkout", `store: '${owners}'`)}${cutover("pay", "")}
`;
};

let started = 0;
/** Each has a log of its own. */
async function start(yaml: string): Promise<Served> {
  const name = `i${started++}`;
  const served = await startServe({ folder, name, yaml });
  running.push(served);
  return served;
}

/** @returns the side that answered, and what; where it is no success, the status alone */
async function post(served: Served, path: string, headers: Record<string, string>, body = "{}") {
  const answer = await request(`${served.proxy}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
    reset: true,
  });
  await answer.body.dump();
  const [, side] = /side=(\w+)/.exec(String(answer.headers["x-cutover-decision"] ?? "")) ?? [];
  return answer.statusCode < 300 ? side : answer.statusCode;
}

/** An order that new has made. */
async function order(served: Served, cutover: string): Promise<string> {
  const answer = await request(`${served.proxy}/${cutover}/checkout`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-shopper-id": "ann" },
    body: "{}",
    reset: true,
  });
  expect(answer.headers["x-cutover-decision"]).toContain("side=new");
  return z.object({ orderId: z.string() }).parse(await answer.body.json()).orderId;
}
const callback = (served: Served, cutover: string, id: string) =>
  post(served, `/${cutover}/callbacks`, {}, JSON.stringify({ order_id: id }));

const health = z.object({
  store: z.looseObject({ up: z.boolean(), writable: z.boolean() }),
  ownerStores: z.record(
    z.string(),
    z.looseObject({ up: z.boolean(), writable: z.boolean(), word: z.string().nullable() }),
  ),
});
async function standing(served: Served) {
  const answer = await fetch(`${served.admin}/health/ready`);
  expect(answer.status).toBe(200);
  return health.parse(await answer.json());
}

const keysOf = async (redis: RedisServer, pattern: string) => {
  const keys = await redis.cli("KEYS", pattern);
  return Array.isArray(keys) ? keys.map(String).sort() : [];
};
/** Callbacks of what nobody made: 503 while absence is doubted. */
const stranger = (served: Served, cutover: string) =>
  post(served, `/${cutover}/callbacks`, {}, '{"order_id":"nobody-knows"}');
const isBelieved = (served: Served, cutover: string) =>
  expect.poll(() => stranger(served, cutover), { timeout: 15_000, interval: 50 }).toBe("legacy");

async function usedBytes(redis: RedisServer): Promise<number> {
  const [, used] = /^used_memory:(\d+)/m.exec(String(await redis.cli("INFO", "memory"))) ?? [];
  return Number(used);
}

describe.each(isFull ? [1, 2] : [2])("with %i worker(s)", (workers) => {
  test("claims and pins that fill the Redis of the owners leave a rollback all the room it needs", async () => {
    const a = await start(yamlOf(main.url, own.url, workers));
    const api = createAdminApi(a.admin);
    accepted(await api.set(100));
    await isBelieved(a, "checkout");
    const before = await keysOf(main, "*{checkout}*");
    // The server has the scripts then, and they are no part of what fills it.
    await post(a, "/checkout/checkout", { "idempotency-key": "first", "x-shopper-id": "first" });
    await own.cli("CONFIG", "SET", "maxmemory", (await usedBytes(own)) + 500_000);
    try {
      for (let made = 0; (await standing(a)).ownerStores.checkout?.word !== "OOM"; made += 50) {
        expect(made).toBeLessThan(20_000);
        const crowd = Array.from({ length: 50 }, (_, i) => `${made + i}-${"x".repeat(400)}`);
        await Promise.all(
          crowd.map((who) => post(a, "/checkout/checkout", { "idempotency-key": who, "x-shopper-id": who })),
        );
      }
      // It stays full: what was taken for the crowd's requests themselves does not make room again.
      await own.cli("CONFIG", "SET", "maxmemory", (await usedBytes(own)) - 50_000);
      expect((await keysOf(own, "*:{checkout}:claim:*")).length).toBeGreaterThan(5);
      expect((await keysOf(own, "*:{checkout}:pin:*")).length).toBeGreaterThan(5);
      // No key, pin, or count of what is under way: what the states need is all there is.
      expect(await keysOf(main, "*{checkout}*")).toEqual(before);

      const { store, ownerStores } = await standing(a);
      expect(store).toMatchObject({ up: true, writable: true });
      expect(ownerStores.checkout).toMatchObject({ up: true, writable: false, word: "OOM" });
      const rolledBack = accepted(await api.call("rollback"));
      expect(rolledBack).toMatchObject({ percent: 0, applied: { instances: 1, of: 1 } });
      expect(await post(a, "/checkout/cart/1", { "x-shopper-id": "somebody-new" })).toBe("legacy");
      // An absent key is doubted in the one store, and believed in the other.
      expect(await stranger(a, "checkout")).toBe(503);
      await isBelieved(a, "pay");
      expect(await stranger(a, "checkout")).toBe(503);

      const [status, page, log] = await Promise.all([
        runOnPaper(["status"], { env: { CUTOVER_ADMIN_URL: a.admin } }),
        fetch(`${a.admin}/metrics`).then((answer) => answer.text()),
        a.log(),
      ]);
      expect(status.stdout).toContain("! the store of checkout's owners answers OOM");
      expect(page).toContain('\ncutover_owner_store_refusal{cutover="checkout",word="OOM"} 1\n');
      expect(page).toContain('\ncutover_owner_store_writable{cutover="checkout"} 0\n');
      expect(page).toContain('\ncutover_owner_store_up{cutover="checkout"} 1\n');
      expect(page).not.toContain('cutover_owner_store_up{cutover="pay"}');
      expect(page).toContain("\ncutover_store_writable 1\n");
      expect(log).toContain("the store of owners answers and refuses");
      expect(log).not.toContain("out of reach");
    } finally {
      await own.cli("CONFIG", "SET", "maxmemory", 0);
    }
  }, 60_000);
});

test("one store away leaves the owners of the other as they are, and what was learned meanwhile is handed in", async () => {
  const a = await start(yamlOf(main.url, own.url, 2));
  await halfway(a);
  for (const cutover of ["checkout", "pay"]) await isBelieved(a, cutover);
  const before = { checkout: await order(a, "checkout"), pay: await order(a, "pay") };
  expect(await keysOf(own, "cutover:{*}:owner:*")).toEqual([`cutover:{checkout}:owner:${before.checkout}`]);
  expect(await keysOf(main, "cutover:{*}:owner:*")).toEqual([`cutover:{pay}:owner:${before.pay}`]);

  for (const [away, hurt, well] of [
    [own, "checkout", "pay"],
    [main, "pay", "checkout"],
  ] as const) {
    away.freeze();
    const made = await order(a, hurt);
    await expect.poll(() => stranger(a, hurt), { timeout: 10_000, interval: 50 }).toBe(503);
    await isBelieved(a, well);
    expect(await stranger(a, hurt)).toBe(503);
    const learned = await order(a, well);
    expect(await callback(a, well, learned)).toBe("new");
    expect(await callback(a, hurt, made)).toBe("new");
    await expect.poll(async () => (await standing(a)).store.up, { timeout: 5000 }).toBe(away !== main);
    await expect
      .poll(async () => (await standing(a)).ownerStores.checkout?.up, { timeout: 5000 })
      .toBe(away !== own);
    away.thaw();
    if (away === own) await isBelieved(a, hurt);
    await expect
      .poll(() => away.cli("GET", `cutover:{${hurt}}:owner:${made}`), { timeout: 10_000 })
      .toBe("new");
  }
}, 60_000);

/** Has `checkout` and `pay` at all on new. */
async function halfway(served: Served): Promise<void> {
  for (const name of ["checkout", "pay"]) {
    const answer = await fetch(`${served.admin}/api/v1/cutovers/${name}/percent`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ percent: 100, reason: "a test" }),
    });
    expect(answer.status).toBe(200);
  }
}

test("owners are found after a restart, by every instance, and put right by hand in the store where they are", async () => {
  const yaml = yamlOf(main.url, own.url);
  const first = await start(yaml);
  await halfway(first);
  const made = await order(first, "checkout");
  running.splice(running.indexOf(first), 1);
  expect(await first.stop()).toBe(0);
  expect(await keysOf(own, "cutover:owners:instance:*")).toEqual([]);

  const [a, b] = [await start(yaml), await start(yaml)];
  for (const each of [a, b]) expect(await callback(each, "checkout", made)).toBe("new");
  const env = { CUTOVER_ADMIN_URL: a.admin };
  const put = await runOnPaper(
    ["owner", "checkout", made, "--set", "legacy", "--reason", "a test", "--json", "--force"],
    { env },
  );
  expect({ code: put.code, stderr: put.stderr }).toEqual({ code: 0, stderr: "" });
  expect(await own.cli("GET", `cutover:{checkout}:owner:${made}`)).toBe("legacy");
  for (const each of [a, b]) expect(await callback(each, "checkout", made)).toBe("legacy");
  expect(await keysOf(main, `*${made}*`)).toEqual([]);
}, 40_000);

const visit = async (served: Served, shopper: string) => {
  const answer = await request(`${served.proxy}/checkout/cart/1`, {
    headers: { "x-shopper-id": shopper },
    reset: true,
  });
  await answer.body.dump();
  return /side=(\w+)/.exec(String(answer.headers["x-cutover-decision"]))?.[1];
};
/** Only who had begun on new is there yet. */
async function backToLegacy(served: Served): Promise<void> {
  accepted(await createAdminApi(served.admin).set(0));
}

test("a pin in the store of its own is found by an instance that had asked for all of them before", async () => {
  const yaml = yamlOf(main.url, own.url);
  const [a, b] = [await start(yaml), await start(yaml)];
  await halfway(a);
  const asked = async () => {
    const [, calls] = /cmdstat_get:calls=(\d+)/.exec(String(await own.cli("INFO", "commandstats"))) ?? [];
    return Number(calls ?? 0);
  };
  // Who has no pin is not asked for: the instance knows of all.
  const askedFor = async (shopper: string) => {
    const before = await asked();
    await visit(b, shopper);
    return (await asked()) - before;
  };
  await expect.poll(() => askedFor("nobody"), { timeout: 10_000 }).toBe(0);
  await order(a, "checkout");
  await expect.poll(() => keysOf(own, "cutover:{checkout}:pin:*")).toHaveLength(1);
  await backToLegacy(a);
  await expect.poll(() => visit(b, "somebody"), { timeout: 5000 }).toBe("legacy");
  expect(await visit(b, "ann")).toBe("new");
  expect(await visit(a, "ann")).toBe("new");
}, 40_000);

test("what one instance cannot record there is doubted by the other, and only there", async () => {
  await own.cli("ACL", "SETUSER", "a", "on", ">sesame", "~*", "&*", "+@all");
  const a = await start(yamlOf(main.url, own.url.replace("//", "//a:sesame@")));
  const b = await start(yamlOf(main.url, own.url));
  await halfway(a);
  for (const cutover of ["checkout", "pay"]) await isBelieved(b, cutover);
  await own.cli("ACL", "SETUSER", "a", "-set", "-del", "-zadd", "-hset");
  const made = await order(a, "checkout");
  await expect.poll(() => stranger(b, "checkout"), { timeout: 5000, interval: 20 }).toBe(503);
  expect(await callback(b, "checkout", made)).toBe("new");
  await isBelieved(b, "pay");
  expect(await stranger(b, "checkout")).toBe(503);
  await expect
    .poll(async () => (await standing(a)).ownerStores.checkout, { timeout: 5000 })
    .toMatchObject({ writable: false, word: "NOPERM" });
  expect(await a.log()).not.toContain("sesame");
}, 40_000);

test.each(isFull ? ["memory:", "file:own.json"] : ["file:own.json"])(
  "%s keeps owners for all workers, beside a Redis for the states",
  async (store) => {
    const a = await start(yamlOf(main.url, store, 2));
    await halfway(a);
    const made = await order(a, "checkout");
    for (let i = 0; i < 8; i++) expect(await callback(a, "checkout", made)).toBe("new");
    await backToLegacy(a);
    for (let i = 0; i < 8; i++) expect(await visit(a, "ann")).toBe("new");
    expect(await visit(a, "somebody")).toBe("legacy");
    for (const cutover of ["checkout", "pay"]) await isBelieved(a, cutover);
    expect((await standing(a)).ownerStores.checkout).toMatchObject({ up: true, writable: true });
    expect(await keysOf(main, `*${made}*`)).toEqual([]);
  },
  40_000,
);

test("a reload moves no owners: another store is refused, a new cutover may have one that is open", async () => {
  const yaml = yamlOf(main.url, own.url);
  const a = await start(yaml);
  await a.rewrite(yamlOf(main.url, "memory:"));
  a.signal("SIGHUP");
  const [refused] = await a.said("the configuration was not changed: the one in force stays");
  expect(refused).toMatchObject({ problem: expect.stringContaining("cutovers.checkout.owners.store: ") });
  const more = yaml
    .slice(yaml.indexOf("  checkout:"), yaml.indexOf("  pay:"))
    .replaceAll("checkout", "second");
  await a.rewrite(yaml.replace("  pay:", `${more.replaceAll("/second'", "/checkout'")}  pay:`));
  a.signal("SIGHUP");
  await a.said("configuration swapped");
  const keys = { "idempotency-key": "K-second", "x-shopper-id": "ann" };
  expect(await post(a, "/second/cart/1", keys)).toBe("legacy");
  // Confirmed behind the answer, which does not wait for it.
  await expect.poll(() => own.cli("GET", "cutover:{second}:claim:K-second")).toBe("legacy");
  expect(Object.keys((await standing(a)).ownerStores)).toEqual(["checkout", "second"]);
}, 40_000);

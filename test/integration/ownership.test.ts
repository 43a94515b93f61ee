/** Orders, keys and callbacks over three instances and a real Redis, with concurrent clients. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { accepted } from "../support/admin-api.ts";
import { type Served, startServe } from "../support/cutover.ts";
import { type Answer, type OrderFleet, size, startOrderFleet } from "../support/order-fleet.ts";
import { runOnPaper } from "../support/paper-terminal.ts";
import { startRedis } from "../support/redis.ts";
import { serveYaml } from "../support/serve-yaml.ts";
import { type SideStats, startSides } from "../support/sides.ts";

/** CUTOVER_BARS=full: as long, and as many, as the bar says. */
const isFull = process.env.CUTOVER_BARS === "full";
const outageMs = isFull ? 20_000 : 3000;
const pauseMs = isFull ? 40 : 80;
const keys = isFull ? 500 : 150;
/** While percent is 0, 100, and 0 again. */
const shares = isFull ? ([1000, 3000, 1000] as const) : ([300, 900, 300] as const);
const orders = shares[0] + shares[1] + shares[2];

/** Runs `work` for 0 … count-1, so many at a time. */
async function eachOf(count: number, atOnce: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let i = next++; i < count; i = next++) await work(i);
    }),
  );
}

async function order(fleet: OrderFleet, instance: number): Promise<string> {
  const shopper = randomBytes(6).toString("hex");
  const { status, body } = await fleet.post(instance, "/checkout", { "x-shopper-id": shopper }, "{}");
  expect(status).toBe(201);
  const { orderId } = JSON.parse(body);
  return String(orderId);
}

/** As a provider sends it: no shopper, no cookie, and the spelling of the body is the provider's own. */
function callback(fleet: OrderFleet, instance: number, id: string): Promise<Answer> {
  const body = `{ "amount" : 1.50, "order_id":"${id}" ,"note":"\u00e9${randomBytes(4).toString("hex")}"}\n`;
  const sha = createHash("sha256").update(body).digest("hex");
  return fleet.post(instance, "/callbacks/payment", { "x-body-sha256": sha }, body);
}

async function ownersInStore(fleet: OrderFleet, ids: readonly string[]): Promise<unknown[]> {
  const found: unknown[] = [];
  for (let at = 0; at < ids.length; at += 500) {
    const keys = ids.slice(at, at + 500).map((id) => `cutover:{checkout}:owner:${id}`);
    found.push(...[await fleet.redis.cli("MGET", ...keys)].flat());
  }
  return found;
}

describe("three instances on one Redis", () => {
  let fleet: OrderFleet;
  beforeAll(async () => {
    fleet = await startOrderFleet("bucket");
  });
  afterAll(() => fleet.stop());

  test(`${keys} keys, each posted 20 times at once over all instances while percent flips: one side each`, async () => {
    const [{ api: admin }] = fleet.members;
    let flipping = true;
    const flips = (async () => {
      for (let percent = 100; flipping; percent = 100 - percent) {
        // One that is not answered in time under this load is made up for by the next.
        await admin.set(percent, { waitMs: 0 });
        await sleep(20);
      }
    })();
    await eachOf(keys, 8, async (key) => {
      await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          const headers = { "idempotency-key": `K-${key}`, "x-shopper-id": randomBytes(6).toString("hex") };
          const { status } = await fleet.post(key + i, "/checkout", headers, "{}");
          expect(status).toBe(201);
        }),
      );
    });
    flipping = false;
    await flips;
    const stats = await fleet.sides.stats();
    expect(stats.keys).toBe(keys);
    expect(stats.split).toEqual([]);
    const made = Object.values(stats.orders);
    expect(new Set(made).size).toBe(2);
    expect(made).toHaveLength(20 * keys);
  });

  test(`${orders} orders, and their callbacks after 0→100→0 and a hard rollback: none on the wrong side`, async () => {
    const [{ api: admin }] = fleet.members;
    const ids: string[] = [];
    for (const [i, share] of shares.entries()) {
      accepted(await admin.set(i === 1 ? 100 : 0));
      await eachOf(share, 32, async (i) => void ids.push(await order(fleet, i)));
    }
    accepted(await admin.set(100));
    accepted(await admin.call("rollback", { hard: true }));
    await eachOf(ids.length, 32, async (i) => {
      const { status } = await callback(fleet, randomBytes(1)[0] ?? 0, ids[i] ?? "");
      expect(status).toBe(200);
    });
    const stats = await fleet.sides.stats();
    expect(stats).toMatchObject({ right: orders, wrong: [], corrupt: 0 });
    const sides = ids.map((id) => stats.orders[id]);
    expect(sides.filter((side) => side === "new")).toHaveLength(shares[1]);
    expect(await ownersInStore(fleet, ids)).toEqual(sides);
  });

  test("every instance explains in one sentence who owns an order and an idempotency key", async () => {
    const { orders } = await fleet.sides.stats();
    const [id = "", side] = Object.entries(orders).at(-1) ?? [];
    const key = await fleet.redis.cli("GET", "cutover:{checkout}:owner:K-1");
    for (const { served } of fleet.members) {
      const { admin } = served;
      for (const [asked = "", owner] of [
        [id, side],
        ["K-1", key],
      ] as const) {
        const sentence = `${owner}, because it owns the order or the key, and nothing overrides an owner; version `;
        const told = await fetch(`${admin}/api/v1/cutovers/checkout/explain?key=${asked}`);
        expect(await told.json()).toMatchObject({
          side: owner,
          reason: "owner",
          owner: { side: owner, by: "record" },
          sentence: expect.stringContaining(sentence),
        });
        const said = await runOnPaper(["explain", "checkout", "--key", asked], {
          env: { CUTOVER_ADMIN_URL: admin },
        });
        expect(said).toMatchObject({ code: 0, stderr: "", stdout: expect.stringMatching(/^[^.\n]*\.\n/) });
        expect(said.stdout.startsWith(`checkout: ${sentence}`)).toBe(true);
      }
    }
  });
});

describe.concurrent.each(["bucket", "retry"] as const)("Redis killed for 20 s, unknown: %s", (unknown) => {
  interface Made {
    readonly id: string;
    readonly instance: number;
    readonly inOutage: boolean;
  }
  interface Called {
    readonly made: Made;
    readonly instance: number;
    readonly status: number;
  }
  let fleet: OrderFleet;
  let stats: SideStats;
  const made: Made[] = [];
  const called: Called[] = [];
  const faults: string[] = [];

  beforeAll(async () => {
    fleet = await startOrderFleet(unknown);
    accepted(await fleet.members[0].api.set(50));
    let isOut = false;
    let isOver = false;
    const pick = () => randomBytes(1)[0] ?? 0;
    const client = async () => {
      while (!isOver) {
        try {
          const instance = pick() % size;
          const begunInOutage = isOut;
          made.push({ id: await order(fleet, instance), instance, inOutage: begunInOutage || isOut });
          for (let i = 0; i < 2; i++) {
            const earlier = made[Math.floor(Math.random() * made.length)];
            if (earlier === undefined) continue;
            const at = pick() % size;
            const { status } = await callback(fleet, at, earlier.id);
            called.push({ made: earlier, instance: at, status });
          }
        } catch (error) {
          faults.push(error instanceof Error ? error.message : "failed");
        }
        await sleep(pauseMs);
      }
    };
    const clients = Array.from({ length: 8 }, client);
    const soonestBy = performance.now() + 30_000;
    const manyMore = async (list: readonly unknown[]) => {
      const enough = list.length + 100;
      while (list.length < enough && performance.now() < soonestBy) await sleep(10);
    };
    await manyMore(made);
    // An order of the last moment may have been told to nobody else.
    isOut = true;
    await sleep(300);
    await fleet.redis.kill();
    await sleep(outageMs);
    // On a busy machine the outage lasts until enough has happened in it.
    while (made.filter(({ inOutage }) => inOutage).length <= 100 && performance.now() < soonestBy)
      await sleep(50);
    await fleet.redis.restart();
    const handedInBy = performance.now() + 5000;
    while ((await fleet.metric("cutover_ownership_spool_waiting")) > 0) {
      if (performance.now() > handedInBy) throw new Error("the spools are not handed in");
      await sleep(50);
    }
    isOut = false;
    await manyMore(called);
    isOver = true;
    await Promise.all(clients);
    stats = await fleet.sides.stats();
  }, 120_000);
  afterAll(() => fleet.stop());

  test.sequential("no request failed, and no body was touched", () => {
    expect(faults).toEqual([]);
    const allowed = unknown === "retry" ? [200, 503] : [200];
    expect(called.filter(({ status }) => !allowed.includes(status))).toEqual([]);
    expect(stats.corrupt).toBe(0);
    expect(made.filter(({ inOutage }) => inOutage).length).toBeGreaterThan(100);
  });

  test.sequential("every owner learned is in the store afterwards", async () => {
    const ids = Object.keys(stats.orders);
    expect(await ownersInStore(fleet, ids)).toEqual(ids.map((id) => stats.orders[id]));
    expect(await fleet.metric("cutover_ownership_lost_total")).toBe(0);
    expect(await fleet.metric("cutover_ownership_disputed_total")).toBe(0);
  });

  test.sequential("only orders first seen in the outage on another instance were unknown", async () => {
    const elsewhere = called.filter(
      ({ made: order, instance }) => order.inOutage && order.instance !== instance,
    );
    const unknowns = await fleet.metric("cutover_ownership_unknown_total");
    expect(unknowns).toBeGreaterThan(0);
    expect(unknowns).toBeLessThanOrEqual(elsewhere.length);
    if (unknown === "retry") {
      expect(stats.wrong).toEqual([]);
      const refused = called.filter(({ status }) => status === 503);
      expect(refused).toHaveLength(unknowns);
      expect(refused.filter((call) => !elsewhere.includes(call))).toEqual([]);
    } else {
      const suspects = new Set(elsewhere.map(({ made: order }) => order.id));
      expect(stats.wrong.filter((id) => !suspects.has(id))).toEqual([]);
      expect(stats.wrong.length).toBeLessThanOrEqual(unknowns);
    }
  });
});

test.concurrent("an order learned while Redis is away outlives the proxy that learned it: the next one hands it in", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-ownership-"));
  const redis = await startRedis(["--appendonly", "yes"]);
  const sides = await startSides();
  const cutover = [
    "shopper: ['header:x-shopper-id']",
    "routes: [{ name: checkout, path: /checkout, methods: [POST], learns: true }]",
    "owners: [{ key: 'json:/order_id', learn: ['json:/orderId'] }]",
  ];
  const open = (name: string) =>
    startServe({ folder, name, yaml: serveYaml({ sides, store: redis.url, spool: "var/spool", cutover }) });
  const first = await open("first");
  let second: Served | undefined;
  try {
    await redis.kill();
    const headers = { "content-type": "application/json", "x-shopper-id": "a" };
    const response = await fetch(`${first.proxy}/checkout`, { method: "POST", headers, body: "{}" });
    expect(response.status).toBe(201);
    const { orderId } = z.object({ orderId: z.string() }).parse(await response.json());
    await first.kill();
    await redis.restart();
    expect(await redis.cli("KEYS", "*owner*")).toEqual([]);
    second = await open("second");
    const recorded = () => redis.cli("GET", `cutover:{checkout}:owner:${orderId}`);
    await expect.poll(recorded, { timeout: 10_000 }).toBe("legacy");
    expect(await second.log()).toContain("an earlier process could not record");
    expect(await second.log()).not.toContain(orderId);
    const files = (await readdir(join(folder, "var", "spool"))).filter((name) => name.endsWith(".spool"));
    expect(files).toEqual([expect.stringContaining(second.id)]);
  } finally {
    await first.kill();
    await second?.kill();
    await sides.stop();
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

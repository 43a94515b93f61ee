/**
 * A cutover that goes after another, over real HTTP, on a real Redis and by two workers: percents of both side by side, edits
 * by hand of the one that goes ahead, and what its operators are told.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectedSide, shoppersOfBuckets } from "../support/bucket.ts";
import { runCutover, type Served, startServe } from "../support/cutover.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { serveYaml } from "../support/serve-yaml.ts";
import { startSides } from "../support/sides.ts";
import { eventually } from "../support/until.ts";

const endings: (() => Promise<unknown>)[] = [];
let redis: RedisServer;
let serve: Served;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-after-"));
  endings.push(() => rm(folder, { recursive: true }));
  const sides = await startSides();
  endings.push(() => sides.stop());
  redis = await startRedis();
  endings.push(() => redis.stop());
  const payment = [
    "shopper: ['header:x-shopper-id']",
    "group: cart",
    "after: cart",
    "routes: [{ name: pay, path: '/pay/*' }]",
  ];
  const yaml = serveYaml({
    sides,
    store: redis.url,
    workers: 2,
    cutover: payment,
    others: { cart: "/cart/*" },
  });
  serve = await startServe({ folder, name: "only", yaml });
  endings.push(() => serve.kill());
}, 120_000);
afterAll(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function ask(path: string, shopper: string): Promise<{ side: string | null; reason: string }> {
  const answer = await fetch(`${serve.proxy}${path}`, { headers: { "x-shopper-id": shopper } });
  await answer.arrayBuffer();
  const [, reason = ""] = /reason=(\w+)/.exec(answer.headers.get("x-cutover-decision") ?? "") ?? [];
  return { side: answer.headers.get("x-side"), reason };
}

const set = async (name: string, percent: number) => {
  const answer = await fetch(`${serve.admin}/api/v1/cutovers/${name}/percent`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ percent, reason: "test" }),
  });
  return { status: answer.status, json: await answer.json() };
};
const shoppers = Array.from({ length: 15 }, (_, n) => `shopper-${n}`);

test("payment is on new below the lesser percent, and nowhere where cart is not", async () => {
  for (const [cart, payment] of [
    [60, 30],
    [60, 60],
    [25, 60],
  ] as const) {
    expect(await set("cart", cart)).toMatchObject({ status: 200 });
    if (payment <= cart) expect(await set("checkout", payment)).toMatchObject({ status: 200 });
    for (const shopper of shoppers) {
      const [inCart, inPayment] = [await ask("/cart/1", shopper), await ask("/pay/1", shopper)];
      expect(inCart.side).toBe(expectedSide("cart", shopper, cart));
      expect(inPayment.side).toBe(expectedSide("cart", shopper, Math.min(cart, payment)));
    }
  }
  expect(await set("checkout", 61)).toMatchObject({ status: 409, json: { code: "without_effect" } });
  const env = { CUTOVER_ADMIN_URL: serve.admin };
  const dry = await runCutover(["set", "checkout", "61", "--reason", "x", "--dry-run"], { env });
  expect(dry).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("it would be refused (without_effect)"),
  });
  const status = await runCutover(["status", "checkout"], { env });
  expect(status.stdout).toContain("60% on new, 25% in effect");
  expect(status.stdout.replace(/\s+/g, " ")).toContain("in effect is 25% of 60%: it goes after cart");
});

test("an edit of cart by hand holds payment down within a second, and leaves its percent as it is", async () => {
  await set("cart", 60);
  await set("checkout", 60);
  const [shopper = ""] = shoppersOfBuckets("cart", "s", (bucket) => bucket > 20_000 && bucket < 30_000, 1);
  expect(await ask("/pay/1", shopper)).toEqual({ side: "new", reason: "bucket" });

  await redis.cli("HSET", "cutover:{cart}", "percent", "0");
  const held = async () => (await ask("/pay/1", shopper)).side === "legacy";
  await eventually("payment is held with cart", held, 2000);
  expect(await redis.cli("HGET", "cutover:{checkout}", "percent")).toBe("60");

  await redis.cli("HSET", "cutover:{cart}", "percent", "60");
  await eventually("payment is let go with cart", async () => !(await held()), 2000);
  await redis.cli("HSET", "cutover:{cart}", "state", "rolled_back");
  const isRolledBack = async () => (await ask("/pay/1", shopper)).reason === "rolled_back";
  await eventually("payment is rolled back with cart", isRolledBack, 2000);
});

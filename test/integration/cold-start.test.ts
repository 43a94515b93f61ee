/** An instance that starts while Redis is away serves by what it last knew, and follows when Redis is back. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createAdminApi } from "../support/admin-api.ts";
import { expectedSide } from "../support/bucket.ts";
import { startServe } from "../support/cutover.ts";
import { startRedis } from "../support/redis.ts";
import { serveYaml } from "../support/serve-yaml.ts";
import { startSides } from "../support/sides.ts";
import { createShop, visitAll } from "../support/traffic.ts";

const shoppers = Array.from({ length: 500 }, (_, number) => `early-${number}`);
const endings: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

test("a cold start without Redis serves by the last good percent, refuses changes, and recovers within 5 s", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-cold-"));
  endings.push(() => rm(folder, { recursive: true }));
  const redis = await startRedis(["--appendonly", "yes"]);
  endings.push(() => redis.stop());
  const sides = await startSides();
  endings.push(() => sides.stop());
  const begin = async (name: string) => {
    const snapshot = join(folder, "snapshot.json");
    const serve = await startServe({ folder, name, yaml: serveYaml({ sides, store: redis.url, snapshot }) });
    endings.push(() => serve.kill());
    const admin = createAdminApi(serve.admin);
    endings.push(() => admin.close());
    return { serve, admin };
  };

  const before = await begin("before");
  expect(await before.admin.set(60)).toMatchObject({ status: 200, answer: { version: 1 } });
  expect(await before.serve.stop()).toBe(0);
  await redis.kill();

  const begun = performance.now();
  const { serve, admin } = await begin("cold");
  const readyMs = performance.now() - begun;
  const shop = createShop(serve.proxy, 16);
  endings.push(() => shop.close());
  const visits = await visitAll(shop, shoppers, 16);
  const amiss = visits.filter(
    ({ fault, shopper, side, reason, version }) =>
      fault !== undefined ||
      side !== expectedSide("checkout", shopper, 60) ||
      reason !== "bucket" ||
      version !== 1,
  );
  expect(amiss).toEqual([]);
  expect(await admin.metric("cutover_store_up")).toBe(0);
  const refused = await admin.set(77);
  expect(refused).toMatchObject({ status: 503, code: "store_unavailable" });
  expect(refused.ms).toBeLessThanOrEqual(3000);

  const backAt = performance.now();
  await redis.restart();
  let written = await admin.set(61);
  while (written.status !== 200 && performance.now() - backAt < 20_000) written = await admin.set(61);
  const recoveredMs = written.answeredAt - backAt;
  console.log(
    `cold-start: without Redis ready in ${readyMs.toFixed(0)} ms, ${visits.length} visits on their side, ` +
      `refused in ${refused.ms.toFixed(0)} ms, recovered in ${recoveredMs.toFixed(0)} ms`,
  );
  expect(written.answer).toMatchObject({ percent: 61, version: 2, applied: { instances: 1, of: 1 } });
  expect(recoveredMs).toBeLessThanOrEqual(5000);
  expect((await admin.history()).map(({ to }) => to.percent)).toEqual([61, 60]);
  await expect.poll(() => admin.metric("cutover_store_up")).toBe(1);
});

/** Rolling back without the store where an instance serves by workers: the answer means all of them. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type AdminApi, accepted, createAdminApi } from "../support/admin-api.ts";
import { type Served, startServe } from "../support/cutover.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { serveYaml } from "../support/serve-yaml.ts";
import { startSides } from "../support/sides.ts";
import { eventually } from "../support/until.ts";

const endings: (() => unknown)[] = [];
let redis: RedisServer;
let serve: Served;
let admin: AdminApi;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-local-workers-"));
  endings.push(() => rm(folder, { recursive: true }));
  redis = await startRedis();
  endings.push(() => redis.stop());
  const sides = await startSides();
  endings.push(() => sides.stop());
  serve = await startServe({
    folder,
    name: "one",
    yaml: serveYaml({ sides, workers: 2, store: redis.url, more: ["audit: off"] }),
  });
  endings.push(() => serve.kill());
  admin = createAdminApi(serve.admin);
  endings.push(() => admin.close());
});
afterAll(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});
beforeEach(async () => {
  const isWithFleet = async () => (await admin.view()).scope === "fleet";
  await eventually("what was done alone to be known", isWithFleet, 10_000);
  await admin.call("resume");
  accepted(await admin.set(100, { waitMs: 10_000 }));
  await redis.kill();
  await eventually(
    "the loss to be known",
    async () => (await admin.metric("cutover_store_up")) === 0,
    10_000,
  );
});
afterEach(() => redis.restart());

/** Sides of requests on connections of their own, which the workers take turns at. */
async function sidesOf(count: number): Promise<ReadonlySet<string>> {
  const headers = { connection: "close", "x-shopper-id": "s" };
  const seen = await Promise.all(
    Array.from({ length: count }, async () => {
      const answer = await fetch(`${serve.proxy}/cart/1`, { headers });
      await answer.text();
      return answer.headers.get("x-cutover-decision") ?? "";
    }),
  );
  return new Set(seen.map((said) => /side=(\w+)/.exec(said)?.[1] ?? said));
}

async function aWorker(): Promise<number> {
  const [worker] = await serve.workers();
  if (worker === undefined) throw new Error("no worker");
  return worker;
}

test("a local rollback is answered once every worker decides by it, and not before", async () => {
  const frozen = await aWorker();
  process.kill(frozen, "SIGSTOP");
  let answered = false;
  const rollback = admin.call("rollback", { waitMs: 30_000 }).finally(() => {
    answered = true;
  });
  await sleep(500);
  expect(answered).toBe(false);
  process.kill(frozen, "SIGCONT");
  const { answer } = await rollback;
  expect(answer).toMatchObject({ state: "rolled_back", applied: { scope: "local", instances: 1 } });
  expect(await sidesOf(8)).toEqual(new Set(["legacy"]));
});

test("a worker that does not answer in time is told: applied on no instance", async () => {
  const frozen = await aWorker();
  process.kill(frozen, "SIGSTOP");
  try {
    const { answer } = await admin.call("hold", { waitMs: 300 });
    expect(answer).toMatchObject({
      state: "held",
      applied: { scope: "local", instances: 0, complete: false },
    });
  } finally {
    process.kill(frozen, "SIGCONT");
  }
  const again = await admin.call("hold", { waitMs: 30_000 });
  expect(again.answer).toMatchObject({ changed: false, applied: { instances: 1 } });
});

test("two workers have applied a local hold within 100 ms; SIGUSR1 says in the log when all have", async () => {
  const held = await admin.call("hold");
  expect(held.answer).toMatchObject({ state: "held", applied: { scope: "local", instances: 1 } });
  process.stdout.write(`local hold with two workers answered in ${held.ms.toFixed(1)} ms\n`);
  if (process.env.CUTOVER_BARS === "full") expect(held.ms).toBeLessThan(100);

  const frozen = await aWorker();
  process.kill(frozen, "SIGSTOP");
  serve.signal("SIGUSR1");
  await serve.said("SIGUSR1: rolling back every cutover on this instance");
  await sleep(300);
  const done = "SIGUSR1: in force in every process of this instance";
  expect((await serve.lines()).filter(({ msg }) => msg === done)).toEqual([]);
  process.kill(frozen, "SIGCONT");
  await serve.said(done);
  expect(await sidesOf(8)).toEqual(new Set(["legacy"]));
});

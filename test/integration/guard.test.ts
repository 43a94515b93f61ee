/** The guard over real sockets: a new side that fails is rolled back within seconds, one of two sick sides is not. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { accepted, createAdminApi } from "../support/admin-api.ts";
import { runCutover, startServe } from "../support/cutover.ts";
import { comeByTurns, guardOf, startToldShop } from "../support/guarded-shops.ts";
import { cartsByShopper, serveYaml } from "../support/serve-yaml.ts";
import { eventually } from "../support/until.ts";

const endings: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const isFull = process.env.CUTOVER_BARS === "full";
/** The bar; a machine that does much else at the same time is asked for three seconds more. */
const withinMs = isFull ? 5000 : 8000;

/** Two shops behind a serving process whose cutover is at 50%, and shoppers who come 100 times a second. */
async function create(workers: number, patienceMs: number) {
  const folder = await mkdtemp(join(tmpdir(), "cutover-guard-"));
  endings.push(() => rm(folder, { recursive: true }));
  const [legacy, fresh] = [await startToldShop(), await startToldShop()];
  endings.push(legacy.stop, fresh.stop);
  const yaml = serveYaml({
    sides: { legacy: legacy.url, new: fresh.url },
    workers,
    cutover: [...cartsByShopper, "guard: { action: rollback, block: 1s }"],
    more: ["audit: off"],
  });
  const serve = await startServe({ folder, name: "guarded", yaml });
  endings.push(() => serve.kill());
  const admin = createAdminApi(serve.admin);
  endings.push(() => admin.close());
  accepted(await admin.set(50, { waitMs: 10_000 }));
  const stop = comeByTurns({ proxies: [serve.proxy], patienceMs });
  endings.push(stop);
  /** Awaits that the guard has counted so many of new's shoppers, by the sentence of its verdict. */
  const counted = async (atLeast: number) => {
    const has = async () => (await shoppersOnNew(serve.admin)) >= atLeast;
    await eventually(`${atLeast} shoppers of new counted`, has, 20_000);
  };
  return { legacy, fresh, admin, serve, counted, stop };
}

async function shoppersOnNew(adminUrl: string): Promise<number> {
  return (await guardOf(adminUrl)).evidence?.sides.new.units ?? 0;
}

test.each([1, 2])(
  "a new side that fails altogether is rolled back in time (workers: %d)",
  async (workers) => {
    const { fresh, admin, serve, counted, stop } = await create(workers, 5000);
    await counted(100);
    expect((await admin.view()).state).toBe("open");
    const told = await runCutover(["guard", "checkout"], { env: { CUTOVER_ADMIN_URL: serve.admin } });
    expect(told.stdout).toMatch(/^checkout: new fails 0\.0% .*: insufficient evidence\n$/);
    fresh.answer = "failing";
    const began = performance.now();
    await eventually("rolled back", async () => (await admin.view()).state === "rolled_back", 20_000);
    const took = performance.now() - began;
    stop();
    console.log(
      `guard, workers ${workers}: rolled back ${Math.round(took)} ms after the first failure; bar ${withinMs}`,
    );
    expect(took).toBeLessThanOrEqual(withinMs);
    const response = await fetch(`${serve.admin}/api/v1/cutovers/checkout/history`);
    const [entry] = (await response.json()) as { by: string; via: string; reason: string }[];
    expect(entry).toMatchObject({ by: "guard", via: "guard" });
    expect(entry?.reason).toMatch(/^new fails \d.*: worse with .*rolled back .* after the first failure$/);
    const metrics = await (await fetch(`${serve.admin}/metrics`)).text();
    expect(metrics).toContain('cutover_guard_actions_total{cutover="checkout",action="rollback"} 1');
  },
);

test.each(Array.from({ length: isFull ? 20 : 1 }, (_, n) => n + 1))(
  "when both sides fail, it holds and does not roll back onto a sick legacy (%d)",
  async () => {
    const { legacy, fresh, admin, serve, counted, stop } = await create(1, 5000);
    legacy.answer = "failing";
    fresh.answer = "failing";
    await eventually("held", async () => (await admin.view()).state === "held", 20_000);
    // It goes on looking, and acting on what it sees, at what is held.
    await counted((await shoppersOnNew(serve.admin)) + 100);
    stop();
    expect((await admin.view()).state).toBe("held");
    await serve.kill();
  },
);

test.runIf(isFull)(
  "a new side that hangs is rolled back 15 s after clients who wait 5 s meet it",
  async () => {
    const { fresh, admin, counted, stop } = await create(1, 5000);
    await counted(20);
    fresh.answer = "silent";
    const began = performance.now();
    await eventually("rolled back", async () => (await admin.view()).state === "rolled_back", 40_000);
    stop();
    expect(performance.now() - began).toBeLessThanOrEqual(15_000);
  },
);

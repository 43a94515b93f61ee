/** A gradual rollback over two instances on one Redis: done at 0 and not before, and nobody raises it meanwhile. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { accepted, createAdminApi } from "../support/admin-api.ts";
import { startCutover, startServe } from "../support/cutover.ts";
import { startToldShop } from "../support/guarded-shops.ts";
import { startRedis } from "../support/redis.ts";
import { cartsByShopper, serveYaml } from "../support/serve-yaml.ts";
import { eventually } from "../support/until.ts";

const endings: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

test("a rollback that is gradual latches raises at once, falls step by step, and is done when both instances are at 0", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-return-"));
  endings.push(() => rm(folder, { recursive: true }));
  const [legacy, fresh, redis] = await Promise.all([startToldShop(), startToldShop(), startRedis()]);
  endings.push(legacy.stop, fresh.stop, redis.stop);
  const yaml = serveYaml({
    sides: { legacy: legacy.url, new: fresh.url },
    store: redis.url,
    cutover: [...cartsByShopper, "return: { over: 10s }"],
    more: ["audit: off"],
  });
  const serves = await Promise.all(["a", "b"].map((name) => startServe({ folder, name, yaml })));
  const members = serves.map((serve) => {
    const api = createAdminApi(serve.admin);
    endings.push(() => Promise.all([api.close(), serve.kill()]));
    return { serve, api };
  });
  const [first, second] = members;
  if (first === undefined || second === undefined) throw new Error("nobody serves");
  accepted(await first.api.set(50, { waitMs: 10_000 }));

  const lowered = accepted(await second.api.set(20, { waitMs: 10_000 }));
  expect(lowered).toMatchObject({
    percent: 47.5,
    returning: { kind: "lower", parts: [{ from: 50, to: 20 }], step: 1, steps: 12, overSeconds: 10 },
  });
  const env = { CUTOVER_ADMIN_URL: first.serve.admin };
  const rollback = startCutover(["rollback", "checkout", "--gradual"], { env });
  let isOver = false;
  void rollback.finished.then(() => {
    isOver = true;
  });
  await eventually("raises are latched", async () => (await second.api.view()).state === "held", 10_000);
  expect((await second.api.set(60)).code).toBe("held");

  const percents: number[] = [];
  let again: { readonly returning: { readonly step: number } } | undefined;
  const until = performance.now() + 60_000;
  while (!isOver && performance.now() < until) {
    const { percent, state, warnings } = await second.api.view();
    if (percent !== percents.at(-1)) percents.push(percent);
    if (state === "held" && percents.length === 6 && again === undefined) {
      again = await (
        await fetch(`${second.serve.admin}/api/v1/cutovers/checkout/rollback`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: '{"gradual":true,"waitMs":0}',
        })
      ).json();
    }
    if (state === "held" && percents.length === 3) {
      expect(warnings.map(({ text }) => text).join()).toMatch(
        /returning from [\d.]+% to 0% over 10 s, to be/,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { code, stdout, stderr } = await rollback.finished;
  expect({ code, stdout, stderr }).toMatchObject({ code: 0 });
  expect(stdout).toMatch(/^checkout: .*rolled back → legacy 100% \/ new 0%.* on 2 of 2 instances/m);
  expect(stderr).toContain("raises are latched");
  expect(percents.at(-1)).toBe(0);
  // Asked for a second time it did not begin anew.
  expect(again?.returning.step).toBeGreaterThanOrEqual(3);
  expect(percents.length).toBeGreaterThanOrEqual(10);
  for (const [step, percent] of percents.slice(1).entries()) {
    expect((percents[step] ?? 0) - percent).toBeGreaterThan(0);
    expect((percents[step] ?? 0) - percent).toBeLessThan(2 * (47.5 / 12) + 0.1);
  }
  const history = await first.api.history();
  expect(history[0]).toMatchObject({
    action: "rollback",
    via: "return",
    to: { state: "rolled_back", percent: 0 },
  });
  expect(await first.api.view()).toMatchObject({ state: "rolled_back", percent: 0 });
  expect((await first.api.view()).returning).toBeUndefined();
});

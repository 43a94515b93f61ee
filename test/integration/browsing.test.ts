/** Who browses, on two instances with one Redis: one by undici in two workers, one by http-proxy. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BrowserJar, createBrowserJar } from "../../src/demo/storefronts/browser-jar.ts";
import { type AdminApi, createAdminApi } from "../support/admin-api.ts";
import { type Served, startServe } from "../support/cutover.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { serveYaml } from "../support/serve-yaml.ts";
import { startSides } from "../support/sides.ts";

const endings: (() => unknown)[] = [];
let redis: RedisServer;
let serves: readonly [Served, Served];
let admin: AdminApi;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-browsing-"));
  endings.push(() => rm(folder, { recursive: true }));
  redis = await startRedis();
  endings.push(() => redis.stop());
  const sides = await startSides();
  endings.push(() => sides.stop());
  const cutover = [
    "shopper: ['header:x-account', 'visitor']",
    "trustedShopper: { header: x-account, from: [127.0.0.0/8] }",
    "routes: [{ name: cart, path: '/cart/*' }]",
    "visit: { for: 30m }",
    "identity: { link: { for: 24h } }",
    "anonymous: new-at-100",
  ];
  const start = async (name: string, workers: number, engine: string) => {
    const more = ["audit: off", "visitor: { on: any }", `engine: ${engine}`];
    const yaml = serveYaml({ sides, store: redis.url, workers, cutover, more });
    const served = await startServe({ folder, name, yaml });
    endings.push(() => served.kill());
    return served;
  };
  serves = await Promise.all([start("one", 2, "undici"), start("other", 1, "http-proxy")]);
  admin = createAdminApi(serves[0].admin);
  endings.push(() => admin.close());
}, 60_000);
afterAll(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function view(jar: BrowserJar, account?: string, at = 0) {
  const headers: Record<string, string> = account === undefined ? {} : { "x-account": account };
  const { status, headers: got } = await jar.request(`${serves[at]?.proxy}/cart/1`, { headers });
  expect(status).toBe(200);
  const told = got.get("x-cutover-decision") ?? "";
  const [, side, reason] = /side=(\w+); reason=(\w+)/.exec(told) ?? [];
  return { side, reason, sets: got.getSetCookie().length, cacheControl: got.get("cache-control") };
}

async function change(percent: number): Promise<void> {
  const { answer } = await admin.set(percent);
  expect(answer).toMatchObject({ percent, applied: { instances: 2, of: 2 } });
}

async function decisions(reason: string): Promise<string[]> {
  const page = await (await fetch(`${serves[0].admin}/metrics`)).text();
  return page
    .split("\n")
    .filter((line) => line.startsWith("cutover_decisions_total") && line.includes(`reason="${reason}"`));
}

test("visits, logins and what names nobody, through raises and a rollback, whichever instance answers", async () => {
  expect(await decisions("visit")).toEqual([
    expect.stringMatching(/side="legacy".* 0$/),
    expect.stringMatching(/side="new".* 0$/),
  ]);
  await change(50);
  const browsers = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const jar = createBrowserJar();
      const first = await view(jar);
      expect([first.reason, first.sets, first.cacheControl]).toEqual(["bucket", 3, "private"]);
      expect(
        jar
          .all()
          .map(({ name }) => name)
          .sort(),
      ).toEqual(["cutover_link", "cutover_visit", "cutover_visitor"]);
      return { jar, side: first.side };
    }),
  );
  const onLegacy = browsers.filter(({ side }) => side === "legacy");
  const onNew = browsers.filter(({ side }) => side === "new");
  expect(Math.min(onLegacy.length, onNew.length)).toBeGreaterThan(5);

  await change(100);
  for (const [index, { jar, side }] of browsers.entries()) {
    const later = await view(jar, undefined, index % 2);
    expect([later.side, later.reason, later.sets]).toEqual([side, "visit", 0]);
  }
  expect(await view(createBrowserJar())).toMatchObject({ side: "new", reason: "bucket" });
  const nobody = await fetch(`${serves[1].proxy}/cart/1`, { method: "OPTIONS" });
  expect(nobody.headers.get("x-cutover-decision")).toContain("side=new; reason=anonymous");
  const told = JSON.parse(await (await fetch(`${serves[1].admin}/api/v1/cutovers/checkout`)).text());
  expect(told.stillLegacy).toMatchObject([{ reason: "visit" }]);
  expect((await decisions("visit")).some((line) => !line.endsWith(" 0"))).toBe(true);

  // A login on each instance, and then the same account on another device through the other.
  for (const [index, { jar, side }] of [...onLegacy.slice(0, 3), ...onNew.slice(0, 3)].entries()) {
    const account = `account-${index}`;
    expect((await view(jar, account, index % 2)).side).toBe(side);
    const device = createBrowserJar();
    for (const at of [1, 0, 1]) expect((await view(device, account, (index + at) % 2)).side).toBe(side);
  }
  const asked = await fetch(`${serves[1].admin}/api/v1/cutovers/checkout/explain?shopper=account-0`);
  expect(JSON.parse(await asked.text())).toMatchObject({ side: "legacy", reason: "visit" });

  await admin.call("rollback");
  for (const { jar } of onNew)
    expect(await view(jar, undefined, 1)).toMatchObject({ reason: "rolled_back", sets: 0 });
  await admin.call("resume");
  await change(0.001);
  for (const [index, { jar }] of onNew.entries()) {
    expect(await view(jar, undefined, index % 2)).toMatchObject({ side: "legacy", reason: "bucket" });
  }
}, 60_000);

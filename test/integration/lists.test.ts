/** Lists of a running instance: changed by its API, loaded by it, there again after a restart. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { listAnswer, listView } from "../../src/admin/api/lists/list-view.ts";
import { startServe } from "../support/cutover.ts";
import { startRedis } from "../support/redis.ts";
import { cartsByShopper, serveYaml } from "../support/serve-yaml.ts";
import { startSides } from "../support/sides.ts";

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

test("an instance with workers keeps the lists of its embedded store, over a restart", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-serve-lists-"));
  endings.push(() => rm(folder, { recursive: true }));
  const sides = await startSides();
  endings.push(() => sides.stop());
  const yaml = serveYaml({
    sides,
    workers: 2,
    store: `file:${join(folder, "state.json")}`,
    cutover: [...cartsByShopper, "cohorts: [{ name: employees, when: { list: staff }, side: new }]"],
    more: ["lists: { staff: {}, sellers: { members: digests } }"],
  });
  const start = async (name: string) => {
    const serve = await startServe({ folder, name, yaml });
    endings.push(() => serve.kill());
    return serve;
  };
  const first = await start("first");
  const put = await fetch(`${first.admin}/api/v1/lists/staff`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ add: ["u-1", "u-2"], reason: "second shift" }),
  });
  expect(listAnswer.parse(await put.json())).toMatchObject({
    changed: true,
    members: 2,
    loaded: 2,
    version: 1,
  });
  /** By as many connections as may meet every worker. */
  const served = async (proxy: string, shopper: string) => {
    const asked = Array.from({ length: 8 }, async () => {
      const headers = { "x-shopper-id": shopper, connection: "close" };
      return (await fetch(`${proxy}/cart/1`, { headers })).headers.get("x-side");
    });
    return [...new Set(await Promise.all(asked))].sort();
  };
  await expect.poll(() => served(first.proxy, "u-2"), { timeout: 5000 }).toEqual(["new"]);
  expect(await served(first.proxy, "u-3")).toEqual(["legacy"]);
  await first.kill();
  const { admin, proxy } = await start("second");
  expect(await served(proxy, "u-1")).toEqual(["new"]);
  const lists = z.array(listView).parse(await (await fetch(`${admin}/api/v1/lists`)).json());
  expect(lists).toMatchObject([
    { name: "staff", takes: "plain", members: 2, loaded: 2, reason: "second shift" },
    { name: "sellers", takes: "digests", members: 0, loaded: 0 },
  ]);
  const metrics = await (await fetch(`${admin}/metrics`)).text();
  expect(metrics).toContain('\ncutover_list_members{list="staff"} 2\n');
  expect(metrics).toContain('\ncutover_list_members{list="sellers"} 0\n');
  expect(metrics).toContain('\ncutover_list_load_failures_total{list="staff"} 0\n');
  expect(metrics).toMatch(/^cutover_list_age_seconds\{list="staff"\} \d/m);
  const has = async (member: string) =>
    (await fetch(`${admin}/api/v1/lists/staff/has?member=${member}`)).json();
  expect([await has("u-2"), await has("u-3")]).toEqual([{ has: true }, { has: false }]);
}, 30_000);

test("two instances on one Redis have the lists that either is told", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-serve-lists-"));
  endings.push(() => rm(folder, { recursive: true }));
  const redis = await startRedis();
  endings.push(() => redis.stop());
  const start = async (name: string) => {
    const yaml = serveYaml({
      sides: { legacy: "http://127.0.0.1:1", new: "http://127.0.0.1:2" },
      store: redis.url,
      snapshot: join(folder, "snapshot.json"),
      more: ["lists: { staff: {} }"],
    });
    const serve = await startServe({ folder, name, yaml });
    endings.push(() => serve.kill());
    return serve.admin;
  };
  const [one, other] = await Promise.all([start("one"), start("other")]);
  const change = (body: object) =>
    fetch(`${one}/api/v1/lists/staff`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...body, reason: "second shift" }),
    });
  expect((await change({ add: ["u-1", "u-2", "u-3"] })).status).toBe(200);
  const loaded = async (admin: string) =>
    listView.parse(await (await fetch(`${admin}/api/v1/lists/staff`)).json()).loaded;
  await expect.poll(() => loaded(other)).toBe(3);
  expect((await change({ remove: ["u-2"] })).status).toBe(200);
  await expect.poll(() => loaded(other)).toBe(2);
}, 30_000);

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { loadConfig } from "../../src/config/load/load.ts";
import type { Config } from "../../src/config/schema.ts";
import { apart } from "../../src/demo/apart.ts";
import { type Demo, type DemoOptions, runDemo } from "../../src/demo/demo.ts";
import { demoOf } from "../../src/demo/kinds.ts";
import { anomaliesOf } from "../../src/demo/shoppers/tally.ts";
import { composeInstance } from "../../src/instance/instance.ts";
import { freePort } from "../support/free-port.ts";
import { startRedis } from "../support/redis.ts";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** The package's own configuration on free ports, in memory; shoppers in a hurry. */
async function demo(
  store = "memory:",
  place: (config: Config) => Config = (config) => ({
    ...config,
    store,
    snapshot: undefined,
    audit: undefined,
  }),
  more: Partial<DemoOptions> = {},
): Promise<{ running: Demo; printed: string[]; logPath: string }> {
  const loaded = await loadConfig(demoOf("sample").path, {});
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const { config } = loaded;
  const at = async (name: string) => {
    const upstream = config.upstreams[name];
    if (upstream === undefined) throw new Error(`no upstream ${name}`);
    return { ...upstream, url: `http://127.0.0.1:${await freePort()}` };
  };
  const directory = await mkdtemp(join(tmpdir(), "demo-"));
  closers.push(() => rm(directory, { recursive: true }));
  const logPath = join(directory, "demo.log");
  const printed: string[] = [];
  const running = await runDemo({
    config: place({
      ...config,
      listeners: {
        proxy: { host: "127.0.0.1", port: 0, idle: 65_000, proxyProtocol: false },
        admin: { host: "127.0.0.1", port: 0 },
        wait: 0,
      },
      upstreams: { "social-shop": await at("social-shop"), marketplace: await at("marketplace") },
    }),
    startInstance: (own, options) => composeInstance(own, { ...options, version: "test" }),
    print: (text) => printed.push(text),
    logPath,
    shoppers: { rate: 40, habits: { thinkMs: [0, 200], payAgain: 0.3 }, retryDelaysMs: [50, 50] },
    shops: { callbackDelayMs: 100, controlPorts: "any" },
    summaryEveryMs: 1000,
    ...more,
  });
  closers.push(running.stop);
  return { running, printed, logPath };
}

async function write(running: Demo, action: string, method: "PUT" | "POST", body: object): Promise<void> {
  const response = await fetch(new URL(`/api/v1/cutovers/checkout/${action}`, running.adminUrl), {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  expect(response.status, await response.text()).toBe(200);
}

const ordersOf = (running: Demo, side: "legacy" | "new") =>
  running.shoppers.tally().orders[running[side].name] ?? 0;
const soon = { timeout: 30_000, interval: 25 };

test("no order is lost, charged twice or sent to the wrong shop while percent goes up, down and back hard", async () => {
  const { running, printed, logPath } = await demo();
  const seed = /seed (\d+)/.exec(printed[0] ?? "")?.[1];
  await vi.waitFor(() => expect(ordersOf(running, "legacy")).toBeGreaterThan(10), soon);
  expect(ordersOf(running, "new")).toBe(0);

  for (const percent of [25, 60, 10, 100]) {
    const before = ordersOf(running, "new");
    await write(running, "percent", "PUT", { percent, reason: "step" });
    await vi.waitFor(() => expect(ordersOf(running, "new")).toBeGreaterThan(before + 5), soon);
  }
  await write(running, "rollback", "POST", { hard: true });
  const after = ordersOf(running, "legacy");
  await vi.waitFor(() => expect(ordersOf(running, "legacy")).toBeGreaterThan(after + 10), soon);
  await running.shoppers.stop();

  // Every charged order's callback finds its shop, though it carries neither shopper nor cookie.
  await vi.waitFor(() => {
    for (const shop of [running.legacy, running.new]) {
      expect(shop.summary().callbacks.pending).toBe(0);
      expect(shop.summary().paying).toBe(0);
    }
  }, soon);
  const tally = running.shoppers.tally();
  expect(tally.anomalies, `seed ${seed}`).toEqual({ changedShop: 0, orderUnknown: 0, paidTwice: 0 });
  expect(anomaliesOf(tally)).toBe(0);
  expect(tally.requests.failed).toBe(0);
  expect(tally.repeatedPayments).toBeGreaterThan(0);
  for (const shop of [running.legacy, running.new]) {
    expect(shop.summary()).toMatchObject({ anomalies: 0, paidTwice: 0, unknownOrder: 0 });
    expect(shop.summary().paid).toBeGreaterThan(0);
    expect(shop.summary().callbacks).toMatchObject({ refused: 0, undelivered: 0, dropped: 0 });
  }

  await running.stop();
  const log = await readFile(logPath, "utf8");
  expect(log).toContain('"route":"pay"');
  expect(log).not.toMatch(/shopper-[0-9a-f]{12}|INV-\d|SS-\d/);
});

test("a broken marketplace fails its own shoppers only, and a rollback ends the failures", async () => {
  const { running } = await demo();
  await write(running, "percent", "PUT", { percent: 50, reason: "half" });
  await vi.waitFor(() => expect(ordersOf(running, "new")).toBeGreaterThan(5), soon);
  await fetch(`${running.new.controlUrl}/faults`, { method: "POST", body: '{"failRate":1}' });
  const legacyBefore = ordersOf(running, "legacy");
  await vi.waitFor(() => expect(running.shoppers.tally().requests.failed).toBeGreaterThan(10), soon);
  await vi.waitFor(() => expect(ordersOf(running, "legacy")).toBeGreaterThan(legacyBefore + 5), soon);

  await write(running, "rollback", "POST", {});
  await fetch(`${running.new.controlUrl}/faults`, { method: "DELETE" });
  // Payments of the orders that the marketplace took still go there, and now succeed.
  const failedAtRollback = running.shoppers.tally().requests.failed;
  const legacyAtRollback = ordersOf(running, "legacy");
  await vi.waitFor(() => expect(ordersOf(running, "legacy")).toBeGreaterThan(legacyAtRollback + 30), soon);
  // What was in flight when the shop was made well again may still have failed.
  expect(running.shoppers.tally().requests.failed - failedAtRollback).toBeLessThan(20);
  await vi.waitFor(() => expect(running.new.summary().paying).toBe(0), soon);
  expect(anomaliesOf(running.shoppers.tally())).toBe(0);
  expect(running.legacy.summary().anomalies + running.new.summary().anomalies).toBe(0);
});

test("the demonstration stops at once even while a shop hangs", async () => {
  const { running } = await demo();
  await write(running, "percent", "PUT", { percent: 50, reason: "half" });
  await fetch(`${running.new.controlUrl}/faults`, { method: "POST", body: '{"hang":true}' });
  await vi.waitFor(() => expect(running.shoppers.underWay()).toBeGreaterThan(30), soon);
  const begun = performance.now();
  await running.stop();
  expect(performance.now() - begun).toBeLessThan(5000);
  for (const url of [running.proxyUrl, running.adminUrl, running.legacy.url, running.new.controlUrl]) {
    await expect(fetch(url)).rejects.toThrow();
  }
});

test("the demonstration says what an earlier run left, and how to go on", async () => {
  const directory = await mkdtemp(join(tmpdir(), "demo-store-"));
  closers.push(() => rm(directory, { recursive: true }));
  const store = `file:${join(directory, "state.json")}`;
  const first = await demo(store);
  expect(first.printed[0]).not.toContain("earlier run");
  await write(first.running, "rollback", "POST", {});
  await first.running.stop();

  const second = await demo(store);
  expect(second.printed[0]).toMatch(
    /An earlier run left checkout rolled_back at 0%; before a raise: .*npx cutover resume checkout --reason/,
  );
});

test("a demonstration on the Redis of a running checkout changed its percent: now it has keys of its own", async () => {
  const redis = await startRedis();
  closers.push(() => redis.stop());
  await redis.cli("HSET", "cutover:{checkout}", "percent", "60", "state", "open", "version", "7");
  const before = await redis.cli("HGETALL", "cutover:{checkout}");
  const root = await mkdtemp(join(tmpdir(), "demo-apart-"));
  closers.push(() => rm(root, { recursive: true }));
  const { running, printed } = await demo("", (config) => apart(config, redis.url, root));
  expect(printed[0]).toContain(`${redis.url}, keys cutover-demo:…`);
  expect(printed[0]).toContain("redis-cli HSET 'cutover-demo:{checkout}' state rolled_back");

  await vi.waitFor(() => expect(ordersOf(running, "legacy")).toBeGreaterThan(2), soon);
  await write(running, "percent", "PUT", { percent: 25, reason: "first step" });
  await write(running, "rollback", "POST", {});
  await running.stop();
  expect(await redis.cli("HGETALL", "cutover:{checkout}")).toEqual(before);
  const keys = z.array(z.string()).parse(await redis.cli("KEYS", "*"));
  expect(keys.filter((key) => !key.startsWith("cutover-demo:"))).toEqual(["cutover:{checkout}"]);
});

test("a plan takes healthy shops from 1 to 100% by itself; against too near a date it says so before the first step", async () => {
  // In full by the bars: as it is typed.
  const isFull = process.env.CUTOVER_BARS === "full";
  const sped = isFull ? {} : { steps: [1, 50, 100], dwellMs: 100 };
  const { running, printed } = await demo("memory:", undefined, { plan: { kind: "too-late", ...sped } });
  const told = () => printed.filter((line) => line.startsWith("plan: "));
  await vi.waitFor(() => expect(told().at(-1)).toMatch(/^plan: done: /), { timeout: 120_000, interval: 100 });
  expect(told()[0]).toMatch(/the law says .*: cannot be met$/);
  if (isFull) expect(told()[1]).toBe("plan: it waits for window: the bank has maintenance");
  const steps = isFull ? [1, 5, 10, 25, 50, 99, 100] : [1, 50, 100];
  const made = told().flatMap((line) => /^plan: (\d+)% by plan: ./.exec(line)?.[1] ?? []);
  expect(made.map(Number)).toEqual(steps);
  const history = await fetch(new URL("/api/v1/cutovers/checkout/history", running.adminUrl));
  const entries = z.array(z.object({ action: z.string() })).parse(await history.json());
  expect(entries.map(({ action }) => action)).toEqual(steps.map(() => "plan_step"));
  expect(anomaliesOf(running.shoppers.tally())).toBe(0);
});

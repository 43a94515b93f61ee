/**
 * The set of docker-compose.yml without containers: the same programs with the same configuration, rules and
 * dashboard, on ports of this machine. What Prometheus is asked for, it must be able to answer.
 */
import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { createShoppers } from "../../src/demo/shoppers/shoppers.ts";
import { readCompose } from "../support/compose-file.ts";
import { checkout } from "../support/cutover.ts";
import { freePort } from "../support/free-port.ts";
import {
  configFile,
  dashboardNames,
  dashboardQueries,
  readDashboard,
  rulesOf,
} from "../support/monitoring-files.ts";
import { runOnPaper } from "../support/paper-terminal.ts";
import { startProgram } from "../support/processes.ts";
import { type Prometheus, type Sample, startPrometheus } from "../support/prometheus.ts";
import { startRedis } from "../support/redis.ts";

const closers: (() => Promise<unknown>)[] = [];
const secret = randomBytes(16).toString("hex");
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const everyMs = 500;
const soon = { timeout: 60_000, interval: 100 };

interface Proxy {
  readonly proxy: string;
  readonly admin: string;
}

let proxies: readonly Proxy[];
let prometheus: Prometheus;
let marketplaceControl: string;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-monitoring-"));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const redis = await startRedis(["--appendonly", "yes"]);
  closers.push(() => redis.stop());

  const proxyPorts = [await freePort(), await freePort()];
  const callbacks = proxyPorts.map((port) => `http://127.0.0.1:${port}/callbacks/payment`);
  const legacy = await startShop(folder, "social-shop", callbacks[0]);
  const marketplace = await startShop(folder, "marketplace", callbacks[1]);
  marketplaceControl = marketplace.control;

  proxies = await Promise.all(
    proxyPorts.map((port, index) =>
      startProxy(folder, `proxy-${index + 1}`, port, redis.url, legacy.url, marketplace.url),
    ),
  );
  for (const [index, { proxy }] of proxies.entries()) {
    const habits = { thinkMs: [0, 100] } as const;
    const shoppers = createShoppers({ proxyUrl: proxy, rate: 10, seed: seed + index, habits });
    closers.push(() => shoppers.stop());
  }
  const targets = proxies.map(({ admin }) => new URL(admin).host);
  prometheus = await startPrometheus({ folder, targets, everyMs });
  closers.push(() => prometheus.stop());
});

afterAll(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

test("every query of the dashboard returns data, and every rule is evaluated", async () => {
  await cutover("set", "checkout", "50", "--reason", "half", "--confirm=50");
  const queries = dashboardQueries();
  expect(queries.length).toBeGreaterThan(10);
  for (const { panel, expr } of queries) {
    await vi.waitFor(async () => {
      const samples = await prometheus.query(concrete(expr));
      expect(samples.length, `no data for ${panel}, seed ${seed}: ${expr}`).toBeGreaterThan(0);
      for (const { value } of samples) expect(value, `${panel}: ${expr}`).not.toBeNaN();
    }, soon);
  }
  for (const { query } of dashboardNames.flatMap((name) => readDashboard(name).templating.list)) {
    const [, metric = "", label = ""] = /^label_values\((\w+), (\w+)\)$/.exec(query.query) ?? [];
    expect(await prometheus.labelValues(label, metric)).toEqual(["checkout"]);
  }

  const rules = [...rulesOf("prometheus/rules.yml"), ...rulesOf("prometheus/alerts.yml")];
  for (const { expr } of rules) await prometheus.query(expr);
  for (const { record } of rules.filter((rule) => rule.record !== undefined)) {
    await vi.waitFor(async () => expect(await prometheus.query(`${record}`), record).not.toEqual([]), soon);
  }
  const evaluated = await prometheus.rules();
  expect(new Set(evaluated.map(({ name }) => name))).toEqual(
    new Set(rules.map(({ record, alert }) => record ?? alert)),
  );
  expect(evaluated.filter(({ health }) => health !== "ok")).toEqual([]);
});

test("the panels show what is so: both instances at one version, percent, state and both sides", async () => {
  await vi.waitFor(async () => {
    expect(await only("Percent set")).toBe(50);
    expect(await only("Instances up")).toBe(2);
    expect(await only("Store")).toBe(1);
    expect(labelsOf(await panel("State"), "state")).toEqual(["open"]);
    const versions = await panel("Version, by instance");
    expect(labelsOf(versions, "instance")).toEqual(proxies.map(({ admin }) => new URL(admin).host).sort());
    expect(new Set(versions.map(({ value }) => value))).toEqual(new Set([1]));
    expect(labelsOf(await panel("Requests a second, by side"), "side")).toEqual(["legacy", "new"]);
    for (const { value } of await panel("Error rate, by side")) expect(value).toBe(0);
    for (const { value } of await panel("p99 of duration, by side")) expect(value).toBeGreaterThan(0);
    const share = await only("Share that new serves");
    expect(share).toBeGreaterThan(0);
    expect(share).toBeLessThan(1);
  }, soon);
  expect(await prometheus.query("ALERTS")).toEqual([]);
});

test("a broken marketplace raises the first alert and no other cause's, and a rollback shows", async () => {
  const broken = await fetch(`${marketplaceControl}/faults`, { method: "POST", body: '{"failRate":1}' });
  expect(broken.status).toBe(200);
  await vi.waitFor(async () => {
    const alerts = await prometheus.query('ALERTS{alertname="CutoverNewSideErrors"}');
    expect(labelsOf(alerts, "cutover"), `seed ${seed}`).toEqual(["checkout"]);
  }, soon);
  const raised = labelsOf(await prometheus.query("ALERTS"), "alertname");
  expect(
    raised.filter(
      (name) => !/^Cutover((NewSide|Side)Errors|NewSideWorse|ErrorBudget(Fast|Slow))$/.test(name),
    ),
  ).toEqual([]);
  // The alert may come before the rate is at its height.
  await vi.waitFor(async () => {
    const rates = await panel("Error rate, by side");
    expect(rates.find(({ labels }) => labels.side === "new")?.value).toBeGreaterThan(0.1);
    expect(rates.find(({ labels }) => labels.side === "legacy")?.value).toBe(0);
  }, soon);

  await cutover("rollback", "checkout", "--reason", "errors on new");
  await vi.waitFor(async () => {
    expect(labelsOf(await panel("State"), "state")).toEqual(["rolled_back"]);
    expect(await only("Percent set")).toBe(0);
    // What Prometheus extrapolates over the range is at least the one there was.
    expect(await only("Rollbacks")).toBeGreaterThanOrEqual(1);
  }, soon);
});

test("a marketplace that accepts and never answers raises the alert of a hang, before an error rate shows it", async () => {
  await cutover("resume", "checkout", "--reason", "well again");
  await cutover("set", "checkout", "100", "--reason", "all", "--confirm=100");
  await fetch(`${marketplaceControl}/faults`, { method: "POST", body: '{"hang":true}' });
  await vi.waitFor(async () => {
    const alerts = await prometheus.query('ALERTS{alertname="CutoverSideHangs",alertstate="firing"}');
    expect(labelsOf(alerts, "side"), `seed ${seed}`).toEqual(["new"]);
  }, soon);
});

test("each instance's page of metrics passes promtool's check", async () => {
  for (const { admin } of proxies) {
    const page = await (await fetch(new URL("/metrics", admin))).text();
    const checked = spawnSync("promtool", ["check", "metrics"], { input: page, encoding: "utf8" });
    expect({ status: checked.status, said: checked.stdout + checked.stderr }).toEqual({
      status: 0,
      said: "",
    });
  }
});

/** The variables as Grafana fills them in. */
function concrete(expr: string): string {
  return expr
    .replaceAll("$cutover", "checkout")
    .replaceAll("$__rate_interval", "5s")
    .replaceAll("$__range", "15m");
}

async function panel(title: string): Promise<readonly Sample[]> {
  const [query] = dashboardQueries().filter((each) => each.panel === title);
  if (query === undefined) throw new Error(`no panel ${title}`);
  return await prometheus.query(concrete(query.expr));
}

async function only(title: string): Promise<number | undefined> {
  const samples = await panel(title);
  expect(samples, title).toHaveLength(1);
  return samples[0]?.value;
}

function labelsOf(samples: readonly Sample[], label: string): string[] {
  return [...new Set(samples.map(({ labels }) => labels[label] ?? ""))].sort();
}

async function cutover(...words: readonly string[]): Promise<void> {
  const env = { CUTOVER_ADMIN_URL: proxies[0]?.admin ?? "", CUTOVER_TOKEN: secret };
  const { code, stderr } = await runOnPaper(words, { env });
  expect(code, stderr).toBe(0);
}

/** The first line that says ready, as JSON. */
function readyLine(said: string): unknown {
  const line = said.split("\n").find((each) => each.includes('"msg":"ready"') && each.endsWith("}"));
  return line === undefined ? undefined : JSON.parse(line);
}

/** With the environment that the container has, but for the addresses. */
async function startShop(folder: string, name: string, callbackUrl = "") {
  const shared = readCompose().services[name]?.environment ?? {};
  const loopback = { HOST: "127.0.0.1", PORT: "0", CONTROL_HOST: "127.0.0.1", CONTROL_PORT: "0" };
  const running = await startProgram({
    command: process.execPath,
    words: ["dist/demo/shop-process.js"],
    cwd: checkout,
    env: { ...shared, ...loopback, CALLBACK_URL: callbackUrl },
    logPath: join(folder, `${name}.log`),
    ready: async (said) => readyLine(said),
  });
  closers.push(running.stop);
  return z.object({ url: z.string(), control: z.string() }).parse(readyLine(await running.said()));
}

/** The configuration that the containers share, with addresses of this machine in it. */
async function startProxy(
  folder: string,
  name: string,
  port: number,
  store: string,
  legacy: string,
  marketplace: string,
): Promise<Proxy> {
  const shared = z
    .record(z.string(), z.unknown())
    .parse(parse(await readFile(configFile("docker/cutover.yaml"), "utf8")));
  const path = join(folder, `${name}.yaml`);
  const own = {
    listeners: { proxy: { host: "127.0.0.1", port }, admin: { host: "127.0.0.1", port: 0 } },
    store,
    snapshot: join(folder, `${name}.snapshot.json`),
    upstreams: { "social-shop": { url: legacy }, marketplace: { url: marketplace } },
  };
  await writeFile(path, stringify({ ...shared, ...own }));
  const running = await startProgram({
    command: process.execPath,
    words: ["bin/cutover.js", "serve", "--config", path],
    cwd: checkout,
    env: {
      CUTOVER_OPERATOR_SHA256: createHash("sha256").update(secret).digest("hex"),
      CUTOVER_RESPONDER_SHA256: createHash("sha256").update(`${secret} of a responder`).digest("hex"),
    },
    logPath: join(folder, `${name}.log`),
    ready: async (said) => readyLine(said),
  });
  closers.push(running.stop);
  return z.object({ proxy: z.string(), admin: z.string() }).parse(readyLine(await running.said()));
}

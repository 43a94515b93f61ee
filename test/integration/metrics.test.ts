/**
 * Every metric that an instance exports is in docs/metrics.md, and what stands there is exported. The page is made here
 * (`npx vitest run test/integration/metrics.test.ts -u`) of what an instance with all its features tells, by itself.
 */
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { IncomingMessage } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { configSchema } from "../../src/config/schema.ts";
import { composeInstance, type Instance } from "../../src/instance/instance.ts";
import { createWorkerSum } from "../../src/instance/workers/metrics.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { type Authority, createAuthority } from "../support/certificates.ts";
import { checkout } from "../support/cutover.ts";
import { metricsPage, readFamilies } from "../support/metrics-page.ts";
import { type Sides, startSides } from "../support/sides.ts";

let folder: string;
let authority: Authority;
let sides: Sides;
let instance: Instance;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-metrics-"));
  authority = createAuthority();
  sides = await startSides();
  instance = await composeInstance(everything(), { version: "0.0.0", logLevel: "silent", accessLog: false });
});
afterAll(async () => {
  await instance.close();
  await sides.stop();
  authority.remove();
  await rm(folder, { recursive: true, force: true });
});

/** A configuration that leaves out nothing that has metrics. */
function everything() {
  const { cert, key } = authority.issue("localhost");
  const owners = [
    { key: "header:idempotency-key", ttl: "24h" },
    { key: ["param:orderId"], learn: ["json:/orderId"], ttl: "180d" },
  ];
  return configSchema.parse({
    listeners: { proxy: { port: 0, tls: { cert, key } }, admin: { port: 0 } },
    store: `file:${join(folder, "state.json")}`,
    snapshot: "off",
    spool: "off",
    audit: join(folder, "audit.log"),
    webhooks: [{ url: "https://ops.example/hook", secret: `whsec_${"a".repeat(32)}` }],
    lists: { pilots: {} },
    prometheus: "http://127.0.0.1:1",
    otlp: "http://127.0.0.1:1",
    upstreams: {
      old: { url: sides.legacy, breaker: {}, health: { path: "/" } },
      fresh: { url: sides.new },
    },
    default: "old",
    cutovers: {
      checkout: {
        legacy: "old",
        new: "fresh",
        shopper: ["header:x-shopper-id"],
        cohorts: [{ name: "pilots", when: { list: "pilots" }, percent: 0 }],
        routes: [
          { name: "cart", path: "/cart/*" },
          { name: "assets", path: "/assets/*", methods: ["GET"], orElse: "other" },
          { name: "checkout", path: "/checkout", methods: ["POST"], journey: "start" },
          { name: "pay", path: "/orders/:orderId/pay", methods: ["POST"], journey: "end", payment: true },
        ],
        journey: { cookie: "cutover_journey", secret: "a secret of sixteen" },
        owners: { keys: owners, store: `file:${join(folder, "owners.json")}` },
        cookies: { apart: ["sid"] },
        force: { header: "x-force", secrets: ["a".repeat(64)] },
        approval: { over: 10 },
        guard: {
          metrics: [{ name: "orders", query: 'up{side="$side"}', worse: "above", than: "legacy" }],
        },
        plan: {},
        deadline: { at: "2036-01-01T00:00:00Z", reason: "the law" },
        exposure: { maxOpenAmount: 1000, currency: "IDR", amount: "json:/amount" },
      },
    },
  });
}

async function scrape(): Promise<string> {
  const answer = await fetch(new URL("/metrics", instance.admin.url));
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return await answer.text();
}

/** What an instance with workers tells besides. */
async function ofWorkers(): Promise<string> {
  const metrics = createMetrics({
    cutovers: [],
    version: "0",
    contact: () => ({ up: true, stalenessMs: 0 }),
  });
  createWorkerSum({
    metrics,
    traffic: { hear: () => {}, gone: () => {} },
    tellings: { hear: () => {}, gone: () => {} },
    onLogLinesDropped: () => {},
  });
  return await metrics.registry.metrics();
}

test("the page of docs has every metric that is exported, and the other way round", async () => {
  const text = `${await scrape()}${await ofWorkers()}`;
  await expect(metricsPage(readFamilies(text))).toMatchFileSnapshot("../../docs/metrics.md");
});

test("a request is counted with its journey and its order, and its trace stands at its bucket", async () => {
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  const ask = async (method: string, path: string) => {
    const fields = { "x-shopper-id": "anna", traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
    const asked = request(new URL(path, instance.proxy.url), {
      method,
      headers: fields,
      ca: authority.caPem,
    });
    asked.end();
    const [answer] = z.tuple([z.instanceof(IncomingMessage)]).parse(await once(asked, "response"));
    answer.resume();
    await once(answer, "end");
    return answer.statusCode;
  };
  expect(await ask("POST", "/checkout")).toBe(201);
  const answer = await fetch(new URL("/metrics", instance.admin.url), {
    headers: { accept: "application/openmetrics-text; version=1.0.0" },
  });
  expect(answer.headers.get("content-type")).toBe(
    "application/openmetrics-text; version=1.0.0; charset=utf-8",
  );
  const page = await answer.text();
  const of = 'cutover="checkout",side="legacy"';
  expect(page).toContain(`\ncutover_journeys_started_total{${of},reason="bucket"} 1\n`);
  expect(page).toMatch(
    new RegExp(
      `^cutover_request_duration_seconds_bucket\\{${of},le="[\\d.]+"\\} 1 # \\{trace_id="${traceId}"\\} `,
      "m",
    ),
  );
  expect(page).toMatch(/^cutover_overhead_seconds_count\{cutover="checkout"\} 1$/m);
  expect(page).toMatch(/^cutover_certificate_expiry_timestamp_seconds\{used_by="proxy"\} \d+$/m);
});

test("no metric of the source is left out of it", async () => {
  const told = new Set(readFamilies(`${await scrape()}${await ofWorkers()}`).map(({ name }) => name));
  const source = join(checkout, "src");
  const named = readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => readFileSync(join(source, path), "utf8"))
    .filter((content) => /from "prom-client"|exposition\.ts"/.test(content))
    .flatMap((content) => [...content.matchAll(/"(cutover_[a-z0-9_]+)"/g)].map(([, name = ""]) => name));
  expect(named.length).toBeGreaterThan(80);
  expect([...new Set(named)].filter((name) => !told.has(name))).toEqual([]);
});

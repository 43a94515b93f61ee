import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { createAuditMetrics } from "../../../src/audit/metrics.ts";
import {
  createOwnershipMetrics,
  createUnderWayGauges,
  showOwnerStores,
} from "../../../src/ownership/metrics.ts";
import { createUpstreamMetrics } from "../../../src/proxy/upstream/metrics.ts";
import { createMetrics } from "../../../src/telemetry/metrics.ts";
import { configFile, dashboardQueries, rulesOf } from "../../support/monitoring-files.ts";

function promtool(...words: readonly string[]): string {
  return execFileSync("promtool", words, { encoding: "utf8", stdio: "pipe" });
}

const records = rulesOf("prometheus/rules.yml");
const alerts = rulesOf("prometheus/alerts.yml");

test("the configuration and the rules are valid, lint included", () => {
  promtool("check", "config", "--lint-fatal", configFile("prometheus/prometheus.yml"));
  promtool("check", "rules", "--lint-fatal", configFile("prometheus/rules.yml"));
  promtool("check", "rules", "--lint-fatal", configFile("prometheus/alerts.yml"));
});

test("the alerts fire when they should, and no traffic, chance or a short gap fires none", () => {
  promtool("test", "rules", configFile("prometheus/alerts.test.yml"));
}, 120_000);

test("every alert says how urgent it is, what happens, and what that means", () => {
  expect(alerts.length).toBeGreaterThan(0);
  for (const { alert, labels, annotations } of alerts) {
    expect(["critical", "warning"], alert).toContain(labels.severity);
    expect(annotations.summary, alert).toMatch(/\w/);
    expect(annotations.description, alert).toMatch(/\w{2,} \w{2,}/);
  }
});

test("every metric that a rule or a panel asks for is one the proxy exposes or a rule records", async () => {
  const metrics = createMetrics({
    cutovers: [{ name: "checkout", routes: ["cart"] }],
    version: "test",
    contact: () => ({ up: true, stalenessMs: 0, word: "OOM" }),
  });
  const none = { count: 0, atLeast: false, oldestStartedAt: undefined };
  const counts = { legacy: none, new: none };
  const figures = new Map([["checkout", { journeys: counts, orders: counts }]]);
  createUnderWayGauges(metrics.registry, async () => figures, Date.now);
  createOwnershipMetrics(metrics.registry, ["checkout"]);
  showOwnerStores(metrics.registry, () => new Map([["checkout", { up: true, word: "OOM" }]]));
  createAuditMetrics(metrics.registry, () => ({ up: true, waiting: 0, omitted: 0 }));
  createUpstreamMetrics(metrics.registry).watch("shop", () => {
    return { inFlight: 0, queued: 0, breaker: "closed", healthy: true };
  });
  const page = await metrics.render();
  const exposed = new Set([...page.matchAll(/^([a-z_]+)[{ ]/gm)].map(([, name]) => name));
  const recorded = new Set(records.map(({ record }) => record));
  const expressions = [...records, ...alerts, ...dashboardQueries()].map(({ expr }) => expr);
  const asked = new Set(expressions.flatMap((expr) => expr.match(/\bcutover[_:][a-z0-9_:]+/g) ?? []));
  expect(asked.size).toBeGreaterThan(10);
  for (const name of asked) expect(exposed.has(name) || recorded.has(name), name).toBe(true);
});

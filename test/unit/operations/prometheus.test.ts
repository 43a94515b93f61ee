import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { createAuditMetrics } from "../../../src/audit/metrics.ts";
import {
  createOwnershipMetrics,
  createUnderWayGauges,
  showOwnerStores,
} from "../../../src/ownership/metrics.ts";
import { createUpstreamMetrics } from "../../../src/proxy/upstream/metrics.ts";
import { createMetrics } from "../../../src/telemetry/metrics.ts";
import { createTraffic } from "../../../src/telemetry/traffic/traffic.ts";
import { checkout } from "../../support/cutover.ts";
import { configFile, dashboardQueries, rulesOf } from "../../support/monitoring-files.ts";

function promtool(...words: readonly string[]): string {
  return execFileSync("promtool", words, { encoding: "utf8", stdio: "pipe" });
}

const runbooks = join(checkout, "docs/runbooks");
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

test("every alert links to a page of its own, and every page is of an alert and in the index", () => {
  const pages = readdirSync(runbooks).filter((file) => /^Cutover\w+\.md$/.test(file));
  expect(pages.sort()).toEqual(alerts.map(({ alert }) => `${alert}.md`).sort());
  const index = readFileSync(join(runbooks, "README.md"), "utf8");
  for (const { alert, annotations } of alerts) {
    expect(annotations.runbook_url).toBe(`docs/runbooks/${alert}.md`);
    const [title, ...text] = readFileSync(join(runbooks, `${alert}.md`), "utf8").split("\n");
    expect(title).toBe(`# ${alert}`);
    expect(text.join("\n"), `${alert}: something to type`).toMatch(/^```sh$/m);
    expect(index, alert).toContain(`(${alert}.md)`);
  }
});

test("every link in the runbooks and in README leads to a file and a heading that are there", () => {
  const anchorsOf = (path: string) =>
    [...readFileSync(path, "utf8").matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, "")
        .replace(/ /g, "-"),
    );
  const documents = [
    join(checkout, "README.md"),
    ...readdirSync(runbooks).map((file) => join(runbooks, file)),
  ];
  for (const path of documents) {
    for (const [link, target = ""] of readFileSync(path, "utf8").matchAll(/\]\((?!http)([^)]+)\)/g)) {
      const [file = "", anchor] = target.split("#");
      const to = file === "" ? path : join(dirname(path), file);
      expect(existsSync(to), `${path}: ${link}`).toBe(true);
      if (anchor !== undefined) expect(anchorsOf(to), `${path}: ${link}`).toContain(anchor);
    }
  }
});

test("every metric that a rule or a panel asks for is one the proxy exposes or a rule records", async () => {
  const metrics = createMetrics({
    cutovers: [{ name: "checkout", routes: ["cart"], journeys: true, payments: true }],
    version: "test",
    contact: () => ({ up: true, stalenessMs: 0, word: "OOM" }),
    traffic: createTraffic({ cutovers: ["checkout"], clock: { now: () => 0, monotonic: () => 0 } }),
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

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { checkout } from "../support/cutover.ts";
import { casesOf, configFile, dashboardQueries, rulesOf } from "../support/monitoring-files.ts";

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

test.each(["alerts", "standing"])(
  "the alerts of %s.test.yml fire when they should, and no traffic, chance or a short gap fires none",
  (file) => {
    promtool("test", "rules", configFile(`prometheus/${file}.test.yml`));
  },
  300_000,
);

test("every alert is seen to fire, and not to fire", () => {
  const cases = ["alerts", "standing"].flatMap((file) => casesOf(`prometheus/${file}.test.yml`));
  for (const { alert = "" } of alerts) {
    const own = cases.filter(({ alertname }) => alertname === alert);
    expect(
      own.some(({ exp_alerts }) => exp_alerts.length > 0),
      `${alert} fires`,
    ).toBe(true);
    // Where it fires for one, it has to be silent for another.
    const silent = own.some(
      ({ exp_alerts, series }) => exp_alerts.length === 0 || series > exp_alerts.length,
    );
    expect(silent, `${alert} is silent`).toBe(true);
  }
});

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

test("every metric that a rule or a panel asks for is one the proxy exposes (docs/metrics.md) or a rule records", () => {
  const page = readFileSync(join(checkout, "docs/metrics.md"), "utf8");
  const exposed = new Set<string>();
  for (const [, name = "", type] of page.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)) {
    const ends = type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
    for (const end of ends) exposed.add(name + end);
  }
  const recorded = new Set(records.map(({ record }) => record));
  const expressions = [...records, ...alerts, ...dashboardQueries()].map(({ expr }) => expr);
  const asked = new Set(expressions.flatMap((expr) => expr.match(/\bcutover[_:][a-z0-9_:]+/g) ?? []));
  expect(asked.size).toBeGreaterThan(10);
  for (const name of asked) expect(exposed.has(name) || recorded.has(name), name).toBe(true);
});

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import {
  configFile,
  type Dashboard,
  dashboardNames,
  readDashboard,
  readDatasources,
} from "../../support/monitoring-files.ts";

describe.each(dashboardNames)("the dashboard %s", (name) => {
  const dashboard = readDashboard(name);

  test("every panel asks the provisioned datasource, and Grafana can tell them apart", () => {
    const uids = readDatasources().map(({ uid }) => uid);
    const used = [...dashboard.panels, ...dashboard.templating.list].map(({ datasource }) => datasource.uid);
    expect(new Set(used)).toEqual(new Set(uids));
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { targets, title } of dashboard.panels) {
      expect(targets.length, title).toBeGreaterThan(0);
      expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length);
    }
  });

  test("panels lie within Grafana's 24 columns and on top of none", () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.get(`${x},${y}`), `${title} lies on another panel`).toBeUndefined();
          taken.set(`${x},${y}`, title);
        }
      }
    }
  });

  test("legacy is a solid blue line and new a dashed orange one, wherever the sides are drawn", () => {
    const bySide = dashboard.panels.filter(({ title }) => title.endsWith("by side"));
    expect(bySide.length).toBeGreaterThanOrEqual(1);
    for (const panel of bySide) {
      expect(styleOf(panel, "legacy"), panel.title).toEqual({ color: "#0072B2", fill: "solid" });
      expect(styleOf(panel, "new"), panel.title).toEqual({ color: "#E69F00", fill: "dash" });
    }
  });

  test("every query of a cutover's series is narrowed to the chosen one", () => {
    const ofInstances =
      /cutover_(store_[a-z_]+|upstream_[a-z_]+|instances|propagation_[a-z_]+|changes_total|admin_[a-z_]+|config_hash)/;
    for (const { title, targets } of dashboard.panels) {
      for (const { expr } of targets) {
        const selectors = expr.match(/cutover_[a-z_]+(\{[^}]*\})?/g) ?? [];
        for (const selector of selectors.filter((each) => !ofInstances.test(each))) {
          expect(selector, title).toContain('cutover="$cutover"');
        }
      }
    }
  });
});

test.each(["responder", "sre"] as const)("what a %s needs is on one screen", (name) => {
  const lowest = Math.max(...readDashboard(name).panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  // 1080 pixels less the frames of browser and Grafana, at 38 a row.
  expect(lowest).toBeLessThanOrEqual(24);
});

test("dashboards can be told apart", () => {
  expect(new Set(dashboardNames.map((name) => readDashboard(name).uid)).size).toBe(dashboardNames.length);
  const files = readdirSync(configFile("grafana/dashboards")).sort();
  expect(files).toEqual(dashboardNames.map((name) => `${name}.json`));
});

test("what an operator must see at a glance is there", () => {
  const titles = readDashboard("cutover")
    .panels.map(({ title }) => title)
    .join("\n");
  for (const subject of [/^State$/m, /Percent set, and the share/, /Error rate, by side/, /p99.* by side/]) {
    expect(titles).toMatch(subject);
  }
  for (const subject of [/Requests a second, by side/, /Version, by instance/, /store/i, /Rollbacks/]) {
    expect(titles).toMatch(subject);
  }
});

test("Grafana is told where the dashboards lie", () => {
  const text = readFileSync(configFile("grafana/provisioning/dashboards/cutover.yml"), "utf8");
  const { providers } = z
    .object({ providers: z.array(z.object({ options: z.object({ path: z.string() }) })) })
    .parse(parse(text));
  expect(providers.map(({ options }) => options.path)).toEqual(["/var/lib/grafana/dashboards"]);
});

const colour = z.object({ fixedColor: z.string() });
const lineStyle = z.object({ fill: z.string() });

function styleOf(panel: Dashboard["panels"][number], series: string): { color: string; fill: string } {
  const found = panel.fieldConfig.overrides.find(({ matcher }) => matcher.options === series);
  const value = (id: string) => found?.properties.find((property) => property.id === id)?.value;
  return {
    color: colour.parse(value("color")).fixedColor,
    fill: lineStyle.parse(value("custom.lineStyle")).fill,
  };
}

/** What config/prometheus and config/grafana ask of Prometheus, read from the files themselves. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { z } from "zod";

export function configFile(path: string): string {
  return fileURLToPath(new URL(`../../config/${path}`, import.meta.url));
}

function read(path: string): string {
  return readFileSync(configFile(path), "utf8");
}

const ruleFile = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          record: z.string().optional(),
          alert: z.string().optional(),
          expr: z.string(),
          labels: z.record(z.string(), z.string()).default({}),
          annotations: z.record(z.string(), z.string()).default({}),
        }),
      ),
    }),
  ),
});

export type Rule = z.output<typeof ruleFile>["groups"][number]["rules"][number];

/** @param path below config/ */
export function rulesOf(path: string): readonly Rule[] {
  return ruleFile.parse(parse(read(path))).groups.flatMap(({ rules }) => rules);
}

const ruleTests = z.object({
  tests: z.array(
    z.object({
      input_series: z.array(z.object({ series: z.string() })),
      alert_rule_test: z
        .array(z.object({ alertname: z.string(), exp_alerts: z.array(z.unknown()) }))
        .default([]),
    }),
  ),
});

/** What is expected of alerts, each with how many series there were. @param path below config/ */
export function casesOf(path: string) {
  return ruleTests
    .parse(parse(read(path)))
    .tests.flatMap(({ input_series, alert_rule_test }) =>
      alert_rule_test.map((expected) => ({ ...expected, series: input_series.length })),
    );
}

const override = z.object({
  matcher: z.object({ id: z.string(), options: z.string() }),
  properties: z.array(z.object({ id: z.string(), value: z.unknown() })),
});

const dashboard = z.object({
  uid: z.string(),
  schemaVersion: z.number(),
  templating: z.object({
    list: z.array(
      z.object({
        name: z.string(),
        query: z.object({ query: z.string() }),
        datasource: z.object({ uid: z.string() }),
      }),
    ),
  }),
  panels: z.array(
    z.object({
      id: z.int(),
      title: z.string(),
      type: z.string(),
      gridPos: z.object({ x: z.int(), y: z.int(), w: z.int(), h: z.int() }),
      datasource: z.object({ type: z.literal("prometheus"), uid: z.string() }),
      targets: z.array(
        z.object({ refId: z.string(), expr: z.string(), legendFormat: z.string().optional() }),
      ),
      fieldConfig: z.object({ overrides: z.array(override) }),
    }),
  ),
});

export type Dashboard = z.output<typeof dashboard>;

/** All of them: everything of a cutover, a responder's screen, an SRE's. */
export const dashboardNames = ["cutover", "responder", "sre"] as const;

export function readDashboard(name: (typeof dashboardNames)[number]): Dashboard {
  return dashboard.parse(JSON.parse(read(`grafana/dashboards/${name}.json`)));
}

export interface DashboardQuery {
  readonly panel: string;
  readonly expr: string;
}

export function dashboardQueries(): readonly DashboardQuery[] {
  return dashboardNames.flatMap((name) =>
    readDashboard(name).panels.flatMap(({ title, targets }) =>
      targets.map(({ expr }) => ({ panel: title, expr })),
    ),
  );
}

const datasources = z.object({
  datasources: z.array(z.object({ uid: z.string(), type: z.string(), url: z.string() })),
});

export function readDatasources(): z.output<typeof datasources>["datasources"] {
  return datasources.parse(parse(read("grafana/provisioning/datasources/prometheus.yml"))).datasources;
}

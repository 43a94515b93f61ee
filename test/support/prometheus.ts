/** A real Prometheus with this package's own configuration and rules, on a free port, for other targets. */
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { checkout } from "./cutover.ts";
import { freePort } from "./free-port.ts";
import { startProgram } from "./processes.ts";

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface RuleState {
  readonly name: string;
  readonly health: string;
  /** How an alert stands: `inactive`, `pending` or `firing`. */
  readonly state: string | undefined;
}

export interface Prometheus {
  readonly url: string;
  /** @throws Error with what Prometheus says when it refuses the expression */
  query(expr: string): Promise<readonly Sample[]>;
  /** Values of a label among the series of a metric. */
  labelValues(label: string, metric: string): Promise<readonly string[]>;
  /** The rules as Prometheus sees them after an evaluation of all of them. */
  rules(): Promise<readonly RuleState[]>;
  stop(): Promise<number | null>;
}

export interface PrometheusOptions {
  /** A folder of the test's own. */
  readonly folder: string;
  /** `HOST:PORT` each, in place of the configured ones. */
  readonly targets: readonly string[];
  /** How often it scrapes and evaluates; in ms. */
  readonly everyMs: number;
}

const configuration = z.object({
  global: z.object({
    scrape_interval: z.string(),
    scrape_timeout: z.string(),
    evaluation_interval: z.string(),
  }),
  rule_files: z.array(z.string()),
  scrape_configs: z.tuple([
    z.object({ job_name: z.string(), static_configs: z.array(z.object({ targets: z.array(z.string()) })) }),
  ]),
});
const answer = z.object({ status: z.string(), error: z.string().optional(), data: z.unknown() });
const sampleValue = z.tuple([z.number(), z.string()]);
const result = z.discriminatedUnion("resultType", [
  z.object({
    resultType: z.literal("vector"),
    result: z.array(z.object({ metric: z.record(z.string(), z.string()), value: sampleValue })),
  }),
  z.object({ resultType: z.literal("scalar"), result: sampleValue }),
]);
const ruleGroups = z.object({
  groups: z.array(
    z.object({
      rules: z.array(z.object({ name: z.string(), health: z.string(), state: z.string().optional() })),
    }),
  ),
});

export async function startPrometheus({ folder, targets, everyMs }: PrometheusOptions): Promise<Prometheus> {
  const configFolder = join(folder, "prometheus");
  await cp(join(checkout, "config/prometheus"), configFolder, { recursive: true });
  const configPath = join(configFolder, "prometheus.yml");
  const { global, scrape_configs, ...config } = configuration.parse(
    parse(await readFile(configPath, "utf8")),
  );
  const interval = `${everyMs}ms`;
  const changed = {
    ...config,
    global: { ...global, scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    scrape_configs: [{ ...scrape_configs[0], static_configs: [{ targets }] }],
  };
  await writeFile(configPath, stringify(changed));

  const url = `http://127.0.0.1:${await freePort()}`;
  const program = await startProgram({
    command: "prometheus",
    words: [
      `--config.file=${configPath}`,
      `--storage.tsdb.path=${join(folder, "tsdb")}`,
      `--web.listen-address=${new URL(url).host}`,
    ],
    cwd: folder,
    logPath: join(folder, "prometheus.log"),
    ready: async () => ((await fetch(`${url}/-/ready`)).ok ? "ready" : undefined),
  });

  async function ask(path: string, parameters: Readonly<Record<string, string>> = {}): Promise<unknown> {
    const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const { status, error, data } = answer.parse(await response.json());
    if (status !== "success") throw new Error(`${error}: ${Object.values(parameters).join(" ")}`);
    return data;
  }

  return {
    url,
    async query(expr) {
      const read = result.parse(await ask("query", { query: expr }));
      if (read.resultType === "scalar") return [{ labels: {}, value: Number(read.result[1]) }];
      return read.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
    },
    async labelValues(label, metric) {
      return z.array(z.string()).parse(await ask(`label/${label}/values`, { "match[]": metric }));
    },
    async rules() {
      for (;;) {
        const { groups } = ruleGroups.parse(await ask("rules"));
        const rules = groups.flatMap((group) => group.rules);
        if (rules.every(({ health }) => health !== "unknown")) {
          return rules.map(({ name, health, state }) => ({ name, health, state }));
        }
        await sleep(20);
      }
    },
    stop: program.stop,
  };
}

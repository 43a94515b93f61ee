/** The page of docs about metrics, made of what an instance exports. */
import { z } from "zod";

interface MetricFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  /** The values of each label as far as they were seen. */
  readonly labels: ReadonlyMap<string, ReadonlySet<string>>;
}

/** @param text in the text format */
export function readFamilies(text: string): MetricFamily[] {
  const families = new Map<string, MetricFamily>();
  for (const [, name = "", help = ""] of text.matchAll(/^# HELP (\w+) (.*)$/gm)) {
    const [, type = ""] = new RegExp(`^# TYPE ${name} (\\w+)$`, "m").exec(text) ?? [];
    families.set(name, { name, type, help, labels: labelsOf(text, name, type) });
  }
  return [...families.values()];
}

function labelsOf(text: string, name: string, type: string): MetricFamily["labels"] {
  const labels = new Map<string, Set<string>>();
  const ends = type === "histogram" ? "_bucket" : "";
  for (const [, pairs = ""] of text.matchAll(new RegExp(`^${name}${ends}\\{(.*)\\} `, "gm"))) {
    for (const [, label = "", value = ""] of pairs.matchAll(/(\w+)="([^"]*)"/g)) {
      if (label === "le" || label === "quantile") continue;
      labels.set(label, (labels.get(label) ?? new Set()).add(value));
    }
  }
  return labels;
}

/** Its labels are of the machine and of what has happened. */
const theProcess = "The process";

/** In this order; a metric is of the first whose pattern its name has. */
const sections = [
  [theProcess, /^(process|nodejs)_/],
  [
    "Requests",
    /^cutover_(requests|request_|route_|responses|inflight|decisions|overhead|or_else|near_paths|unread_choices|unknown_documents|apart_|upgraded|client_conn|proxy_protocol|force_)/,
  ],
  [
    "Journeys, orders and money",
    /^cutover_(journey|payments|open_|oldest_|unfinished|exposure|requests_in_doubt|past_)/,
  ],
  [
    "How cutovers stand",
    /^cutover_(percent|cohort_percent|state|last_change|rollbacks|maintenance|changes|propagation|proposals|list_)/,
  ],
  ["Guard and plan", /^cutover_(guard|plan|deadline|raise)/],
  ["Owners", /^cutover_owner/],
  ["Upstreams", /^cutover_upstream/],
  ["The store", /^cutover_store/],
  ["Instances, access and what is told", /^cutover_/],
] as const;

export function sectionOf(name: string): string {
  // What is in doubt is asked for after the requests proper.
  const found = name.startsWith("cutover_requests_in_doubt")
    ? "Journeys, orders and money"
    : sections.find(([, pattern]) => pattern.test(name))?.[0];
  return z.string({ error: `no section for ${name}` }).parse(found);
}

/** Labels whose values are names of the configuration or of the machine, and no words of this program. */
const named = new Set([
  "cutover",
  "route",
  "upstream",
  "cohort",
  "list",
  "metric",
  "webhook",
  "used_by",
  "instance_id",
  "name",
  "address",
  "pid",
  "version",
  "word",
]);
/** Of metrics that have no series while all is well. */
const unseen: Readonly<Record<string, readonly string[]>> = {
  cutover_store_refusal: ["word"],
  cutover_owner_store_refusal: ["cutover", "word"],
};

export function metricsPage(families: readonly MetricFamily[]): string {
  const rows = (title: string) =>
    families
      .filter(({ name }) => sectionOf(name) === title)
      .sort((one, other) => (one.name < other.name ? -1 : 1))
      .map(({ name, type, help, labels }) => {
        const seen = title === theProcess ? [] : [...labels];
        const words = seen.map(([label, values]) =>
          named.has(label)
            ? `\`${label}\``
            : `\`${label}\`: ${[...values].map((value) => `\`${value}\``).join(" ")}`,
        );
        for (const label of unseen[name] ?? []) words.push(`\`${label}\``);
        return `| \`${name}\` | ${type} | ${words.join("<br>")} | ${help.replaceAll("|", "\\|")} |`;
      });
  const parts = sections
    .slice(1)
    .concat(sections.slice(0, 1))
    .map(
      ([title]) =>
        `## ${title}\n\n| metric | type | labels | what it says |\n|---|---|---|---|\n${rows(title).join("\n")}\n`,
    );
  return `# Metrics

Every metric that an instance exports, with the labels it has and the words that stand in them. This page is made of what a running instance tells (\`npx vitest run test/integration/metrics.test.ts -u\`), and a test holds it to that.

- \`GET /metrics\` of the admin listener answers in Prometheus' text format, and in OpenMetrics where \`Accept\` asks for it, as Prometheus does. There a bucket of \`cutover_request_duration_seconds\` carries the \`trace_id\` of the last request that came to it, of those whose \`traceparent\` says that the trace is kept.
- Labels are names of the configuration and words of fixed lists: never a path, a shopper or an order. What is configured is there from the start, at 0. Requests of no cutover have \`cutover="none"\` and \`side="none"\`; a \`side="none"\` of a cutover appears with the first request that was refused, or given up, before its side was chosen.
- With [workers](operations.md#stop-reload-restart) their counts are added up in the process that is scraped, what a worker counted stays when it is gone, and no counter goes backwards. A reload keeps them too.
- Some figures are of the whole fleet and the same on every instance, as their text says: take their \`max\`, not their \`sum\`.
- The rules and alerts that are shipped (\`config/prometheus\`) ask for these alone, and so do the dashboards (\`config/grafana\`); each alert has [its page](runbooks/README.md).

${parts.join("\n")}`;
}

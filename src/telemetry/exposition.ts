/**
 * The Prometheus text format, version 0.0.4, and OpenMetrics 1.0.0, as far as they are needed here.
 *
 * Why not prom-client for these: it walks every label of every series at each scrape. For 100 cutovers of 10
 * routes that was 41–64 ms of blocked event loop; joining numbers to label text made once is a fraction of it.
 * prom-client keeps the metrics of the process and whatever else is small.
 */
import { setImmediate } from "node:timers/promises";
import type { Metric, Registry } from "prom-client";

export const formats = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
} as const;
export type Format = keyof typeof formats;

const types = ["counter", "gauge", "histogram", "summary"] as const;

export interface Family {
  readonly name: string;
  readonly type: (typeof types)[number];
  /** An exact sentence: what is counted, and when. */
  readonly help: string;
  /** The samples of now, one a line. What has many gives them as they are asked for. */
  samples(format: Format): Iterable<string>;
}

/** The two lines in front of a family's samples, in the text format. */
function familyHead({ name, type, help }: Pick<Family, "name" | "type" | "help">): string {
  const escaped = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return `# HELP ${name} ${escaped}\n# TYPE ${name} ${type}`;
}

/**
 * Of a counter OpenMetrics names the family without what its samples end in, and it has quotes escaped in the help.
 *
 * @param text in the text format: a family's help, its type, and what samples follow
 */
function openMetricsOf(text: string): string {
  const named = text.replace(/^(# HELP \w+)_total (.*)\n(# TYPE \w+)_total counter/, "$1 $2\n$3 counter");
  return named.replace(/^# HELP .*/, (help) => help.replaceAll('"', '\\"'));
}

/** The last line of a page of OpenMetrics, without which it counts as cut off. */
const openMetricsEnd = "# EOF\n";

/** What follows the value of a bucket: one of its requests. @param traceId hexadecimal @param atMs since the epoch */
export function exemplarText(traceId: string, seconds: number, atMs: number): string {
  return ` # {trace_id="${traceId}"} ${seconds} ${(atMs / 1000).toFixed(3)}`;
}

/** @param accept the request's field @returns what it asks for; text where it does not say (RFC 9110 §12.5.1) */
export function formatFor(accept: string | undefined): Format {
  let [open, text] = [0, 0];
  for (const item of (accept ?? "").split(",")) {
    const [type = "", ...parameters] = item.split(";").map((part) => part.trim().toLowerCase());
    const given = parameters.find((each) => each.startsWith("q="));
    const weight = given === undefined ? 1 : Number(given.slice(2)) || 0;
    if (type === "application/openmetrics-text") open = Math.max(open, weight);
    else if (type === "text/plain") text = Math.max(text, weight);
  }
  return open > 0 && open >= text ? "openMetrics" : "text";
}

/** `name="value",…` without the braces. */
export function labelPairs(labels: Readonly<Record<string, string | number | undefined>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeLabelValue(`${value}`)}"`)
    .join(",");
}

function escapeLabelValue(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

export function sampleValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return `${value}`;
}

/** So many lines take a fraction of a millisecond. */
const linesAtOnce = 500;
/** How long the event loop is kept from its other work. A turn of a busy one takes as long: a page must not ask for many. */
const turnMs = 2;

/** Lets the event loop turn where it has not for a while. */
type Breathe = () => Promise<void>;

function createBreathing(): Breathe {
  let since = performance.now();
  return async () => {
    if (performance.now() - since < turnMs) return;
    await setImmediate();
    since = performance.now();
  };
}

/**
 * The whole page: the families, then what prom-client keeps.
 *
 * @returns its parts, to be sent one after another: making one text of 5 MiB is memory fetched anew, which kept the event
 *   loop for 20 ms on a slow machine
 */
export async function renderPage(
  families: readonly Family[],
  registry: Registry,
  format: Format,
): Promise<readonly string[]> {
  const parts: string[] = [];
  const breathe = createBreathing();
  for (const family of families) await renderFamily(family, format, parts, breathe);
  for (const family of await collected(registry, breathe)) await renderFamily(family, format, parts, breathe);
  if (format === "openMetrics") parts.push(openMetricsEnd);
  return parts;
}

/**
 * What prom-client keeps, by the values of now. Metrics that ask a store ask it at the same time: several of one subject share
 * an answer. Their texts are made after that, one after another: prom-client would make all of them in one turn.
 */
async function collected(registry: Registry, breathe: Breathe): Promise<readonly Family[]> {
  const asked: Promise<Family>[] = [];
  for (const { name } of registry.getMetricsAsArray()) {
    const metric = registry.getSingleMetric(name);
    if (metric === undefined) continue;
    const family = metric.get().then(familyOf);
    // Of one that fails it is told below.
    family.catch(() => undefined);
    asked.push(family);
    await breathe();
  }
  return await Promise.all(asked);
}

type Collected = Awaited<ReturnType<Metric["get"]>>;

function familyOf({ name, help, type, values }: Collected): Family {
  return {
    name,
    help,
    // Its declaration says a number of an enumeration that is not there.
    type: types.find((each) => each === `${type}`) ?? "gauge",
    *samples() {
      for (const sample of values) {
        const own = "metricName" in sample ? sample.metricName : undefined;
        const labels = labelPairs(sample.labels);
        yield `${own ?? name}${labels === "" ? "" : `{${labels}}`} ${sampleValue(sample.value)}`;
      }
    },
  };
}

async function renderFamily(
  family: Family,
  format: Format,
  parts: string[],
  breathe: Breathe,
): Promise<void> {
  const head = familyHead(family);
  let lines = [format === "text" ? head : openMetricsOf(head)];
  for (const line of family.samples(format)) {
    lines.push(line);
    if (lines.length < linesAtOnce) continue;
    lines.push("");
    parts.push(lines.join("\n"));
    lines = [];
    await breathe();
  }
  if (lines.length > 0) parts.push(`${lines.join("\n")}\n`);
  await breathe();
}

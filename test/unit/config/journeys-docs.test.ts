/** The examples of docs/journeys.md are configurations: they load, and do what the page says of them. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readConfig } from "../../../src/config/load/load.ts";
import type { Config } from "../../../src/config/schema.ts";
import { countsOrders } from "../../../src/proxy/orders.ts";

const text = readFileSync(new URL("../../../docs/journeys.md", import.meta.url), "utf8");
const [head = "", ...examples] = [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(
  ([, yaml = ""]) => yaml,
);
const titles = [...text.matchAll(/^### (.*)$/gm)].map(([, title = ""]) => title);

function load(example: string): Config {
  const loaded = readConfig(Buffer.from(head + example), "docs/journeys.md", {});
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  // Each example leaves the rest of its shop with legacy, and says so (journeys.md).
  expect(loaded.warnings.map(({ path }) => path)).toEqual(["default"]);
  return loaded.config;
}

test("the page has an example for browsers, an app, both, callbacks and GraphQL", () => {
  expect(titles).toEqual([
    "Browsers only",
    "An app only",
    "Both",
    "Callbacks of a payment provider",
    "One path for everything",
  ]);
  expect(examples).toHaveLength(titles.length);
});

test.each(titles.map((title, at) => [title, examples[at] ?? ""]))(
  "%s: loads without a warning but that the rest stays with legacy",
  (_, example) => {
    const { checkout } = load(example).cutovers;
    if (checkout === undefined) throw new Error("no cutover checkout");
    expect(checkout.journey).toBeDefined();
    expect(countsOrders(checkout)).toBe(true);
    const ends = checkout.routes.filter(({ journey }) => journey?.end !== undefined);
    expect(ends.map(({ payment }) => payment)).toEqual([true]);
  },
);

test("what the page names, of metrics and words of the configuration, there is", () => {
  const sources = ["ownership/metrics.ts"]
    .map((path) => readFileSync(new URL(`../../../src/${path}`, import.meta.url), "utf8"))
    .join("\n");
  const metrics = new Set(text.match(/\bcutover_[a-z_]+/g));
  expect(metrics.size).toBeGreaterThan(8);
  for (const name of metrics) expect(sources, name).toContain(`"${name}"`);
});

/** What a process loads that does not ask for it (docs/decisions/0012-one-bundle.md). */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkout } from "../../support/cutover.ts";

const dist = join(checkout, "dist");
const textOf = (file: string) => readFileSync(join(dist, file), "utf8");

/** The files that come with one, whether asked for or not. */
function loadedWith(file: string, known = new Set<string>()): ReadonlySet<string> {
  if (known.has(file)) return known;
  known.add(file);
  for (const [, name = ""] of textOf(file).matchAll(/^(?:import|export)\b[^;]*?"\.\/([\w.-]+\.js)";$/gm)) {
    loadedWith(name, known);
  }
  return known;
}

test("what traces stands in a chunk that only a configuration with a collector loads", () => {
  const files = readdirSync(dist).filter((file) => file.endsWith(".js"));
  const tracing = files.filter((file) => /OTLPTraceExporter|@opentelemetry\/sdk-trace/.test(textOf(file)));
  expect(tracing).toHaveLength(1);
  const instance = files.find((file) => file.startsWith("instance-")) ?? "";
  for (const entry of ["main.js", "worker.js", instance]) {
    const loaded = loadedWith(entry);
    expect(loaded.size, entry).toBeGreaterThan(2);
    expect(
      [...loaded].filter((file) => tracing.includes(file)),
      entry,
    ).toEqual([]);
  }
});

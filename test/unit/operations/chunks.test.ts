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

test("what is loaded as it is needed has its names: built, apply said that LineCounter is not a constructor", () => {
  const files = readdirSync(dist).filter((file) => file.endsWith(".js"));
  // A package in CommonJS, as the bundler makes a file of it, exports it whole and nothing by name.
  const nameless = files.filter((file) => /^export default require_\w+\(\);$/m.test(textOf(file)));
  const asked = files.flatMap((file) =>
    [...textOf(file).matchAll(/const \{[^}]*\} = await import\("\.\/([\w.-]+\.js)"\)/g)].map(
      ([, name = ""]) => name,
    ),
  );
  expect(asked.length).toBeGreaterThan(0);
  expect(asked.filter((name) => nameless.includes(name))).toEqual([]);
});

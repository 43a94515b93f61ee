import fc from "fast-check";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { replaceAt } from "../../../src/config/load/issues.ts";
import { type LoadResult, readConfig } from "../../../src/config/load/load.ts";
import { formatProblem } from "../../../src/config/load/problems.ts";
import { validConfig, valuesOf } from "./arbitrary.ts";

const seed = Number(process.env.SEED ?? Date.now());
/** CUTOVER_BARS=full: as many as these; a third of them without it. */
const runs = (full: number) => (process.env.CUTOVER_BARS === "full" ? full : Math.ceil(full / 3));
const settings = { seed, verbose: 1, numRuns: runs(200) } as const;
const said = `SEED=${seed}`;

function readText(text: string): LoadResult {
  return readConfig(new TextEncoder().encode(text), "c.yaml", {});
}

/** Block style, flow style, or JSON: the same configuration in other places. */
const style = fc.constantFrom<(value: unknown) => string>(
  (value) => stringify(value),
  (value) => stringify(value, { indent: 4, defaultStringType: "QUOTE_DOUBLE", lineWidth: 0 }),
  (value) => stringify(value, { collectionStyle: "flow" }),
  (value) => JSON.stringify(value, undefined, 1),
);

function positionOf(text: string, marker: string): { line: number; column: number } {
  const before = text.slice(0, text.indexOf(marker)).split("\n");
  const last = before.at(-1) ?? "";
  // A quote belongs to the value.
  return { line: before.length, column: last.replace(/["']$/, "").length + 1 };
}

function printed(result: LoadResult): string[] {
  return result.ok ? [] : result.problems.map(formatProblem);
}

test("every valid configuration loads", () => {
  fc.assert(
    fc.property(validConfig, style, (config, print) => {
      expect(printed(readText(print(config))), said).toEqual([]);
    }),
    settings,
  );
});

test("an unknown key, wherever it stands, is refused at the key", () => {
  const marker = "zz_marker";
  const property = fc.property(validConfig, style, fc.nat(), (config, print, pick) => {
    const mappings = valuesOf(config).filter(({ value, path }) => {
      // Mappings whose keys are names of their own.
      const named = ["upstreams", "cutovers", "auth.oidc.roles", "auth.oidc.cli.parameters"];
      const isOfFields = path[2] === "rewrite" && ["set", "add"].includes(String(path[4]));
      const isNamed = isOfFields || named.includes(path.join("."));
      return typeof value === "object" && !Array.isArray(value) && !isNamed;
    });
    const target = mappings[pick % mappings.length];
    if (target === undefined) throw new Error("no mapping");
    const text = print(replaceAt(config, [...target.path, marker], "x"));
    const result = readText(text);
    expect(printed(result), said).toHaveLength(1);
    expect(result.ok ? [] : result.problems, said).toMatchObject([
      { ...positionOf(text, marker), path: expect.stringContaining(marker) },
    ]);
  });
  fc.assert(property, settings);
});

test("a value of a wrong type, wherever it stands, is refused at the value", () => {
  const property = fc.property(validConfig, style, fc.nat(), (config, print, pick) => {
    const values = valuesOf(config).filter(({ path }) => path.length > 0);
    const target = values[pick % values.length];
    if (target === undefined) throw new Error("no value");
    const wrong = typeof target.value === "string" ? 987_654_321_987 : "zz marker";
    const text = print(replaceAt(config, target.path, wrong));
    const position = positionOf(text, String(wrong));
    const result = readText(text);
    expect(result.ok, said).toBe(false);
    const here = result.ok ? [] : result.problems.filter((problem) => problem.path === dotted(target.path));
    expect(here, `${said}\n${text}\n${printed(result).join("\n")}`).toMatchObject([position]);
  });
  fc.assert(property, settings);
});

function dotted(path: readonly (string | number)[]): string {
  return path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`))
    .join("")
    .slice(1);
}

test("a required key that is missing is refused by its path", () => {
  const property = fc.property(
    validConfig,
    style,
    fc.constantFrom("upstreams", "default"),
    (config, print, key) => {
      const { [key]: _, ...rest } = config;
      const result = readText(print(rest));
      expect(printed(result).join("\n"), said).toContain(` ${key}: expected`);
    },
  );
  fc.assert(property, settings);
});

const yamlish = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ..."{ } [ ] : , - ? & * ! | > ' \" % @ ` # ~ << --- ... \n \t",
        "\n  ",
        ": ",
        "- ",
        "&a ",
        "*a",
        "!!set ",
        "!!binary ",
        "%YAML 1.1\n---\n",
        "${",
        "${A:-",
        "upstreams",
        "cutovers",
        "listeners",
        "auth",
        "__proto__",
        "null",
      ),
      fc.string({ maxLength: 4 }),
    ),
    { maxLength: 60 },
  )
  .map((pieces) => pieces.join(""));

test("no text is ever thrown back: it loads or has problems, each with a place", () => {
  const property = fc.property(yamlish, (text) => {
    const result = readText(text);
    expect(result.ok, said).toBe(false);
    for (const problem of result.ok ? [] : result.problems) {
      expect(problem.line, said).toBeGreaterThanOrEqual(1);
      expect(problem.column, said).toBeGreaterThanOrEqual(1);
      expect(problem.message, said).not.toBe("");
    }
  });
  fc.assert(property, { ...settings, numRuns: runs(3000) });
});

test("nor are any bytes", () => {
  const property = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    expect(readConfig(bytes, "c.yaml", {}).ok, said).toBe(false);
  });
  fc.assert(property, { ...settings, numRuns: runs(1000) });
});

test("a valid file cut off anywhere or with a byte changed never throws", () => {
  const property = fc.property(validConfig, style, fc.nat(), fc.nat(255), (config, print, at, byte) => {
    const bytes = new TextEncoder().encode(print(config));
    const place = at % bytes.length;
    expect(() => readConfig(bytes.subarray(0, place), "c.yaml", {}), said).not.toThrow();
    bytes[place] = byte;
    expect(() => readConfig(bytes, "c.yaml", {}), said).not.toThrow();
  });
  fc.assert(property, { ...settings, numRuns: runs(500) });
});

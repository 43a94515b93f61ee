import { describe, expect, test } from "vitest";
import { fillIn } from "../../../../src/config/load/env.ts";
import { configOf, least, problemsOf, withCutover } from "../support.ts";

const of = (name: string) => `\${${name}}`;

describe("fillIn", () => {
  const env = { A: "one", EMPTY: "", NESTED: of("A") };
  test.each([
    ["plain", "plain", false],
    [`x-${of("A")}-${of("A")}`, "x-one-one", true],
    [of("EMPTY"), "", true],
    [of("A:-two"), "one", true],
    [of("EMPTY:-two"), "two", true],
    [of("NONE:-"), "", true],
    [of("NONE:-redis://h:1"), "redis://h:1", true],
    [of("NESTED"), of("A"), true],
    [`$${of("A")}`, of("A"), false],
    ["^a$", "^a$", false],
    ["$A $$", "$A $$", false],
  ])("%s → %s", (text, expected, filled) => {
    expect(fillIn(text, env)).toEqual({ ok: true, text: expected, filled });
  });

  test.each([`\${`, `\${}`, `\${1A}`, `\${A-b}`, `a \${A b`])("%s is refused", (text) => {
    const message = `expected ${of("NAME")} or ${of("NAME:-default")}; a literal \${ is written $\${`;
    expect(fillIn(text, env)).toEqual({ ok: false, message });
  });

  test("names every variable that is not set", () => {
    expect(fillIn(`${of("X")}${of("Y")}${of("X")}`, env)).toEqual({
      ok: false,
      message: "expected the environment variables X, Y to be set",
    });
  });

  test("what objects inherit is no variable", () => {
    expect(fillIn(of("constructor"), env).ok).toBe(false);
  });
});

describe("in the file", () => {
  test("a missing variable is one problem at its value", () => {
    expect(problemsOf(`${least.replace("default: old", `default: ${of("D")}`)}prefix: ${of("P")}\n`)).toEqual(
      [
        "c.yaml:4:10 default: expected the environment variable D to be set",
        "c.yaml:5:9 prefix: expected the environment variable P to be set",
      ],
    );
  });

  test("a value cannot become YAML", () => {
    const text = `${least}snapshot: ${of("V")}\n`;
    for (const value of ["a\nprefix: evil", "{ a: 1 }", "# no", "*x", "off: on"]) {
      expect(configOf(text, { V: value })).toMatchObject({ snapshot: value, prefix: "cutover" });
    }
  });

  test.each([of("PORT:-8081"), `"${of("PORT:-8081")}"`])(
    "a port may come from the environment: %s",
    (port) => {
      const text = `${least}listeners:\n  proxy:\n    port: ${port}\n`;
      expect(configOf(text).listeners.proxy.port).toBe(8081);
      expect(configOf(text, { PORT: "0" }).listeners.proxy.port).toBe(0);
      for (const value of ["99999999", "0x50", "8080 ", "yes", "hunter2"]) {
        const problems = problemsOf(text, { PORT: value });
        expect(problems).toHaveLength(1);
        expect(problems[0]).toMatch(/^c\.yaml:7:11 listeners\.proxy\.port: expected/);
        expect(problems[0]).not.toContain(value);
      }
    },
  );

  test("a quoted number that did not come from the environment stays a text", () => {
    expect(problemsOf(`${least}listeners: { proxy: { port: "8081" } }\n`)).toEqual([
      "c.yaml:5:29 listeners.proxy.port: expected a number; found a text",
    ]);
  });

  test("a truth value and workers may come from the environment", () => {
    const text = withCutover("routes: [{ name: a, path: /a }]", `fallback: ${of("F")}`);
    const config = configOf(`${text}workers: ${of("W")}\n`, { F: "true", W: "2" });
    expect(config.cutovers.shop?.fallback).toBe(true);
    expect(config.workers).toBe(2);
  });

  test.each(["12345678901234567890", "true", "null", "~"])("a text stays a text: %s", (value) => {
    const text = withCutover(
      "routes: [{ name: a, path: /a, journey: start }]",
      "journey:",
      `  secret: ${of("S")}`,
    );
    expect(configOf(text, { S: value }).cutovers.shop?.journey?.secret).toEqual([value]);
  });

  test.each([
    ["engine", "undici or http-proxy"],
    ["store", "memory:"],
    ["staleAfter", "a duration"],
    ["prefix", "at most 63"],
    ["default", "an upstream's name"],
    ["auth", "none, or tokens"],
  ])("a value filled in is never shown: %s", (key, expected) => {
    const problems = problemsOf(`${least.replace(/default.*\n/, "")}${key}: ${of("V")}\n`, { V: "Hunter2" });
    expect(problems.join("\n")).toContain(`${key}: expected ${expected}`);
    expect(problems.join("\n")).not.toContain("Hunter2");
  });
});

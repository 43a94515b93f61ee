import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { configSchema, unsupported } from "../../../src/config/schema.ts";

const text = readFileSync(new URL("../../../docs/configuration.md", import.meta.url), "utf8");
const written = new Set(
  [...text.replace(/^```.*?^```/gms, "").matchAll(/`([^`]+)`/g)].flatMap(([, code = ""]) =>
    code.split(/[^A-Za-z0-9]+/),
  ),
);

/** Every name of a key in a JSON Schema. */
function keysOf(node: unknown): string[] {
  if (typeof node !== "object" || node === null) return [];
  return Object.entries(node).flatMap(([key, value]) => {
    const own = key === "properties" && typeof value === "object" && value !== null ? Object.keys(value) : [];
    return [...own, ...keysOf(value)];
  });
}

const keys = [...new Set(keysOf(z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" })))];

test("the schema's keys are found", () => {
  expect(keys).toEqual(expect.arrayContaining(["listeners", "maxTtl", "sha256", "learn", "connections"]));
});

test.each([...keys, ...Object.values(unsupported).flat()])("docs/configuration.md describes %s", (key) => {
  expect(written).toContain(key);
});

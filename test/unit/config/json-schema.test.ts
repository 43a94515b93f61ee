import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { configJsonSchema, configSchemaText } from "../../../src/config/json-schema.ts";

const shipped = new URL("../../../config/cutover.schema.json", import.meta.url);

test("the schema that is shipped is the one the program has (npm run build writes it)", () => {
  expect(readFileSync(shipped, "utf8")).toBe(configSchemaText());
});

test("the sample configuration names it for editors", () => {
  const sample = readFileSync(new URL("../../../config/cutover.yaml", import.meta.url), "utf8");
  expect(sample).toMatch(/^# yaml-language-server: \$schema=cutover\.schema\.json\n/);
});

const object = z.looseObject({
  additionalProperties: z.unknown(),
  properties: z.record(z.string(), z.unknown()),
  required: z.array(z.string()).optional(),
});

test("it knows the keys, which are needed, and refuses unknown ones", () => {
  const root = object.parse(configJsonSchema());
  expect(Object.keys(root.properties)).toEqual(
    expect.arrayContaining(["listeners", "store", "audit", "auth", "cutovers"]),
  );
  expect(root.required).toEqual(["upstreams", "default"]);
  expect(root.additionalProperties).toBe(false);
});

test("a reference to the environment may stand in the place of a number", () => {
  const listeners = object.parse(object.parse(configJsonSchema()).properties.listeners);
  const { port } = object.parse(listeners.properties.proxy).properties;
  expect(port).toEqual({
    default: 8080,
    anyOf: [
      { type: "integer", minimum: 0, maximum: 65535 },
      { type: "string", pattern: "\\$\\{" },
    ],
  });
});

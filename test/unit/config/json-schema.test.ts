import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { configJsonSchema, configSchemaText } from "../../../src/config/json-schema.ts";
import { configSchema } from "../../../src/config/schema.ts";

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

test("each form in which a collector of spans may be named is right by it, and read", () => {
  const root = object.parse(configJsonSchema());
  const forms = z.object({ anyOf: z.array(z.looseObject({ type: z.string().optional() })) });
  expect(JSON.stringify(forms.parse(root.properties.otlp))).toMatch(/"type":"string","format":"uri"/);
  const read = (otlp: unknown) =>
    configSchema.parse({ upstreams: { a: { url: "http://a" } }, default: "a", otlp }).otlp;
  const url = "http://127.0.0.1:4318";
  expect(read(url)).toEqual({ url, sample: 1, headers: {} });
  expect(read({ url })).toEqual(read(url));
  expect([read("off"), read(false)]).toEqual([undefined, undefined]);
});

/** The configuration's JSON Schema, for editors: made from the very schema that reads the file. */
import * as z from "zod";
import { configSchema } from "./schema.ts";

type Node = Readonly<Record<string, unknown>>;

/** `${NAME}` stands wherever a value does. */
const reference = { type: "string", pattern: "\\$\\{" } as const;

/** @returns JSON Schema 2020-12 of what may stand in the file, `${NAME}` included */
export function configJsonSchema(): Node {
  const schema = z.toJSONSchema(configSchema, { io: "input" });
  return { ...asNode(withReferences(schema)), title: "Configuration of cutover" };
}

/** Text in the repository, and in the package. */
export function configSchemaText(): string {
  return `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`;
}

/** Values that are not any text may also be a reference; the rest of the schema is as it was. */
function withReferences(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withReferences);
  if (!isNode(schema)) return schema;
  if (isNarrow(schema)) {
    const { default: standard, description, ...narrow } = schema;
    return {
      ...(standard === undefined ? {} : { default: standard }),
      ...(description === undefined ? {} : { description }),
      anyOf: [narrow, reference],
    };
  }
  const entries = Object.entries(schema).map(([key, value]) => {
    // What stands under these are no schemas; a name cannot be a reference.
    return key === "default" || key === "required" || key === "propertyNames"
      ? [key, value]
      : [key, withReferences(value)];
  });
  return Object.fromEntries(entries);
}

function isNarrow({ type, pattern, enum: choices, const: only }: Node): boolean {
  if (type === "integer" || type === "number" || type === "boolean") return true;
  return type === "string" && (pattern ?? choices ?? only) !== undefined;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function asNode(value: unknown): Node {
  return isNode(value) ? value : {};
}

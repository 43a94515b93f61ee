/**
 * The configuration as it is in effect, value by value: as it was written, or the default, and where it comes from.
 * Secrets are masked: digests and secrets of any kind, sign-ins in URLs, and text that came from the environment.
 */
import * as z from "zod";
import { durationText } from "../base/duration.ts";
import type { Place } from "./load/document.ts";
import { isMapping } from "./load/issues.ts";
import { formatPath, type Path } from "./load/problems.ts";
import { type Config, configSchema } from "./schema.ts";

export interface EffectiveValue {
  /** `cutovers.checkout.journey.ttl` */
  readonly path: string;
  /** As it may be written in the file. */
  readonly value: string;
  readonly from:
    | { readonly kind: "default" }
    /** From 1; `filled`: what stands there names a variable of the environment. */
    | { readonly kind: "file"; readonly line: number; readonly column: number; readonly filled: boolean };
}

/**
 * @param value the document with the environment filled in
 * @param config what it was read as
 */
export function effectiveValues(value: unknown, root: Place, config: Config): EffectiveValue[] {
  const schema: unknown = z.toJSONSchema(configSchema, { io: "input" });
  return walk({ read: config, written: value, place: root, schema, path: [] });
}

interface Step {
  /** The value after the schema. */
  readonly read: unknown;
  /** The same as it stands in the file; undefined when it does not. */
  readonly written: unknown;
  readonly place: Place | undefined;
  readonly schema: unknown;
  readonly path: Path;
}

function walk(step: Step): EffectiveValue[] {
  const { read, written, place, schema, path } = step;
  const inner = (key: string | number, from: unknown, to: unknown) =>
    walk({
      read: to,
      written: from,
      place: place?.children.get(key),
      schema: schemaUnder(schema, key),
      path: [...path, key],
    });
  if (isMapping(written) || (written === undefined && isPlain(read))) {
    const under = isMapping(written) ? written : {};
    const known = isMapping(read) ? Object.keys(read) : [];
    const keys = new Set([...Object.keys(under), ...known]);
    return [...keys].flatMap((key) => inner(key, under[key], isMapping(read) ? read[key] : undefined));
  }
  if (Array.isArray(written) && written.some(isMapping)) {
    // A list may stand for a mapping that has it under `keys`.
    const { keys = read, ...rest } = isMapping(read) ? read : {};
    const list: readonly unknown[] = Array.isArray(keys) ? keys : [];
    const shared = Object.entries(rest).flatMap(([key, value]) => inner(key, undefined, value));
    return [...written.flatMap((item: unknown, index) => inner(index, item, list[index])), ...shared];
  }
  if (written === undefined) {
    const value = defaultText(read, schema, path);
    return value === undefined ? [] : [{ path: formatPath(path), value, from: { kind: "default" } }];
  }
  const { line, column } = place?.value ?? { line: 1, column: 1 };
  const filled = place !== undefined && isFilled(place);
  const from = { kind: "file", line, column, filled } as const;
  return [{ path: formatPath(path), value: writtenText(written, filled, path), from }];
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return isMapping(value) && Object.getPrototypeOf(value) === Object.prototype;
}

function isFilled({ filled, children }: Place): boolean {
  return filled || [...children.values()].some(isFilled);
}

const masked = "(masked)";
/** A webhook is known to those who know its URL. */
function isSecret(path: Path): boolean {
  return path.some((part) => secretKeys.has(part)) || (path[0] === "webhooks" && path.at(-1) === "url");
}

const secretKeys: ReadonlySet<string | number> = new Set(["secret", "secrets", "sha256"]);
const harmless = /^(?:-?\d+(?:\.\d+)?[A-Za-z]{0,3}|true|false)$/;

function writtenText(written: unknown, filled: boolean, path: Path): string {
  if (isSecret(path)) return written === "" ? '""' : masked;
  const text = typeof written === "string" ? written : JSON.stringify(written);
  if (filled && !harmless.test(text)) return masked;
  // A sign-in stands before the host of a URL, or in its query.
  return text.replace(/(:\/\/)\S*@/, `$1${masked}@`).replace(/(:\/\/[^\s?]*)\?\S+$/, `$1?${masked}`);
}

/** @returns `undefined` where there is none: the key may be left out and then means nothing */
function defaultText(read: unknown, schema: unknown, path: Path): string | undefined {
  if (read === undefined) return path.length === 1 ? "off" : undefined;
  if (isSecret(path)) return masked;
  if (typeof read === "string") return read;
  if (typeof read === "number" && takesText(schema)) {
    return sizeKeys.has(path.at(-1) ?? "") ? sizeText(read) : durationText(read);
  }
  return JSON.stringify(read);
}

const looseSchema = z.looseObject({
  type: z.unknown().optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  additionalProperties: z.unknown().optional(),
  items: z.unknown().optional(),
  anyOf: z.array(z.unknown()).optional(),
});

function schemaUnder(schema: unknown, key: string | number): unknown {
  const found = looseSchema.safeParse(schema).data;
  if (found === undefined) return undefined;
  if (typeof key === "number") {
    return (
      found.items ?? found.anyOf?.map((each) => schemaUnder(each, key)).find((each) => each !== undefined)
    );
  }
  const own = found.properties?.[key] ?? found.additionalProperties;
  return own ?? found.anyOf?.map((each) => schemaUnder(each, key)).find((each) => each !== undefined);
}

/** Whether what was read as a number is written as text: a duration or a size. */
function takesText(schema: unknown): boolean {
  return looseSchema.safeParse(schema).data?.type === "string";
}

const sizeKeys: ReadonlySet<string | number> = new Set(["body", "head", "learnBody", "target"]);

const sizes = [
  ["GiB", 1024 ** 3],
  ["MiB", 1024 ** 2],
  ["KiB", 1024],
] as const;

function sizeText(bytes: number): string {
  const [unit, length] = sizes.find(([, each]) => bytes % each === 0) ?? ["B", 1];
  return `${bytes / length}${unit}`;
}

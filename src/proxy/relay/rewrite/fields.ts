/** Fields that an upstream's rewriting sets, adds and takes away. */
import type { RewriteConfig } from "../../../config/rewrite-schema.ts";
import type { TemplatePart } from "../../../config/values/template.ts";
import type { Match } from "../../../decide/route.ts";

/** What names in braces stand for. */
export interface FieldValues {
  /** Byte string; absent where a request names nobody. */
  readonly shopper: string | undefined;
  readonly requestId: string;
  /** Absent of what is on no cutover's route. */
  readonly side: string | undefined;
  /** The parameters of the route's path, as they were received. */
  readonly params: Pick<Match<unknown>, "names" | "values"> | undefined;
}

export interface FieldChanges {
  /** Names that do not go on; lower case. */
  readonly dropped: ReadonlySet<string>;
  /** Their lengths, so that all others need not be lower-cased. */
  readonly lengths: readonly boolean[];
  readonly given: readonly GivenField[];
}

interface GivenField {
  readonly name: string;
  /** A text where it is the same for every request. */
  readonly value: string | readonly TemplatePart[];
}

/** @returns `undefined` where nothing is changed */
export function compileChanges({ set, add, remove }: RewriteConfig["request"]): FieldChanges | undefined {
  const given = [...Object.entries(set), ...Object.entries(add)];
  if (given.length === 0 && remove.length === 0) return undefined;
  const names = [...Object.keys(set), ...remove].map((name) => name.toLowerCase());
  const lengths: boolean[] = [];
  for (const { length } of names) lengths[length] = true;
  return {
    dropped: new Set(names),
    lengths,
    given: given.map(([name, { parts }]) => ({ name, value: textOf(parts) ?? parts })),
  };
}

function textOf(parts: readonly TemplatePart[]): string | undefined {
  const texts = parts.flatMap((part) => (part.kind === "text" ? part.text : []));
  return texts.length === parts.length ? texts.join("") : undefined;
}

/** @param fields flat; changed in place: without those that do not go on. `-` and `_` are one: gateways make one name of both */
export function dropFields(fields: string[], { dropped, lengths }: FieldChanges): void {
  let kept = 0;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? "";
    if (lengths[name.length] === true && dropped.has(dashed(name.toLowerCase()))) continue;
    if (kept !== i) {
      fields[kept] = name;
      fields[kept + 1] = fields[i + 1] ?? "";
    }
    kept += 2;
  }
  if (kept !== fields.length) fields.length = kept;
}

function dashed(name: string): string {
  return name.includes("_") ? name.replaceAll("_", "-") : name;
}

/** @param fields flat; changed in place. A field is not given where a value that it stands on is missing */
export function changeFields(fields: string[], changes: FieldChanges, values: FieldValues): void {
  dropFields(fields, changes);
  for (const { name, value } of changes.given) {
    const text = typeof value === "string" ? value : fill(value, values);
    if (text !== undefined) fields.push(name, text);
  }
}

function fill(parts: readonly TemplatePart[], values: FieldValues): string | undefined {
  let text = "";
  for (const part of parts) {
    const value = part.kind === "text" ? part.text : filledIn(part, values);
    if (!value) return undefined;
    text += value;
  }
  return text;
}

function filledIn(part: Exclude<TemplatePart, { kind: "text" }>, values: FieldValues): string | undefined {
  switch (part.kind) {
    case "shopper":
      return values.shopper && percentEncoded(values.shopper);
    case "param":
      return values.params?.values[values.params.names.indexOf(part.name)];
    default:
      return values[part.kind];
  }
}

/** RFC 3986 §2.3: all but unreserved characters; so no value can end a field or begin another. */
function percentEncoded(bytes: string): string {
  return bytes.replace(
    /[^\w.~-]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}

/**
 * Reads the configuration: file → YAML with positions → environment filled in → schema → checks between parts.
 * Every problem is given at once, each with its line and column; nothing is thrown for what is in a file.
 */
import { createReadStream } from "node:fs";
import type { z } from "zod";
import { codeOf } from "../../base/errors.ts";
import { type CertificateFindings, certificateFindings } from "../checks/certificates.ts";
import { findingsBetween, warningsBetween } from "../checks/checks.ts";
import { fileFindings } from "../checks/named-files.ts";
import { type EffectiveValue, effectiveValues } from "../effective.ts";
import { type Config, configSchema } from "../schema.ts";
import { isTemplateAt, type Place, type Position, type ReadDocument, readDocument } from "./document.ts";
import { draftOf } from "./draft.ts";
import { type Environment, literalOf, withNamesAlone } from "./env.ts";
import { findingsOf, replaceAt, sentenceOf, valueAt } from "./issues.ts";
import { type Finding, formatPath, inOrder, type Path, type PlacedProblem, pathKey } from "./problems.ts";

/** The file a configuration was read from: who reads it again, with the same environment, gets the same. */
export interface ConfigSource {
  readonly file: string;
  readonly text: string;
}

export interface LoadedConfig {
  readonly ok: true;
  readonly config: Config;
  readonly warnings: readonly PlacedProblem[];
  readonly source: ConfigSource;
  /** Every value in effect and where it comes from, secrets masked. */
  readonly explain: () => readonly EffectiveValue[];
  /** The same with `${NAME}` itself in place of what the environment says, in the values of fields that are sent along. */
  readonly shown: () => Config;
}

export type LoadResult = LoadedConfig | { readonly ok: false; readonly problems: readonly PlacedProblem[] };

const maxBytes = 1_048_576;

/**
 * @param path of the YAML file; stands in the problems as given
 * @param env for `${VAR}`
 * @returns never rejects: a file that is missing or cannot be read is a problem too
 */
export async function loadConfig(path: string, env: Environment = process.env): Promise<LoadResult> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of createReadStream(path, { end: maxBytes })) {
      if (Buffer.isBuffer(chunk)) chunks.push(chunk);
    }
  } catch (error) {
    return refusedWhole(path, `expected a file that can be read: ${codeOf(error) ?? "unknown error"}`);
  }
  return readConfig(Buffer.concat(chunks), path, env, (config) => {
    const { wrong, unwise } = certificateFindings(config, Date.now());
    return { wrong: [...wrong, ...fileFindings(config)], unwise };
  });
}

function refusedWhole(file: string, message: string): LoadResult {
  return { ok: false, problems: [{ file, line: 1, column: 1, path: "", message }] };
}

/**
 * @param bytes of a YAML file, UTF-8
 * @param file what the problems call it
 * @param look what is found in the files that a sound configuration names
 * @param templateEnv as `readDocument` has it
 */
export function readConfig(
  bytes: Uint8Array,
  file: string,
  env: Environment,
  look: (config: Config) => CertificateFindings = () => ({ wrong: [], unwise: [] }),
  templateEnv?: () => Environment,
): LoadResult {
  if (bytes.length > maxBytes) return refusedWhole(file, "expected a file of at most 1 MiB");
  const text = decode(bytes);
  if (text === undefined) return refusedWhole(file, "expected a file in UTF-8");
  const document = readDocument(text, file, env, templateEnv);
  if (!("root" in document)) return { ok: false, problems: inOrder(document) };

  const { parsed, value } = parse(document);
  const draft = draftOf(value);
  const findings = [
    ...(parsed.success ? [] : findingsOf(parsed.error.issues, value)),
    ...findingsBetween(draft),
  ];
  const place = (finding: Finding) => problemOf(finding, { ...document, value }, file);
  const unsettled = findings.filter(({ path }) => !document.settled.has(pathKey(path)));
  const problems = [...document.problems, ...unsettled.map(place)];
  if (!parsed.success || problems.length > 0) return { ok: false, problems: inOrder(problems) };
  const found = look(parsed.data);
  if (found.wrong.length > 0) return { ok: false, problems: inOrder(found.wrong.map(place)) };
  const warnings = inOrder([...warningsBetween(draft), ...found.unwise].map(place));
  const explain = () => effectiveValues(value, document.root, parsed.data);
  const shown = () => {
    const again = readConfig(bytes, file, env, undefined, () => withNamesAlone(env));
    if (!again.ok) throw new Error("a configuration that is sound is not with its secrets masked");
    return again.config;
  };
  return { ok: true, config: parsed.data, warnings, source: { file, text }, explain, shown };
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

const misreadCodes: ReadonlySet<string | undefined> = new Set([
  "invalid_type",
  "invalid_value",
  "invalid_union",
]);

/** Text from the environment counts as the number or truth value it spells wherever the schema wants one. */
function parse({ value, root }: ReadDocument) {
  const parsed = configSchema.safeParse(value, { error: sentenceOf });
  if (parsed.success) return { parsed, value };
  let respelled = value;
  for (const path of misreadPaths(parsed.error.issues)) {
    const text = valueAt(value, path);
    if (typeof text !== "string" || !placeAt(root, path).place.filled) continue;
    const literal = literalOf(text);
    if (literal !== undefined) respelled = replaceAt(respelled, path, literal);
  }
  const again = configSchema.safeParse(respelled, { error: sentenceOf });
  return { parsed: again, value: respelled };
}

/** Where something of another kind was expected, in the alternatives of a union too. */
function misreadPaths(issues: readonly z.core.$ZodIssue[], at: Path = []): Path[] {
  return issues.flatMap((issue) => {
    const path = [...at, ...issue.path.filter((part) => typeof part !== "symbol")];
    const inside =
      issue.code === "invalid_union" ? issue.errors.flatMap((each) => misreadPaths(each, path)) : [];
    return misreadCodes.has(issue.code) ? [path, ...inside] : [];
  });
}

/** The deepest place the path leads to. */
function placeAt(root: Place, path: Path): { readonly place: Place; readonly isWhole: boolean } {
  let place = root;
  for (const part of path) {
    const child = place.children.get(part);
    if (child === undefined) return { place, isWhole: false };
    place = child;
  }
  return { place, isWhole: true };
}

function problemOf(finding: Finding, document: ReadDocument, file: string): PlacedProblem {
  const { path, on, message } = finding;
  const { place, isWhole } = placeAt(document.root, path);
  const position: Position = on === "key" || !isWhole ? (place.key ?? place.value) : place.value;
  const found = foundText(finding, valueAt(document.value, path), place.filled);
  return { file, ...position, path: formatPath(path), message: `${message}${found}` };
}

const secretKeys: readonly (string | number)[] = ["auth", "force", "secret", "store", "url"];

/** Never a text that could be a secret: one from the environment, or under a key that has some. */
function foundText({ found, path }: Finding, value: unknown, filled: boolean): string {
  if (found === "unsaid") return "";
  if (found === "kind") return `; found ${kindOf(value)}`;
  const isSecret = isTemplateAt(path) || path.some((part) => secretKeys.includes(part));
  if (value === undefined || filled || isSecret) return "";
  if (typeof value === "number" || typeof value === "boolean") return `; found ${value}`;
  return typeof value === "string" && /^[\x20-\x7e]{1,60}$/.test(value)
    ? `; found ${JSON.stringify(value)}`
    : "";
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  if (typeof value === "string") return "a text";
  return typeof value === "number" ? "a number" : "true or false";
}

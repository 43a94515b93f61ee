/** What zod says of a configuration, in the words of this program and with the key it is about. */
import type { z } from "zod";
import { parts, unsupported } from "../schema.ts";
import type { Finding, Path } from "./problems.ts";

type Issue = z.core.$ZodIssue;

const kinds: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a mapping",
  record: "a mapping",
};

/** The message of an issue the schema has no sentence of its own for; zod asks for it. */
export function sentenceOf(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return `expected ${kinds[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return `expected ${issue.values.map(String).join(" or ")}`;
    case "too_small":
      return issue.origin === "number" || issue.origin === "int"
        ? `expected a number of at least ${issue.minimum}`
        : `expected ${kinds[issue.origin] ?? issue.origin} that is not empty`;
    case "too_big":
      return `expected a number of at most ${issue.maximum}`;
    default:
      return undefined;
  }
}

/**
 * @param root the value the issues are about, as it was before defaults
 * @param at the path of that value
 */
export function findingsOf(issues: readonly Issue[], root: unknown, at: Path = []): Finding[] {
  return issues.flatMap((issue): Finding[] => {
    const path = [...at, ...issue.path.filter((part) => typeof part !== "symbol")];
    switch (issue.code) {
      case "unrecognized_keys":
        return issue.keys.map((key) => ({
          path: [...path, key],
          on: "key",
          found: "unsaid",
          message: unknownKey(path, key, issue),
        }));
      case "invalid_union":
        return unionFindings(issue, root, path);
      case "invalid_key":
        return keyFindings(issue, root, path);
      default:
        return [{ path, on: "value", found: foundOf(issue, root, path), message: issue.message }];
    }
  });
}

function foundOf(issue: Issue, root: unknown, path: Path): Finding["found"] {
  return issue.code === "invalid_type" || valueAt(root, path) === undefined ? "kind" : "value";
}

function unknownKey(path: Path, key: string, issue: Issue): string {
  const names: readonly string[] = laterKeys(path);
  return names.includes(key) ? `${key} is not supported by this version` : `unknown key: ${issue.message}`;
}

function laterKeys(path: Path): readonly string[] {
  return path[0] === "cutovers" && path.length === 2 ? unsupported.cutover : [];
}

/** The one alternative that is right about the kind of value explains what is wrong inside it. */
function unionFindings(issue: z.core.$ZodIssueInvalidUnion, root: unknown, path: Path): Finding[] {
  const inside = issue.errors.filter((issues) => !issues.some(isAboutKind));
  const [only] = inside;
  if (only === undefined || inside.length > 1)
    return [{ path, on: "value", found: "kind", message: issue.message }];
  return findingsOf(only, root, path);
}

function isAboutKind(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === "invalid_type" || issue.code === "invalid_value");
}

/** Of a cutover or upstream whose name is wrong zod looks no further, so what is in it is read here. */
function keyFindings(issue: z.core.$ZodIssueInvalidKey, root: unknown, path: Path): Finding[] {
  const message = issue.issues[0]?.message ?? "expected a name";
  if (path.length > 2 || path[0] === "hosts") return [{ path, on: "key", found: "unsaid", message }];
  const schema = path[0] === "cutovers" ? parts.cutover : parts.upstream;
  const inside = schema.safeParse(valueAt(root, path), { error: sentenceOf });
  return [
    { path, on: "key", found: "unsaid", message },
    ...(inside.success ? [] : findingsOf(inside.error.issues, root, path)),
  ];
}

/** @returns what stands at the path; `undefined` when nothing does */
export function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const part of path) {
    if (Array.isArray(value) && typeof part === "number") value = value[part];
    else if (isMapping(value) && typeof part === "string" && Object.hasOwn(value, part)) value = value[part];
    else return undefined;
  }
  return value;
}

export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The same value with another in one place. */
export function replaceAt(root: unknown, path: Path, value: unknown): unknown {
  const [part, ...rest] = path;
  if (part === undefined) return value;
  if (Array.isArray(root)) {
    return root.map((item: unknown, index) => (index === part ? replaceAt(item, rest, value) : item));
  }
  return isMapping(root) ? { ...root, [part]: replaceAt(root[part], rest, value) } : root;
}

/**
 * What is asked of an answer: `status:2xx,303`, `header:NAME`, `json:/POINTER` (RFC 6901, into the body), each of the last
 * two also with `=VALUE` or `#REGEX`; `body:#REGEX` (the body whatever it is).
 */
import { type Expression, parseExpression } from "./expression.ts";
import { parseSource } from "./source.ts";

export type Condition =
  /** One of these statuses, or of one of these classes (2 is 2xx). */
  | { readonly kind: "status"; readonly codes: readonly number[]; readonly classes: readonly number[] }
  | {
      readonly kind: "header" | "json" | "body";
      /** Lower case for a header; the pointer, with its leading slash, for json; empty for body. */
      readonly name: string;
      readonly value: string | undefined;
      readonly pattern: Expression | undefined;
      /** Whether each `*` of the pointer stands for every member and element there. */
      readonly each?: true;
    };

const form = /^(header|json|body):([^#=]*)(?:=(.+)|#(.+))?$/s;

/** @returns the condition, or the sentence that says what was expected */
export function parseCondition(text: string): Condition | string {
  if (text.startsWith("status:")) return parseStatuses(text.slice("status:".length));
  const [, kind, name = "", value, regex] = form.exec(text) ?? [];
  if (kind !== "header" && kind !== "json" && kind !== "body") {
    return "expected status:2xx,303, header:NAME or json:/POINTER, these two optionally followed by =VALUE or #REGEX, or body:#REGEX";
  }
  if (kind === "body") {
    // As a source, but that nothing is taken out of it.
    const source = parseSource(regex === undefined ? text : `body:${name}#(${regex})`);
    if (typeof source === "string") return source.replace(", whose first group is the value", "");
    return { kind, name, value: undefined, pattern: source.pattern };
  }
  const source = parseSource(`${kind}:${name}`);
  if (typeof source === "string") return source;
  const pattern = regex === undefined ? undefined : parseExpression(regex);
  return typeof pattern === "string" ? pattern : { kind, name: source.name, value, pattern };
}

/**
 * A condition whose kind stands before it: `NAME` or `/POINTER`, where a `*` of the pointer stands for every member and
 * element there, each also with `=VALUE` or `#REGEX`.
 *
 * @returns the condition, or the sentence that says what was expected
 */
export function parseConditionOf(kind: "header" | "json", text: string): Condition | string {
  const condition = parseCondition(`${kind}:${text}`);
  if (typeof condition === "string") {
    return condition.startsWith("expected status:") || kind === "header"
      ? condition
      : condition.replace("json:/order/id", "/errors/0 or /data/*/errorCode");
  }
  const isEach = condition.kind === "json" && condition.name.split("/").includes("*");
  return isEach ? { ...condition, each: true } : condition;
}

function parseStatuses(list: string): Condition | string {
  const codes: number[] = [];
  const classes: number[] = [];
  for (const part of list.split(",")) {
    const text = part.trim();
    if (/^[2-5]xx$/.test(text)) classes.push(Number(text[0]));
    else if (/^[2-5]\d\d$/.test(text)) codes.push(Number(text));
    else return "expected statuses and classes of them after status:, such as 2xx,303";
  }
  return { kind: "status", codes, classes };
}

/**
 * Whether an answer is one that a step is made by: a journey begun or ended, an order learned or finished. PURE.
 *
 * A rule holds where the answer's status is one of the step's, every `when` holds and no `unless` does. A `status:` under
 * `when` stands in place of the step's own statuses. What is asked of a body that could not be read is unknown, and so is
 * the rule, unless something else in it fails.
 *
 * There is something at a pointer unless it is absent, null, false, an empty text, list or mapping: an empty list of errors
 * is none. In an empty body there is nothing.
 *
 * And whether an answer below 500 is a failure of its side all the same: where any one of the route's conditions is so.
 */
import type { Condition } from "../config/values/condition.ts";
import { type Expression, isFound, unfinished } from "../config/values/expression.ts";
import { type BodyValues, jsonAt, jsonEach, jsonValue } from "./body.ts";
import { bytesOf } from "./bucket.ts";
import { fieldValue, longestText } from "./sources.ts";

export interface AnswerRule {
  readonly when?: readonly Condition[] | undefined;
  readonly unless?: readonly Condition[] | undefined;
}

interface AnswerView {
  readonly status: number;
  /** Flat list, name then value. */
  readonly fields: readonly string[];
  /** The names at the even places of `fields`, lower case. */
  readonly fieldNames: readonly string[];
  /** Absent where it could not be read, or was not yet. */
  readonly body: BodyValues | "empty" | undefined;
}

export type Verdict = "holds" | "fails" | "unknown";

/** @param ownStatus whether the status is one of the step's, where the rule names none */
export function judge(
  { when = [], unless = [] }: AnswerRule,
  ownStatus: (status: number) => boolean,
  answer: AnswerView,
): Verdict {
  if (!when.some(({ kind }) => kind === "status") && !ownStatus(answer.status)) return "fails";
  let verdict: Verdict = "holds";
  for (const condition of when) {
    const found = isSo(condition, answer);
    if (found === false) return "fails";
    if (found === undefined) verdict = "unknown";
  }
  for (const condition of unless) {
    const found = isSo(condition, answer);
    if (found === true) return "fails";
    if (found === undefined) verdict = "unknown";
  }
  return verdict;
}

/** Whether any one of the conditions is so. */
export function anyOf(conditions: readonly Condition[], answer: AnswerView): Verdict {
  let verdict: Verdict = "fails";
  for (const condition of conditions) {
    const found = isSo(condition, answer);
    if (found === true) return "holds";
    if (found === undefined) verdict = "unknown";
  }
  return verdict;
}

/** @returns `undefined` where the body would tell, and cannot */
function isSo(condition: Condition, { status, fields, fieldNames, body }: AnswerView): boolean | undefined {
  if (condition.kind === "status") {
    return condition.codes.includes(status) || condition.classes.includes(Math.floor(status / 100));
  }
  const { kind, name } = condition;
  if (kind === "header") {
    const text = fieldValue(fields, fieldNames, name);
    return isAsAsked(condition, text, text);
  }
  if (body === undefined) return undefined;
  if (body === "empty") return false;
  if (kind === "body") {
    const { pattern } = condition;
    return pattern === undefined || body.text === undefined ? undefined : isIn(pattern, body.text);
  }
  return body.json === undefined ? undefined : jsonIsSo(condition, body.json);
}

/** @returns `undefined` where that takes too long to find out */
export function jsonIsSo(
  condition: Extract<Condition, { name: string }>,
  json: NonNullable<BodyValues["json"]>,
): boolean | undefined {
  if (condition.each) return isAnySo(condition, jsonEach(json, condition.name));
  const found = jsonAt(json, condition.name);
  const text = typeof found === "boolean" ? `${found}` : jsonValue(json, condition.name);
  return isAsAsked(condition, found, text);
}

/** Numbers are as they read once they were read: of long ones digits may be lost. */
function isAnySo(
  condition: Extract<Condition, { name: string }>,
  all: Iterable<unknown>,
): boolean | undefined {
  let isUnknown = false;
  for (const found of all) {
    const isText = typeof found === "string" || typeof found === "number" || typeof found === "boolean";
    const so = isAsAsked(condition, found, isText ? bytesOf(`${found}`) : undefined);
    if (so === true) return true;
    if (so === undefined) isUnknown = true;
  }
  return isUnknown ? undefined : false;
}

/** @param text the bytes of what was found, where it is a value */
export function isAsAsked(
  { value, pattern }: Pick<Extract<Condition, { name: string }>, "value" | "pattern">,
  found: unknown,
  text: string | undefined,
): boolean | undefined {
  if (value !== undefined) return text === bytesOf(value);
  if (pattern === undefined) return isSomething(found);
  if (text === undefined) return false;
  return text.length > longestText ? undefined : isIn(pattern, text);
}

/** @returns `undefined` where that takes too long to find out */
function isIn(pattern: Expression, text: string): boolean | undefined {
  const found = isFound(pattern, text);
  return found === unfinished ? undefined : found;
}

function isSomething(found: unknown): boolean {
  if (found === undefined || found === null || found === false || found === "") return false;
  return typeof found !== "object" || Object.keys(found).length > 0;
}

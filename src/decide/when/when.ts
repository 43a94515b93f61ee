/**
 * Whether a request is one of those that a route of its path is for (`routes[].when`). PURE. What a head tells is told
 * before the body is there; the rest waits for it. Of a parameter or a field that stands twice any value may be the one:
 * servers take the first or the last.
 */
import type { NamedTest, PointerTest, When } from "../../config/values/when.ts";
import { isAsAsked, jsonIsSo } from "../answer.ts";
import { type FormBody, formValues, type ReadBody } from "../body.ts";
import { asksOperation, type Fit, type ReadOperations } from "./operations.ts";

export interface HeadView {
  /** Flat list, name then value, as received. */
  readonly fields: readonly string[];
  /** The names at the even places of `fields`, lower case. */
  readonly fieldNames: readonly string[];
  /** What follows the `?` of the target. */
  readonly query: string;
  /** Whether a body follows. */
  readonly hasBody: boolean;
}

/** @returns `undefined` where the head does not tell */
export function holdsByHead(
  { header, query, json, form, graphql }: When,
  head: HeadView,
): boolean | undefined {
  if (header !== undefined && !header.some((test) => isAnyFieldSo(test, head))) return false;
  if (query !== undefined && !query.some((test) => isAnySo(test, formValues(head.query, test.name))))
    return false;
  if (json !== undefined || form !== undefined) return head.hasBody ? undefined : false;
  return graphql === undefined ? true : undefined;
}

function isAnyFieldSo(test: NamedTest, { fields, fieldNames }: HeadView): boolean {
  for (let at = fieldNames.indexOf(test.name); at !== -1; at = fieldNames.indexOf(test.name, at + 1))
    if (isSo(test, fields[2 * at + 1] ?? "")) return true;
  return false;
}

function isAnySo(test: NamedTest, values: readonly string[]): boolean {
  return values.some((value) => isSo(test, value));
}

function isSo(test: NamedTest, value: string): boolean {
  return isAsAsked(test, value, value) === true;
}

/** What is not told by the head. @param operations asked for where the route wants to know of them */
export function holdsByBody(
  { json, form, graphql }: When,
  body: ReadBody,
  operations: () => ReadOperations,
): Fit {
  const found: Fit[] = [];
  if (json !== undefined) found.push(jsonHolds(json, body));
  if (form !== undefined) found.push(formHolds(form, body));
  if (found.includes("fails")) return "fails";
  if (graphql !== undefined) found.push(asksOperation(graphql, operations()));
  for (const worst of ["fails", "unread", "unknown_document"] as const)
    if (found.includes(worst)) return worst;
  return "holds";
}

function jsonHolds(tests: readonly PointerTest[], body: ReadBody): Fit {
  if (body.kind !== "read") return body.kind === "none" ? "fails" : "unread";
  const { json } = body.values;
  if (json === undefined) return "fails";
  const verdicts = tests.map((test) => jsonIsSo(test, json));
  if (verdicts.includes(true)) return "holds";
  return verdicts.includes(undefined) ? "unread" : "fails";
}

function formHolds(tests: readonly NamedTest[], body: ReadBody): Fit {
  if (body.kind !== "read") return body.kind === "none" ? "fails" : "unread";
  const { form } = body.values;
  if (form === undefined) return "fails";
  const verdicts = tests.flatMap((test) =>
    fieldsOf(form, test.name).map((value) => isAsAsked(test, value, value)),
  );
  if (verdicts.includes(true)) return "holds";
  return verdicts.includes(undefined) ? "unread" : "fails";
}

function fieldsOf(form: FormBody, name: string): readonly string[] {
  if (form.kind === "urlencoded") return formValues(form.text, name);
  const value = form.fields.get(name);
  return value === undefined ? [] : [value];
}

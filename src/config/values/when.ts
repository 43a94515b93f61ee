/**
 * Which of the requests on its path a route is for (`routes[].when`): of each kind that is asked for, one entry has to hold.
 *
 * `header`, `query` and `form`: `NAME` (it is there, and not empty), `NAME=VALUE` or `NAME#REGEX`; `json`: the same of a
 * pointer. `graphql`: the name of an operation or of a field that it asks for at the top, `TYPE:NAME`, `TYPE:*` or `*`.
 */
import { type Condition, parseConditionOf } from "./condition.ts";
import { type Expression, parseExpression } from "./expression.ts";

/** What is asked of a header, a parameter of the query or a field of a form. */
export interface NamedTest {
  readonly name: string;
  readonly value: string | undefined;
  readonly pattern: Expression | undefined;
}

export type OperationType = (typeof operationTypes)[number];

export interface OperationTest {
  /** Absent: any. */
  readonly type: OperationType | undefined;
  /** Of the operation, or of a field at its top; absent: any. */
  readonly name: string | undefined;
}

/** What is asked of a JSON body: as of an answer's. */
export type PointerTest = Extract<Condition, { name: string }>;

export interface When {
  readonly header?: readonly NamedTest[] | undefined;
  readonly query?: readonly NamedTest[] | undefined;
  readonly form?: readonly NamedTest[] | undefined;
  readonly json?: readonly PointerTest[] | undefined;
  readonly graphql?: readonly OperationTest[] | undefined;
}

const operationTypes = ["query", "mutation", "subscription"] as const;

const namedForm = /^([^=#]+)(?:=(.+)|#(.+))?$/s;
const names = {
  header: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/,
  query: /^[^&=\s]+$/,
  form: /^[^&=\s]+$/,
} as const;
const expectedNamed = {
  header: "expected a header's name, optionally followed by =VALUE or #REGEX",
  query: "expected the name of a parameter of the query, optionally followed by =VALUE or #REGEX",
  form: "expected the name of a form's field, optionally followed by =VALUE or #REGEX",
} as const;

/** @returns the test, or the sentence that says what was expected */
export function parseNamedTest(kind: keyof typeof names, text: string): NamedTest | string {
  const [, name, value, regex] = namedForm.exec(text) ?? [];
  if (name === undefined || !names[kind].test(name)) return expectedNamed[kind];
  const pattern = regex === undefined ? undefined : parseExpression(regex);
  if (typeof pattern === "string") return pattern;
  return { name: kind === "header" ? name.toLowerCase() : name, value, pattern };
}

/** @returns the test, or the sentence that says what was expected */
export function parsePointerTest(text: string): PointerTest | string {
  const condition = parseConditionOf("json", text);
  if (typeof condition === "string") return condition;
  return condition.kind === "status" ? "expected a JSON pointer such as /type" : condition;
}

const operationForm = /^(?:([a-z]+):)?(\*|[_A-Za-z][_0-9A-Za-z]*)$/;

/** @returns the test, or the sentence that says what was expected */
export function parseOperationTest(text: string): OperationTest | string {
  const [, given, name] = operationForm.exec(text) ?? [];
  const type = operationTypes.find((known) => known === given);
  if (name === undefined || (given !== undefined && type === undefined))
    return "expected the name of an operation or of a field at its top, query:NAME, mutation:NAME, subscription:NAME, or * in place of the name";
  return { type, name: name === "*" ? undefined : name };
}

/**
 * Which of the routes of a path is asked first: the highest. More kinds come before fewer; then those whose entries name
 * what they want before expressions, before what only has to be there, before any operation at all. A list counts by the
 * least of its entries.
 */
export function rankOf(when: When | undefined): number {
  if (when === undefined) return 0;
  const tests = [when.header, when.query, when.form, when.json].flatMap((list) => list ?? []);
  const strengths = [...tests.map(strengthOf), ...(when.graphql ?? []).map(strengthOfOperation)];
  const kinds = Object.values(when).filter((list) => list !== undefined).length;
  return kinds * 4 + Math.min(...strengths);
}

function strengthOf({ value, pattern }: Pick<NamedTest, "value" | "pattern">): number {
  if (value !== undefined) return 3;
  return pattern === undefined ? 1 : 2;
}

function strengthOfOperation({ type, name }: OperationTest): number {
  if (name !== undefined) return 3;
  return type === undefined ? 0 : 1;
}

/** Tells what is asked for from all else: equal for the same, however it is written. */
export function keyOfWhen(when: When): string {
  const spelled = ({ name, value, pattern }: Pick<PointerTest, "name" | "value" | "pattern">) =>
    JSON.stringify([name, value ?? null, pattern?.text ?? null]);
  const sorted = (list: readonly string[] | undefined) => [...new Set(list)].sort();
  return JSON.stringify([
    sorted(when.header?.map(spelled)),
    sorted(when.query?.map(spelled)),
    sorted(when.form?.map(spelled)),
    sorted(when.json?.map(spelled)),
    sorted(when.graphql?.map(({ type, name }) => `${type ?? ""}:${name ?? "*"}`)),
  ]);
}

/** What is asked for, for people: `graphql addPaymentToOrder or mutation:*, query wc-ajax=checkout`. */
export function textOfWhen(when: When): string {
  const named = ({ name, value, pattern }: Pick<PointerTest, "name" | "value" | "pattern">) => {
    if (value !== undefined) return `${name}=${value}`;
    return pattern === undefined ? name : `${name}#${pattern.text}`;
  };
  const operation = ({ type, name = "*" }: OperationTest) => (type === undefined ? name : `${type}:${name}`);
  const kinds = {
    header: when.header?.map(named),
    query: when.query?.map(named),
    form: when.form?.map(named),
    json: when.json?.map(named),
    graphql: when.graphql?.map(operation),
  };
  return Object.entries(kinds)
    .flatMap(([kind, texts]) => (texts === undefined ? [] : `${kind} ${texts.join(" or ")}`))
    .join(", ");
}

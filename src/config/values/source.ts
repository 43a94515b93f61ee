/**
 * Where a value of a request or an answer is found: `header:NAME`, `cookie:NAME`, `query:NAME`, `param:NAME` (a path
 * parameter of the route), `form:NAME` (a field of an urlencoded or multipart body), `json:/POINTER` (RFC 6901, into the
 * body), `graphql:/FIELD/ARGUMENT` (of a field at the top of a document, further names lead into the argument), `body:#REGEX` (the body whatever it is, XML for one), and of shoppers `visitor` (a cookie of the proxy's own). Any of the others may end in `#REGEX`, whose first group is then
 * the value.
 */
import { type Expression, parseExpression } from "./expression.ts";

const sourceKinds = ["header", "cookie", "query", "param", "json", "form", "graphql", "body"] as const;
type SourceKind = (typeof sourceKinds)[number];

export interface Source {
  readonly kind: SourceKind | "visitor";
  /** Lower case for a header; the pointer, with its leading slash, for json and graphql; empty for body; the cookie's for visitor. */
  readonly name: string;
  readonly pattern?: Expression;
  /** Values that count as none; bytes. */
  readonly except?: ReadonlySet<string>;
  /** As written in the configuration. */
  readonly text: string;
}

const form = /^(header|cookie|query|param|json|form|graphql|body):([^#]*)(?:#(.+))?$/s;
const names: Readonly<Record<SourceKind, RegExp>> = {
  header: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/,
  cookie: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/,
  query: /^[^&=\s]+$/,
  form: /^[^&=\s]+$/,
  param: /^[A-Za-z_][A-Za-z0-9_]*$/,
  json: /^(?:\/(?:[^~]|~[01])*)+$/s,
  graphql: /^(?:\/[_A-Za-z][_0-9A-Za-z]*){2,}$/,
  body: /^$/,
};

export function isInBody({ kind }: Source): boolean {
  return kind === "json" || kind === "form" || kind === "graphql" || kind === "body";
}

/** @param texts values that say nothing, such as `undefined` */
export function exceptFrom(source: Source, texts: readonly string[]): Source {
  return { ...source, except: new Set(texts.map((text) => Buffer.from(text).toString("latin1"))) };
}

/** @returns the source, or the sentence that says what was expected */
export function parseSource(text: string): Source | string {
  const [, kindText, name, regex] = form.exec(text) ?? [];
  const kind = sourceKinds.find((known) => known === kindText);
  if (kind === undefined || name === undefined) {
    return "expected header:NAME, cookie:NAME, query:NAME, param:NAME, form:NAME, json:/POINTER or graphql:/FIELD/ARGUMENT, optionally followed by #REGEX, or body:#REGEX";
  }
  if (!names[kind].test(name)) return expectedNames[kind] ?? `expected a ${kind} name after ${kind}:`;
  const found = { kind, name: kind === "header" ? name.toLowerCase() : name, text };
  if (regex === undefined) return kind === "body" ? bodyForm : found;
  const pattern = parseExpression(regex);
  if (typeof pattern === "string") return pattern;
  if (pattern.groups === 0) return "expected a group in the expression after #: its first group is the value";
  return { ...found, pattern };
}

/** @returns the source of who a shopper is, or the sentence that says what was expected */
export function parseShopperSource(text: string): Source | string {
  if (text === "visitor") return { kind: "visitor", name: "", text };
  const parsed = parseSource(text);
  return typeof parsed === "string" && !form.test(text) ? `${parsed}, or visitor` : parsed;
}

const bodyForm = "expected body:#REGEX, whose first group is the value";
const expectedNames: Partial<Readonly<Record<SourceKind, string>>> = {
  json: "expected a JSON pointer (RFC 6901) such as json:/order/id",
  graphql: "expected a field at the top of a document and its argument, such as graphql:/order/id",
  body: bodyForm,
};

/**
 * What a request asks a GraphQL server for. PURE. The request says it in one of the ways that servers take: parameters of
 * the query, a JSON object, a list of these (a batch), a form, a multipart form with `operations`, or the text itself.
 *
 * Of a document with several operations the one counts that `operationName` names; without the name none can be run, and
 * it counts as unread. A field's name is the server's, whatever alias it is given; fields of fragments at the top are
 * fields at the top. `@skip` and `@include` are passed over: such a field counts as asked for.
 */
import type { OperationTest, OperationType } from "../../config/values/when.ts";
import { formValue, type ReadBody } from "../body.ts";
import { bytesOf } from "../bucket.ts";

/**
 * Whether a request is for a route. `unread`: the body or the document would tell, and cannot be read.
 * `unknown_document`: the request names a document by its hash alone, which is not known here.
 */
export type Fit = "holds" | "fails" | "unread" | "unknown_document";

/** A document as far as it tells which operations it has, and what these ask for. */
export interface GraphqlDocument {
  readonly operations: readonly GraphqlOperation[];
}

export interface GraphqlOperation {
  readonly type: OperationType;
  readonly name: string | undefined;
  /** At its top, those of fragments too, in order. */
  readonly fields: readonly TopField[];
  /** Of its variables that have any. */
  readonly defaults: ReadonlyMap<string, GivenValue>;
}

export interface TopField {
  readonly name: string;
  readonly given: ReadonlyMap<string, GivenValue>;
}

/** A value as it stands in a document. Numbers are as they are written; lists, null and truth values are absent. */
export type GivenValue =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "object"; readonly members: ReadonlyMap<string, GivenValue> };

/** The documents that are known. */
export interface GraphqlDocuments {
  /** @returns `undefined` for what cannot be read, or is past a bound */
  read(text: string): GraphqlDocument | undefined;
  /** @param id the SHA-256 of its text in hex, or what a manifest calls it */
  known(id: string): GraphqlDocument | undefined;
}

/** An operation as a request asks for it. */
interface Asked {
  readonly text: string | undefined;
  readonly id: string | undefined;
  /** Whether its client sends the text once it hears that its hash is not known. */
  readonly sendsText: boolean;
  readonly operationName: string | undefined;
  readonly variables: unknown;
}

export interface ReadOperations {
  readonly read: readonly { readonly operation: GraphqlOperation; readonly variables: unknown }[];
  /** Of those that could not be read as much as their client says. */
  readonly named: readonly { readonly name: string; readonly type: OperationType | undefined }[];
  /** How many the request asks for. */
  readonly count: number;
  readonly isUnread: boolean;
  /** Whether one is named by a hash alone that is not known, by a client that then sends the text. */
  readonly isUnknown: boolean;
  readonly isBatch: boolean;
}

export interface OperationsView {
  readonly query: string;
  readonly body: ReadBody;
  /** Content-Type, as received. */
  readonly type: string | undefined;
  /** What Apollo's clients say of it: `x-apollo-operation-name`, `x-apollo-operation-type`. */
  readonly said: { readonly name: string | undefined; readonly type: string | undefined };
}

const mostOperations = 100;

export function readOperations(view: OperationsView, documents: GraphqlDocuments): ReadOperations {
  const { asked, isBatch, isUnread: isBodyUnread } = askedBy(view);
  const read: { operation: GraphqlOperation; variables: unknown }[] = [];
  const named: { name: string; type: OperationType | undefined }[] = [];
  let isUnread = isBodyUnread || asked.length > mostOperations;
  let isUnknown = false;
  const saidName = asked.length <= 1 ? view.said.name : undefined;
  if (isUnread && asked.length === 0 && saidName !== undefined) named.push(asSaid(view, saidName));
  for (const one of asked.slice(0, mostOperations)) {
    const document = one.text === undefined ? one.id && documents.known(one.id) : documents.read(one.text);
    const operation = document ? runOf(document, one.operationName) : undefined;
    if (operation !== undefined) {
      read.push({ operation, variables: one.variables });
      continue;
    }
    const name = one.operationName ?? saidName;
    if (name !== undefined && one.text === undefined) named.push(asSaid(view, name));
    if (one.text === undefined && one.sendsText && !document) isUnknown = true;
    else isUnread = true;
  }
  return { read, named, count: asked.length, isUnread, isUnknown, isBatch };
}

function asSaid({ said }: OperationsView, name: string): ReadOperations["named"][number] {
  const type = operationTypes.find((known) => known === said.type?.toLowerCase());
  return { name, type };
}

const operationTypes = ["query", "mutation", "subscription"] as const;

/** @returns the operation that a server runs; `undefined` where it runs none */
function runOf({ operations }: GraphqlDocument, name: string | undefined): GraphqlOperation | undefined {
  if (name !== undefined) return operations.find((operation) => operation.name === name);
  return operations.length === 1 ? operations[0] : undefined;
}

interface AskedFor {
  readonly asked: readonly Asked[];
  readonly isBatch: boolean;
  readonly isUnread: boolean;
}

/** A body does not hide what the query says: some servers read that first. */
function askedBy({ query, body, type }: OperationsView): AskedFor {
  const byQuery = askedInForm((name) => formValue(query, name));
  if (body.kind !== "read") return { asked: byQuery, isBatch: false, isUnread: body.kind === "unread" };
  const { json, form, text = "" } = body.values;
  if (type !== undefined && /^\s*application\/graphql\s*(?:;|$)/i.test(type)) {
    const document = { text: utf8(text), id: undefined, sendsText: false };
    return ofOne([...byQuery, { ...document, operationName: undefined, variables: undefined }]);
  }
  if (form?.kind === "urlencoded") {
    return ofOne([...byQuery, ...askedInForm((name) => formValue(form.text, name))]);
  }
  const uploads = form?.fields.get("operations");
  const given = uploads === undefined ? json?.value : parsed(utf8(uploads));
  if (Array.isArray(given)) {
    return { asked: [...byQuery, ...given.flatMap(askedInObject)], isBatch: true, isUnread: false };
  }
  const isUnread = given === undefined && text !== "" && (uploads !== undefined || /json/i.test(type ?? ""));
  return { asked: [...byQuery, ...askedInObject(given)], isBatch: false, isUnread };
}

function ofOne(asked: readonly Asked[]): AskedFor {
  return { asked, isBatch: false, isUnread: false };
}

function askedInObject(given: unknown): Asked[] {
  if (!isObject(given)) return [];
  const { query, operationName, variables, extensions, documentId, id } = given;
  return madeOf(
    textOf(query),
    textOf(operationName),
    variables,
    extensions,
    textOf(documentId) ?? textOf(id),
  );
}

/** @param field bytes of UTF-8 */
function askedInForm(field: (name: string) => string | undefined): Asked[] {
  const of = (name: string) => {
    const value = field(name);
    return value === undefined ? undefined : utf8(value);
  };
  const [text, extensions, documentId] = [of("query"), of("extensions"), of("documentId")];
  if (text === undefined && extensions === undefined && documentId === undefined) return [];
  const variables = of("variables");
  return madeOf(
    text,
    textOf(of("operationName")),
    variables === undefined ? undefined : parsed(variables),
    extensions === undefined ? undefined : parsed(extensions),
    documentId,
  );
}

function madeOf(
  given: string | undefined,
  operationName: string | undefined,
  variables: unknown,
  extensions: unknown,
  documentId: string | undefined,
): Asked[] {
  const persisted = isObject(extensions) ? extensions.persistedQuery : undefined;
  const hash = isObject(persisted) ? textOf(persisted.sha256Hash)?.toLowerCase() : undefined;
  const text = given === "" ? undefined : given;
  const id = hash ?? documentId;
  if (text === undefined && id === undefined) return [];
  return [{ text, id, sendsText: hash !== undefined, operationName, variables }];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function utf8(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString("utf8");
}

/** Whether any of the operations is one of these, by its own name or by that of a field at its top. */
export function asksOperation(tests: readonly OperationTest[], operations: ReadOperations): Fit {
  const { read, named, isUnknown, isUnread } = operations;
  for (const { type, name } of tests) {
    for (const { operation } of read) {
      if (type !== undefined && operation.type !== type) continue;
      if (name === undefined || operation.name === name) return "holds";
      for (const field of operation.fields) if (field.name === name) return "holds";
    }
    for (const said of named) {
      if (type !== undefined && said.type !== type) continue;
      if (name === undefined ? type !== undefined : said.name === name) return "holds";
    }
  }
  if (isUnread) return "unread";
  return isUnknown ? "unknown_document" : "fails";
}

/**
 * The value of an argument of a field at the top, or of a member within it, written there or in a variable.
 *
 * @param pointer `/FIELD/ARGUMENT`, further names lead into it
 * @returns its bytes, of the first operation that has one
 */
export function argumentIn({ read }: ReadOperations, pointer: string): string | undefined {
  const [field = "", ...steps] = pointer.slice(1).split("/");
  for (const { operation, variables } of read) {
    for (const { name, given } of operation.fields) {
      if (name !== field) continue;
      const value = valueAt({ kind: "object", members: given }, steps, operation.defaults, variables);
      if (value !== undefined && value !== "") return bytesOf(value);
    }
  }
  return undefined;
}

function valueAt(
  given: GivenValue,
  steps: readonly string[],
  defaults: GraphqlOperation["defaults"],
  variables: unknown,
): string | undefined {
  if (given.kind === "variable") {
    const sent =
      isObject(variables) && Object.hasOwn(variables, given.name) ? variables[given.name] : undefined;
    if (sent !== undefined) return sentAt(sent, steps);
    const standard = defaults.get(given.name);
    return standard === undefined ? undefined : valueAt(standard, steps, defaults, variables);
  }
  const [step, ...rest] = steps;
  if (given.kind === "text") return step === undefined ? given.text : undefined;
  const member = step === undefined ? undefined : given.members.get(step);
  return member === undefined ? undefined : valueAt(member, rest, defaults, variables);
}

function sentAt(sent: unknown, steps: readonly string[]): string | undefined {
  let value = sent;
  for (const step of steps) value = isObject(value) && Object.hasOwn(value, step) ? value[step] : undefined;
  if (typeof value === "string") return value;
  return typeof value === "number" && Number.isSafeInteger(value) ? String(value) : undefined;
}

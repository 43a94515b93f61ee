/** What a request asks a GraphQL server for, in each of the ways in which clients say it. */
import { beforeAll, describe, expect, test } from "vitest";
import { parseOperationTest } from "../../../../src/config/values/when.ts";
import { type ReadBody, readForm, readJson } from "../../../../src/decide/body.ts";
import {
  argumentIn,
  asksOperation,
  type GraphqlDocuments,
  type OperationsView,
  readOperations,
} from "../../../../src/decide/when/operations.ts";
import { createDocuments } from "../../../../src/proxy/request/choice/documents.ts";

let documents: GraphqlDocuments;
beforeAll(async () => {
  const made = createDocuments(new Map([["list-1", "mutation Listed { listed(id: 5) { id } }"]]));
  await made.loaded;
  documents = made;
});

const none: ReadBody = { kind: "none" };
const ofJson = (value: unknown): ReadBody => {
  const text = JSON.stringify(value);
  return { kind: "read", values: { text, json: readJson(Buffer.from(text)) } };
};

function viewOf(view: Partial<OperationsView>): OperationsView {
  return { query: "", body: none, type: undefined, said: { name: undefined, type: undefined }, ...view };
}

function asks(texts: readonly string[], view: Partial<OperationsView>) {
  const tests = texts.map((text) => {
    const parsed = parseOperationTest(text);
    if (typeof parsed === "string") throw new Error(parsed);
    return parsed;
  });
  return asksOperation(tests, readOperations(viewOf(view), documents));
}

const document = (query: string, more: object = {}) => ({ body: ofJson({ query, ...more }) });

describe("names", () => {
  test.each([
    ["addPaymentToOrder", "mutation Pay { addPaymentToOrder(input: { method: 1 }) { id } }", "holds"],
    ["Pay", "mutation Pay { addPaymentToOrder { id } }", "holds"],
    ["mutation:*", "mutation { a }", "holds"],
    ["mutation:*", "query { a }", "fails"],
    ["query:*", "{ a }", "holds"],
    ["query:cart", "{ cart { id } }", "holds"],
    ["mutation:cart", "{ cart { id } }", "fails"],
    ["subscription:*", "subscription { orderPaid { id } }", "holds"],
    ["*", "{ anything }", "holds"],
    // An alias is a name of the client's own.
    ["addPaymentToOrder", "mutation { x: addPaymentToOrder { id } }", "holds"],
    ["addPaymentToOrder", "mutation { addPaymentToOrder: addItemToOrder { id } }", "fails"],
    // Not at the top.
    ["id", "{ cart { id } }", "fails"],
    ["pay", "mutation { ...F } fragment F on Mutation { pay { id } }", "holds"],
    ["pay", "mutation { ... on Mutation { ... { pay { id } } } }", "holds"],
    ["pay", "mutation { ...F } fragment F on Mutation { ...G } fragment G on Mutation { pay }", "holds"],
    ["pay", "mutation { ...F } fragment F on Mutation { ...F }", "fails"],
    ["pay", "mutation { ...Missing }", "fails"],
    ["pay", "mutation { pay @skip(if: true) }", "holds"],
    ["pay", 'query Q { search(text: "mutation { pay }") { id } }', "fails"],
    ["pay", "# mutation { pay }\n{ cart }", "fails"],
    ["pay", "{ unclosed", "unread"],
    ["pay", "type Query { pay: Int }", "unread"],
  ])("%s of %s: %s", (test, text, expected) => {
    expect(asks([test], document(text))).toBe(expected);
  });

  test("of several operations the named one counts, and none where none is named or there", () => {
    const text = "query Browse { a } mutation Pay { pay }";
    expect(asks(["pay"], document(text, { operationName: "Pay" }))).toBe("holds");
    expect(asks(["pay"], document(text, { operationName: "Browse" }))).toBe("fails");
    expect(asks(["pay"], document(text))).toBe("unread");
    expect(asks(["pay"], document(text, { operationName: "Other" }))).toBe("unread");
    expect(asks(["pay"], document("mutation Pay { pay }", { operationName: null }))).toBe("holds");
  });
});

describe("ways to say it", () => {
  const text = "mutation Pay { pay }";
  const encoded = encodeURIComponent(text);
  const form = (content: string, type: string): Partial<OperationsView> => ({
    body: { kind: "read", values: { text: content, form: readForm(content, type) } },
    type,
  });
  const upload =
    '--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n' +
    `${JSON.stringify({ query: text })}\r\n--x--\r\n`;
  test.each<[string, Partial<OperationsView>]>([
    ["a GET", { query: `query=${encoded}` }],
    ["a POST of JSON", document(text)],
    ["a batch", { body: ofJson([{ query: "{ a }" }, { query: text }]) }],
    [
      "the text itself",
      { body: { kind: "read", values: { text } }, type: "application/graphql; charset=utf-8" },
    ],
    ["a form", form(`query=${encoded}`, "application/x-www-form-urlencoded")],
    ["a form with files", form(upload, "multipart/form-data; boundary=x")],
    ["the query of a POST beside a body of another", { query: `query=${encoded}`, ...document("{ a }") }],
  ])("%s", (_, view) => {
    expect(asks(["pay"], view)).toBe("holds");
    expect(asks(["other"], view)).toBe("fails");
  });

  test.each<[string, Partial<OperationsView>]>([
    ["no document at all", { query: "a=1" }],
    ["another JSON", { body: ofJson({ hello: 1 }) }],
    ["an empty batch", { body: ofJson([]) }],
  ])("%s is none of any route", (_, view) => {
    expect(asks(["*"], view)).toBe("fails");
  });

  test.each<[string, Partial<OperationsView>]>([
    ["a body that is too large", { body: { kind: "unread" } }],
    ["broken JSON", { body: { kind: "read", values: { text: "{" } }, type: "application/json" }],
    ["a batch of more than 100", { body: ofJson(Array.from({ length: 101 }, () => ({ query: "{ a }" }))) }],
  ])("%s cannot be read", (_, view) => {
    expect(asks(["pay"], view)).toBe("unread");
  });
});

describe("bounds", () => {
  test.each([
    ["tokens", `{ ${"a ".repeat(5000)} }`],
    ["nesting", `${"{ a ".repeat(101)}${"}".repeat(101)}`],
    ["nested values", `{ a(b: ${"[".repeat(200)}${"]".repeat(200)}) }`],
  ])("past that of %s a document is not read", (_, text) => {
    expect(asks(["*"], document(text))).toBe("unread");
  });

  test("within them it is", () => {
    expect(asks(["a"], document(`{ ${"a ".repeat(1000)} }`))).toBe("holds");
    expect(asks(["a"], document(`${"{ a ".repeat(99)}${"}".repeat(99)}`))).toBe("holds");
  });
});

describe("a document named by its hash", () => {
  const text = "mutation Paid { payOnce }";
  const sha256Hash = "4c9d9b7f1f6d1f6df6a2d8c0f1f1fb1ea6bcb2a5bfbbd1a4bb2a0d1e9d0c1b2a";
  const persisted = (hash: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash: hash } } });

  test("is unknown until the text was seen, by its own hash and no other", async () => {
    const { hash } = await import("node:crypto");
    const right = hash("sha256", text);
    expect(asks(["payOnce"], { body: ofJson(persisted(right)) })).toBe("unknown_document");
    // Whoever sends a text under the hash of another teaches nothing.
    expect(asks(["payOnce"], { body: ofJson({ query: text, ...persisted(sha256Hash) }) })).toBe("holds");
    expect(asks(["payOnce"], { body: ofJson(persisted(sha256Hash)) })).toBe("unknown_document");
    expect(asks(["payOnce"], { body: ofJson(persisted(right)) })).toBe("holds");
    const inQuery = `extensions=${encodeURIComponent(JSON.stringify(persisted(right).extensions))}`;
    expect(asks(["payOnce"], { query: inQuery })).toBe("holds");
  });

  test("goes by the name that its client says, where a route asks for that", () => {
    const named = { operationName: "Pay", ...persisted(sha256Hash) };
    expect(asks(["Pay"], { body: ofJson(named) })).toBe("holds");
    expect(asks(["Other"], { body: ofJson(named) })).toBe("unknown_document");
    const said = { name: "Pay", type: "mutation" };
    expect(asks(["Pay"], { body: ofJson(persisted(sha256Hash)), said })).toBe("holds");
    expect(asks(["mutation:*"], { body: ofJson(persisted(sha256Hash)), said })).toBe("holds");
    expect(asks(["query:*"], { body: ofJson(persisted(sha256Hash)), said })).toBe("unknown_document");
  });

  test("a name says nothing against a text that can be read", () => {
    const said = { name: "Pay", type: "mutation" };
    expect(asks(["Pay", "mutation:*"], { ...document("{ cart }"), said })).toBe("fails");
    expect(asks(["Pay"], { body: { kind: "unread" }, said })).toBe("holds");
  });

  test("of a manifest is known from the start, and an id that no manifest has cannot be asked for", () => {
    expect(asks(["listed"], { body: ofJson({ documentId: "list-1" }) })).toBe("holds");
    expect(asks(["listed"], { body: ofJson({ id: "list-1" }) })).toBe("holds");
    expect(asks(["listed"], { query: "documentId=list-1" })).toBe("holds");
    expect(asks(["listed"], { body: ofJson({ documentId: "list-2" }) })).toBe("unread");
  });
});

describe("arguments", () => {
  const of = (pointer: string, view: Partial<OperationsView>) =>
    argumentIn(readOperations(viewOf(view), documents), pointer);
  test.each<[string, string, string, object | undefined, string | undefined]>([
    ["a literal", "/order/id", '{ order(id: "A7") { id } }', undefined, "A7"],
    ["under an alias", "/order/id", '{ mine: order(id: "A7") { id } }', undefined, "A7"],
    [
      "a number as it is written",
      "/order/id",
      "{ order(id: 90071992547409931) { id } }",
      undefined,
      "90071992547409931",
    ],
    ["an enum", "/order/id", "{ order(id: LAST) { id } }", undefined, "LAST"],
    ["a variable", "/order/id", "query ($x: ID!) { order(id: $x) { id } }", { x: "A7" }, "A7"],
    ["a variable's number", "/order/id", "query ($x: ID!) { order(id: $x) { id } }", { x: 77 }, "77"],
    [
      "a number that lost digits",
      "/order/id",
      "query ($x: ID!) { order(id: $x) { id } }",
      { x: 2 ** 60 },
      undefined,
    ],
    ["a default", "/order/id", 'query ($x: ID = "D1") { order(id: $x) { id } }', {}, "D1"],
    [
      "no default where null is sent",
      "/order/id",
      'query ($x: ID = "D1") { order(id: $x) { id } }',
      { x: null },
      undefined,
    ],
    ["a member", "/pay/input/order", 'mutation { pay(input: { order: "A7" }) { id } }', undefined, "A7"],
    [
      "a member of a variable",
      "/pay/input/order",
      "mutation ($i: I) { pay(input: $i) { id } }",
      { i: { order: "A7" } },
      "A7",
    ],
    [
      "a variable as a member",
      "/pay/input/order",
      "mutation ($o: ID) { pay(input: { order: $o }) { id } }",
      { o: "A7" },
      "A7",
    ],
    [
      "of a fragment",
      "/order/id",
      'query { ...F } fragment F on Query { order(id: "A7") { id } }',
      undefined,
      "A7",
    ],
    ["not of a field below", "/order/id", '{ me { order(id: "A7") { id } } }', undefined, undefined],
    [
      "not what objects inherit",
      "/order/id",
      "query ($toString: ID) { order(id: $toString) { id } }",
      {},
      undefined,
    ],
    ["not a list", "/order/id", '{ order(id: ["A7"]) { id } }', undefined, undefined],
    [
      "not a whole object",
      "/pay/input",
      'mutation { pay(input: { order: "A7" }) { id } }',
      undefined,
      undefined,
    ],
    ["as bytes of UTF-8", "/order/id", '{ order(id: "é") { id } }', undefined, "Ã©"],
  ])("%s", (_, pointer, query, variables, expected) => {
    expect(of(pointer, document(query, variables === undefined ? {} : { variables }))).toBe(expected);
  });

  test("the first operation of a batch that has one", () => {
    const batch = [
      { query: "{ cart }" },
      { query: '{ order(id: "A7") { id } }' },
      { query: '{ order(id: "B8") { id } }' },
    ];
    expect(of("/order/id", { body: ofJson(batch) })).toBe("A7");
  });

  test("variables of a GET", () => {
    const query = `query=${encodeURIComponent("query ($x: ID!) { order(id: $x) { id } }")}&variables=${encodeURIComponent('{"x":"A7"}')}`;
    expect(of("/order/id", { query })).toBe("A7");
  });
});

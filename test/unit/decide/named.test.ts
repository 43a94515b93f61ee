/** What a request names by whatever reading of it, in what time. */
import { expect, test } from "vitest";
import { parseSource } from "../../../src/config/values/source.ts";
import { readForm, readJson } from "../../../src/decide/body.ts";
import { compileNaming, keysNamedIn } from "../../../src/decide/named.ts";
import type { RequestView } from "../../../src/decide/sources.ts";

const sourcesOf = (...texts: string[]) =>
  texts.map((text) => {
    const source = parseSource(text);
    if (typeof source === "string") throw new Error(source);
    return source;
  });

const naming = compileNaming([
  {
    key: sourcesOf("json:/order/id#^SS-([0-9]+)$", "header:x-order"),
    learn: sourcesOf("json:/a~1b", "body:#<id>(.*?)</id>"),
    places: [{ before: ["orders"], others: new Set(["history"]) }],
  },
  { key: sourcesOf("header:idempotency-key"), learn: undefined, places: [] },
]);

const view: RequestView = { fields: [], fieldNames: [], query: "", paramNames: [], paramValues: [] };

function namedIn(text: string, more: Partial<RequestView> = {}) {
  const bytes = Buffer.from(text);
  return keysNamedIn(
    naming,
    { ...view, json: readJson(bytes), text: bytes.toString("latin1"), ...more },
    undefined,
  );
}

test.each([
  ["the group of an expression", '{"id":"SS-77"}', "77"],
  ["a number as it is written", '{"ID": 9007199254740993}', "9007199254740993"],
  ["a member with a slash in its name", '{"x":[{"A/B":"7"}]}', "7"],
  ["a key that is no ASCII, as bytes", '{"id":"\\u00fc"}', Buffer.from("ü").toString("latin1")],
  ["a value behind one that ends in a backslash", '{"x":"\\\\","id":"7"}', "7"],
])("a member names %s", (_, text, key) => {
  expect(namedIn(text).has(key)).toBe(true);
  expect(namedIn(text).has("8")).toBe(false);
});

test.each([
  ["the query", "", { query: "a=1&next=%2Forders%2F7%3Fpaid" }],
  ["a member", '{"to":"https://shop.example/orders/7/thanks"}', {}],
  [
    "the field of the page before",
    "",
    { fields: ["Referer", "http://a/orders/7;v=1#x"], fieldNames: ["referer"] },
  ],
])("%s names the order whose page it leads to", (_, text, more) => {
  expect(["7", "8"].map((key) => namedIn(text, more).has(key))).toEqual([true, false]);
});

test("a value under another name, and what names the request, name no order", () => {
  const fields = ["Idempotency-Key", "77"];
  const named = namedIn('{"cart":"77","x":"id"}', { fields, fieldNames: ["idempotency-key"] });
  expect(named.has("77")).toBe(false);
});

test("each field of a header counts", () => {
  const fields = ["X-Order", "1", "X-Order", "2"];
  const named = namedIn("", { fields, fieldNames: ["x-order", "x-order"] });
  expect(["1", "2", "3"].map((key) => named.has(key))).toEqual([true, true, false]);
});

test("a body of quotes that never end is looked through in linear time", () => {
  const type = "application/x-www-form-urlencoded";
  for (const text of [
    '"\\"'.repeat(40_000),
    `["${'\\"'.repeat(60_000)}"]`,
    '"a":'.repeat(30_000),
    '"'.repeat(65_535),
  ]) {
    const form = readForm(text, type);
    const began = performance.now();
    expect(namedIn(text, { form }).has("77")).toBe(false);
    expect(performance.now() - began).toBeLessThan(1000);
  }
});

/** Whether a request is for a route that shares its path with others. */
import { describe, expect, test } from "vitest";
import { parseNamedTest, parsePointerTest, type When } from "../../../../src/config/values/when.ts";
import { type BodyValues, type ReadBody, readForm, readJson } from "../../../../src/decide/body.ts";
import { holdsByBody, holdsByHead } from "../../../../src/decide/when/when.ts";

function sound<T>(parsed: T | string): T {
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

const named = (kind: "header" | "query" | "form", ...texts: string[]): When => ({
  [kind]: texts.map((text) => sound(parseNamedTest(kind, text))),
});
const json = (...texts: string[]): When => ({ json: texts.map((text) => sound(parsePointerTest(text))) });

const head = (query: string, fields: readonly string[] = [], hasBody = true) => ({
  query,
  fields,
  fieldNames: fields.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase()),
  hasBody,
});

describe("of the query", () => {
  test.each([
    ["wc-ajax=checkout", "wc-ajax=checkout", true],
    ["wc-ajax=checkout", "a=1&wc-ajax=checkout&b", true],
    ["wc-ajax=checkout", "wc-ajax=get_refreshed_fragments", false],
    ["wc-ajax=checkout", "wc%2Dajax=check%6Fut", true],
    ["wc-ajax=checkout", "", false],
    ["wc-ajax=checkout", "wc-ajax", false],
    ["wc-ajax", "wc-ajax=", false],
    ["wc-ajax", "wc-ajax=x", true],
    ["route=checkout/confirm", "route=checkout%2Fconfirm", true],
    ["route#^checkout/", "route=checkout/cart", true],
    ["route#^checkout/", "route=product/checkout/", false],
    ["route#^checkout/", `route=checkout/${"x".repeat(600)}`, false],
    // PHP takes the last, others the first.
    ["controller=order", "controller=product&controller=order", true],
    ["controller=order", "controller=order&controller=product", true],
    ["q=a b", "q=a+b", true],
    ["q=é", "q=%C3%A9", true],
  ])("%s of ?%s: %s", (test, query, expected) => {
    expect(holdsByHead(named("query", test), head(query))).toBe(expected);
  });

  test("of several one is enough", () => {
    expect(holdsByHead(named("query", "a=1", "b=2"), head("b=2"))).toBe(true);
    expect(holdsByHead(named("query", "a=1", "b=2"), head("a=2&b=1"))).toBe(false);
  });
});

describe("of the fields", () => {
  test("any of a name may be the one, whose own name's case does not count", () => {
    const fields = ["X-Api", "1", "x-api", "2"];
    expect(holdsByHead(named("header", "X-API=2"), head("", fields))).toBe(true);
    expect(holdsByHead(named("header", "x-api=3"), head("", fields))).toBe(false);
    expect(holdsByHead(named("header", "x-api#^[23]$"), head("", fields))).toBe(true);
    expect(holdsByHead(named("header", "x-other"), head("", fields))).toBe(false);
    expect(holdsByHead(named("header", "x-empty"), head("", ["X-Empty", ""]))).toBe(false);
  });
});

describe("kinds of conditions", () => {
  const both: When = { ...named("query", "a=1"), ...json("/type=pay") };

  test("all have to hold: what the head refuses waits for no body", () => {
    expect(holdsByHead(both, head("a=2"))).toBe(false);
    expect(holdsByHead(both, head("a=1"))).toBeUndefined();
    expect(holdsByHead(both, head("a=1", [], false))).toBe(false);
  });

  test("a GraphQL operation may be in the query of a request without a body", () => {
    const graphql: When = { graphql: [{ type: undefined, name: "pay" }] };
    expect(holdsByHead(graphql, head("", [], false))).toBeUndefined();
  });
});

describe("of the body", () => {
  const none = () => {
    throw new Error("no operation was to be read");
  };
  const read = (values: BodyValues): ReadBody => ({ kind: "read", values });
  const ofJson = (text: string) => read({ json: readJson(Buffer.from(text)), text });
  const ofForm = (text: string, type = "application/x-www-form-urlencoded") =>
    read({ form: readForm(text, type), text });

  test.each([
    ["/type=payment", '{"type":"payment"}', "holds"],
    ["/type=payment", '{"type":"cart"}', "fails"],
    ["/type=payment", '["type"]', "fails"],
    ["/id=9007199254740993", '{"id":9007199254740993}', "holds"],
    ["/lines/0", '{"lines":[]}', "fails"],
    ["/lines/*/sku=a", '{"lines":[{"sku":"b"},{"sku":"a"}]}', "holds"],
    ["/type#^pay", '{"type":"payment"}', "holds"],
    ["/type#^pay", `{"type":"${"p".repeat(600)}"}`, "unread"],
    ["/express=true", '{"express":true}', "holds"],
    ["/type=payment", "not json", "fails"],
  ])("%s of %s: %s", (pointer, text, expected) => {
    expect(holdsByBody(json(pointer), ofJson(text), none)).toBe(expected);
  });

  test.each([
    ["action=pay", "a=1&action=pay", "holds"],
    ["action=pay", "action=add&action=pay", "holds"],
    ["action=pay", "action=add", "fails"],
    ["action", "", "fails"],
    ["action#^p", `action=${"p".repeat(600)}`, "unread"],
  ])("%s of the form %s: %s", (test, text, expected) => {
    expect(holdsByBody(named("form", test), ofForm(text), none)).toBe(expected);
  });

  test("of a multipart form too", () => {
    const text = '--x\r\nContent-Disposition: form-data; name="action"\r\n\r\npay\r\n--x--\r\n';
    const body = ofForm(text, "multipart/form-data; boundary=x");
    expect(holdsByBody(named("form", "action=pay"), body, none)).toBe("holds");
    expect(holdsByBody(named("form", "action=add"), body, none)).toBe("fails");
  });

  test.each(["json", "form"] as const)(
    "what cannot be read is unknown to %s, and no body is none",
    (kind) => {
      const when = kind === "json" ? json("/a") : named("form", "a");
      expect(holdsByBody(when, { kind: "unread" }, none)).toBe("unread");
      expect(holdsByBody(when, { kind: "none" }, none)).toBe("fails");
    },
  );

  test("a form is not asked what only JSON tells, nor the other way round", () => {
    expect(holdsByBody(json("/a"), ofForm("a=1"), none)).toBe("fails");
    expect(holdsByBody(named("form", "a"), ofJson('{"a":1}'), none)).toBe("fails");
  });
});

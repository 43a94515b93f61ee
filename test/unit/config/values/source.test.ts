import { describe, expect, test } from "vitest";
import { firstGroup } from "../../../../src/config/values/expression.ts";
import { parseSource } from "../../../../src/config/values/source.ts";

describe("parseSource", () => {
  test.each([
    ["header:X-Shopper-Id", { kind: "header", name: "x-shopper-id" }],
    ["cookie:Sid", { kind: "cookie", name: "Sid" }],
    ["query:user[id]", { kind: "query", name: "user[id]" }],
    ["param:orderId", { kind: "param", name: "orderId" }],
    ["json:/a/b~1c/0", { kind: "json", name: "/a/b~1c/0" }],
    ["json:/", { kind: "json", name: "/" }],
    ["form:order[id]", { kind: "form", name: "order[id]" }],
  ])("%s", (text, expected) => {
    expect(parseSource(text)).toEqual({ ...expected, text });
  });

  test("#REGEX gives its first group", () => {
    const source = parseSource("header:location#/orders/([A-Z]+-\\d+)#?");
    if (typeof source === "string") throw new Error(source);
    expect(source.pattern && firstGroup(source.pattern, "https://x/orders/SS-12#a")).toBe("SS-12");
  });

  test.each([
    "",
    "header",
    "header:",
    "body:x",
    "body:",
    "body:#abc",
    "body:x#(a)",
    "body:#(.{1000}.{999})",
    "header:x#(?=a)(b)",
    "header:x#(a)\\1",
    "header:x#(.{1,999}.{1,999}.{1,9})",
    "Header:x",
    "header:a b",
    "cookie:a=b",
    "query:a&b",
    "param:a-b",
    "json:a",
    "json:",
    "json:/~2",
    "header:x#",
    "header:x#abc",
    "header:x#(",
    "header:x#(?:a)",
    "header:x#(a)\\",
  ])("%j is refused with what was expected", (text) => {
    expect(parseSource(text)).toMatch(/^expected /);
  });
});

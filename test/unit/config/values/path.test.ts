import { describe, expect, test } from "vitest";
import { parsePath } from "../../../../src/config/values/path.ts";

describe("parsePath", () => {
  test("exact, parameters and prefix", () => {
    expect(parsePath("/checkout")).toEqual({
      text: "/checkout",
      segments: [{ kind: "literal", text: "checkout" }],
      prefix: false,
    });
    expect(parsePath("/orders/:orderId/*")).toEqual({
      text: "/orders/:orderId/*",
      segments: [
        { kind: "literal", text: "orders" },
        { kind: "param", name: "orderId" },
      ],
      prefix: true,
    });
    expect(parsePath("/*")).toEqual({ text: "/*", segments: [], prefix: true });
    expect(parsePath("/")).toEqual({ text: "/", segments: [{ kind: "literal", text: "" }], prefix: false });
  });
  test.each([
    "",
    "a",
    "/a?b",
    "/a#b",
    "/a\\b",
    "/a b",
    "/caf\u00e9",
    "/a/*/b",
    "/a*",
    "/*/*",
    "/./a",
    "/a/..",
    "/:",
    "/:1",
    "/:a-b",
    "/:a/:a",
  ])("%j is refused with what was expected", (text) => {
    expect(parsePath(text)).toMatch(/^expected /);
  });
});

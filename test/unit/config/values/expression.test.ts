import { describe, expect, test } from "vitest";
import {
  firstGroup,
  isFound,
  parseExpression,
  unfinished,
} from "../../../../src/config/values/expression.ts";

function expression(text: string) {
  const parsed = parseExpression(text);
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

describe("an expression of the configuration", () => {
  test.each([
    ["a lookahead", "(?=a)b"],
    ["a lookbehind", "(?<=a)b"],
    ["a backreference", "(a)\\1"],
    ["half a group", "(a"],
    ["a nested repeat that is too large", "(?:a{1000}){1000}"],
    ["more than 2,000 instructions", ".{1000}.{999}"],
  ])("is refused where it has %s, and says what was expected", (_, text) => {
    expect(parseExpression(text)).toMatch(/^expected a (?:smaller )?regular expression/);
  });

  test("may have 2,000 instructions", () => {
    expect(expression(".{1000}.{998}").size).toBe(2000);
  });

  test("gives what its first group has found, the empty text as nothing", () => {
    expect(firstGroup(expression("/orders/([A-Z]+-\\d+)"), "/orders/SS-12/pay")).toBe("SS-12");
    expect(firstGroup(expression("a(b)?c"), "ac")).toBeUndefined();
    expect(firstGroup(expression("a(b*)c"), "ac")).toBeUndefined();
    expect(firstGroup(expression("^b(.)"), "abc")).toBeUndefined();
    expect(firstGroup(expression("(?:x(1)|y)"), "y")).toBeUndefined();
  });

  test("looks at bytes, one a character", () => {
    expect(firstGroup(expression("^(.{2})$"), "\xc3\xa9")).toBe("\xc3\xa9");
    expect(isFound(expression("^[^\\x00-\\x7f]"), "\xe9")).toBe(true);
  });

  test("is given up where it takes too long: nested repeats over the longest value, few of them over a body", () => {
    const nested = expression("((?:a?){600}a{600})b");
    expect(isFound(nested, "a".repeat(512))).toBe(unfinished);
    expect(firstGroup(nested, "a".repeat(512))).toBe(unfinished);
    expect(firstGroup(expression("(.{1,120}):y([0-9])"), "ab:y".repeat(16_384))).toBe(unfinished);
    expect(isFound(expression("<orderId>([^<]{1,64})</orderId>"), "<a>x</a>".repeat(131_072))).toBe(false);
  });

  test("ends a search that has found all it is asked for", () => {
    expect(isFound(expression("a.{100}"), "a".repeat(65_536))).toBe(true);
    expect(firstGroup(expression("(a.{100})"), "a".repeat(65_536))).toBe("a".repeat(101));
  });

  // Of a backtracking engine each of these takes longer than anybody waits.
  test.each(["^(a+)+$", "^(a|a)*$", "(.*a){6}$", "^(?:a?){30}a{30}(b)$"])(
    "%s is done with 512 hostile bytes in no time",
    (text) => {
      const started = performance.now();
      expect(
        firstGroup(expression(text.includes("(") ? text : `(${text})`), `${"a".repeat(511)}!`),
      ).toBeUndefined();
      expect(performance.now() - started).toBeLessThan(1000);
    },
  );
});

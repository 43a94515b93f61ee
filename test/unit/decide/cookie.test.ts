import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cookieValue, cookieValues, type OwnCookie, withoutCookies } from "../../../src/decide/cookie.ts";

describe("withoutCookies", () => {
  test("cuts the named cookies and leaves the other bytes as they were", () => {
    const own = [{ name: "j", isOwn: () => true }];
    expect(withoutCookies('a=1;  j=x; b="2"', own)).toBe('a=1; b="2"');
    expect(withoutCookies("j=x", own)).toBe("");
    expect(withoutCookies("j=x; a=1; j=y", own)).toBe("a=1");
    expect(withoutCookies("jj=1; xj=2", own)).toBe("jj=1; xj=2");
  });

  test("leaves a namesake that is somebody else's", () => {
    const own = [{ name: "j", isOwn: (value: string) => value === "mine" }];
    expect(withoutCookies('j=theirs;  a=1; j=mine; j="mine" ; j=', own)).toBe("j=theirs;  a=1; j=");
    expect(withoutCookies(" j=theirs", own)).toBe(" j=theirs");
  });
});

/** Whatever stands in a field, of the few characters that matter. */
const header = fc
  .array(fc.constantFrom("j", "jj", "k", "=", "=", ";", ";", " ", "\t", "\v", "\xa0", '"', "mine"), {
    maxLength: 24,
  })
  .map((parts) => parts.join(""));

const unquoted = (value: string) => /^"(.*)"$/s.exec(value)?.[1] ?? value;

describe("property: what is cut out of a field, and read of it, is what its pairs say one by one", () => {
  const own: readonly OwnCookie[] = [
    { name: "j", isOwn: (value) => value === "mine" },
    { name: "jj", isOwn: () => true },
    { name: "k", isOwn: (value) => value.startsWith("mine") },
  ];

  test("without the own ones", () => {
    const isOwn = (pair: string) => {
      const [, name = "", value = ""] = /^([^=]*)=(.*)$/s.exec(pair.trim()) ?? [];
      return own.some((one) => one.name === name && one.isOwn(unquoted(value)));
    };
    fc.assert(
      fc.property(header, (text) => {
        const pairs = text.split(";");
        const kept = pairs.filter((pair) => !isOwn(pair));
        const expected = kept.length === pairs.length ? text : kept.join(";").trimStart();
        expect(withoutCookies(text, own)).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });

  test("by their name", () => {
    fc.assert(
      fc.property(fc.array(header, { maxLength: 3 }), (texts) => {
        const pairs = texts.join(";").split(";");
        const values = pairs.flatMap((pair) => {
          const [, value] = /^[ \t]*j=(.*)$/s.exec(pair) ?? [];
          return value === undefined ? [] : unquoted(value.trimEnd());
        });
        const fields = texts.flatMap((text) => ["Cookie", text]);
        const names = texts.map(() => "cookie");
        expect(cookieValues(fields, names, "j")).toEqual(values);
        expect(cookieValue(fields, names, "j")).toBe(values[0]);
        const isLong = (value: string) => value.length > 2;
        expect(cookieValue(fields, names, "j", isLong)).toBe(values.find(isLong));
      }),
      { numRuns: 1000 },
    );
  });
});

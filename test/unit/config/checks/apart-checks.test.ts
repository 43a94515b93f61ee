import { describe, expect, test } from "vitest";
import { configOf, problemsOf, warningsOf, withCutover } from "../support.ts";

const shop = (apart: string, ...more: string[]) =>
  withCutover("routes: [{ name: a, path: /a }]", `cookies: { apart: ${apart} }`, ...more);
const line = "c.yaml:11:";
/** What `check` says of cookies. */
const warned = (text: string) => warningsOf(text).filter((one) => /cookies|owners/.test(one));

describe("cookies kept apart", () => {
  test.each(["[sid]", '["*"]', '["session*", __Host-sid, "PrestaShop-*", "connect.sid"]'])("%s", (apart) => {
    expect(problemsOf(shop(apart))).toEqual([]);
  });

  test("are none without the key", () => {
    expect(configOf(withCutover("routes: [{ name: a, path: /a }]")).cutovers.shop?.cookies).toBeUndefined();
  });

  test.each([
    ["[]", `${line}23 cutovers.shop.cookies.apart: expected`],
    ["sid", `${line}23 cutovers.shop.cookies.apart: expected`],
    ["{ sid: true }", `${line}23 cutovers.shop.cookies.apart: expected`],
    ["[1]", `${line}24 cutovers.shop.cookies.apart[0]: expected`],
    [
      '["a b"]',
      `${line}24 cutovers.shop.cookies.apart[0]: expected a cookie's name, or how it begins, with * behind that`,
    ],
    ['["*sid"]', `${line}24 cutovers.shop.cookies.apart[0]: expected a cookie's name`],
    ['["a**"]', `${line}24 cutovers.shop.cookies.apart[0]: expected a cookie's name`],
    ['[a, "a;b"]', `${line}27 cutovers.shop.cookies.apart[1]: expected a cookie's name`],
    ['[""]', `${line}24 cutovers.shop.cookies.apart[0]: expected a cookie's name`],
    [
      "[sid, b, sid]",
      `${line}32 cutovers.shop.cookies.apart[2]: expected each name once: the same as cutovers.shop.cookies.apart[0]`,
    ],
  ])("%s is refused by its line", (apart, problem) => {
    const problems = problemsOf(shop(apart));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  test("a misspelt key is refused", () => {
    expect(problemsOf(shop("[sid], keep: [b]"))[0]).toContain("cutovers.shop.cookies.keep: ");
  });

  test("none is the proxy's own, and none of these looks like one kept apart", () => {
    const own = shop("[cutover_journey, cutover_visitor, v]", "journey: { cookie: j~next }");
    expect(problemsOf(`${own}visitor: { cookie: v }\n`)).toEqual([
      `${line}58 cutovers.shop.cookies.apart[2]: expected a cookie of the shops: this one is the proxy's own; found "v"`,
      'c.yaml:12:24 cutovers.shop.journey.cookie: expected another name: cookies that end so are an upstream\'s, kept apart; found "j~next"',
    ]);
    expect(problemsOf(shop("[sid]", "journey: { cookie: j~old }"))).toEqual([]);
  });

  test.each(['["*"]', '["XSRF-*"]', "[csrftoken]", '["_g*"]'])(
    "%s is a warning: the page's scripts read such a cookie",
    (apart) => {
      expect(warned(shop(apart))[0]).toMatch(
        /cookies\.apart\[0\]: scripts of pages read cookies of this name/,
      );
    },
  );

  test("an owner's key in such a cookie is a warning", () => {
    const owners = "owners: [{ key: ['cookie:cart_id', 'cookie:other'], learn: ['json:/cart'], what: cart }]";
    const text = shop('["cart*"]', owners).replace("path: /a", "path: /a, learns: true");
    expect(warned(text)).toEqual([
      "c.yaml:12:22 cutovers.shop.owners[0].key[0]: the cookie is kept apart: the key is read of legacy's, and never of new's",
    ]);
  });

  test("a legacy that is new to another cutover with such cookies is a warning", () => {
    const text = `${shop("[sid]")}  other: { legacy: next, new: old, shopper: [visitor], routes: [{ name: b, path: /b }], cookies: { apart: [sid] } }\n`;
    expect(warned(text).map((one) => one.replace(/^\S+ /, ""))).toEqual([
      expect.stringContaining("cutovers.shop.cookies: legacy is the new of cutovers.other: "),
      expect.stringContaining("cutovers.other.cookies: legacy is the new of cutovers.shop: "),
    ]);
  });

  test("one cutover with the usual names warns of nothing", () => {
    expect(warned(shop('[sid, "session*"]'))).toEqual([]);
  });
});

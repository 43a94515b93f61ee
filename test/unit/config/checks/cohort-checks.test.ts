/** Cohorts in the configuration, and what is wrong with one. */
import { describe, expect, test } from "vitest";
import { problemsOf, warningsOf, withCutover } from "../support.ts";

const of = (...cohorts: readonly string[]) =>
  problemsOf(
    withCutover(`routes: [{ name: a, path: "/:shopId/a" }]\n    cohorts: [${cohorts.join(", ")}]`),
  ).map((problem) => problem.replace(/^\S+ /, ""));
const rule = (when: string) => of(`{ name: c, when: ${when}, side: new }`);

test.each([
  "{ header: x-region, in: [ID-JK] }",
  "{ header: x-region, in: ID-JK, host: '*.my', cidr: 10.0.0.0/8, share: 0.5 }",
  "{ param: shopId, matches: '^9' }",
  "{ json: /seller/id, in: ['7'] }",
  "{ cookie: tier }",
])("a rule may be %s", (when) => {
  expect(rule(when)).toEqual([]);
});

test("a list that is declared may be asked", () => {
  const cohorts = "cohorts: [{ name: c, when: { list: staff }, side: new }]";
  const text = withCutover(`routes: [{ name: a, path: /a }]\n    ${cohorts}`);
  expect(problemsOf(`${text}\nlists: { staff: {} }\n`)).toEqual([]);
});

test("a cohort has a side or a percent", () => {
  const expected = "expected side or percent, and not both";
  expect(of("{ name: c, when: { share: 5 } }")).toEqual([expect.stringContaining(expected)]);
  expect(of("{ name: c, when: { share: 5 }, side: new, percent: 5 }")).toEqual([
    expect.stringContaining(expected),
  ]);
});

test.each([
  ["{}", "when: expected what is asked of a request"],
  ["{ header: x, cookie: y }", "when: expected one of header, cookie"],
  ["{ header: 'x y' }", "when.header: expected a header name"],
  ["{ matches: '(' }", "when.matches: expected a regular expression"],
  ["{ cidr: 10.0.0.0/64 }", "when.cidr"],
  ["{ host: 'a.*' }", "when.host"],
  ["{ share: 101 }", "when.share: expected a number from 0 to 100"],
  ["{ in: [] }", "when.in"],
  ["{ region: x, share: 5 }", "when.region"],
  ["{ json: seller }", "when.json: expected a JSON pointer"],
  ["{ list: staff }", "when.list: expected a list of lists: there are none"],
  ["{ param: other }", "when.param: expected a parameter that a route of this cutover has"],
])("a rule of %s is wrong, and its place is named", (when, expected) => {
  const problems = rule(when);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(`cutovers.shop.cohorts[0].${expected}`);
});

test("two cohorts of one cutover have two names, and a percent has three decimals at most", () => {
  const cohort = "{ name: c, when: { share: 5 }, side: new }";
  expect(of(cohort, cohort)).toEqual([
    expect.stringContaining("cohorts[1].name: expected a name of its own for each cohort"),
  ]);
  expect(of("{ name: c, when: { share: 5 }, percent: 0.0001 }")).toEqual([
    expect.stringContaining("cohorts[0].percent: expected a number from 0 to 100"),
  ]);
  expect(of("{ name: A, when: { share: 5 }, side: new }")).toHaveLength(1);
});

describe("two cutovers of the same shoppers", () => {
  const second = (more: string, shopper = "[header:x-shopper-id]") => {
    const text = withCutover("routes: [{ name: a, path: /a }]\n    FIRST");
    const end = text.indexOf("cutovers:");
    const body = text.slice(end).split("\n").slice(1).join("\n");
    const own = /shopper: .*/.exec(body)?.[0] ?? "";
    const other = body
      .replace("shop:", "pay:")
      .replace("/a", "/b")
      .replace("FIRST", more)
      .replace(own, shopper === "" ? own : `shopper: ${shopper}`);
    return {
      text: `${text}\n${other}`,
      with: (first: string) => `${text}\n${other}`.replace("FIRST", first),
    };
  };

  test("are warned of where each gives them another place, with what that costs", () => {
    const apart = second("gaveUpAfter: 3s", "").with("gaveUpAfter: 3s");
    expect(warningsOf(apart).filter((warning) => warning.includes("9% of them"))).toHaveLength(1);
    const together = second("group: shop", "").with("group: shop");
    expect(problemsOf(together)).toEqual([]);
    expect(warningsOf(together).join()).not.toContain("9%");
    // One that lives is joined by its name.
    const joined = second("group: shop", "").with("gaveUpAfter: 3s");
    expect(warningsOf(joined).join()).not.toContain("9%");
  });

  test("are of one group only with the same shopper, and with no salt", () => {
    const other = second("group: shop", "[header:x-other]").with("group: shop");
    expect(problemsOf(other)).toEqual([
      expect.stringContaining("cutovers.pay.shopper: expected the same as"),
    ]);
    const salted = second("group: shop, salt: x".replace(", ", "\n    "), "").with("group: shop");
    expect(problemsOf(salted)).toEqual([expect.stringContaining("cutovers.pay.salt: expected no salt")]);
  });

  test("have one link, and a second one is told to be without effect, by its line", () => {
    const link = (name: string) => `group: shop\n    identity: { link: { cookie: ${name} } }`;
    const shopper = "[cookie:account, visitor]";
    const text = second(link("pay_link"), shopper)
      .with(link("shop_link"))
      .replace(/shopper: .*/, `shopper: ${shopper}`);
    expect(problemsOf(text)).toEqual([]);
    const vain = warningsOf(text).filter((warning) => warning.includes("without effect"));
    expect(vain).toEqual([
      expect.stringMatching(
        /cutovers\.pay\.identity\.link: without effect: in the group shop the link of shop counts/,
      ),
    ]);
  });
});

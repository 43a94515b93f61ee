import { describe, expect, test } from "vitest";
import { configOf, problemsOf, warningsOf, withCutover } from "../support.ts";

const secret = "s".repeat(32);
const shop = (handover: string, ...more: string[]) =>
  withCutover("routes: [{ name: a, path: /a }]", `handover: ${handover}`, ...more);
const at = "cutovers.shop.handover";

describe("a hand-over", () => {
  test("needs a secret, and nothing more", () => {
    expect(configOf(shop(`{ secret: ${secret} }`)).cutovers.shop?.handover).toEqual({
      cookie: "cutover_side",
      sameSite: "lax",
      secure: "auto",
      ttl: 400 * 86_400_000,
      secret: [secret],
    });
    expect(problemsOf(shop(`{ secret: [${secret}, ${secret}2], audience: shops, ttl: 30d }`))).toEqual([]);
  });

  test("is off without the block", () => {
    expect(configOf(withCutover("routes: [{ name: a, path: /a }]")).cutovers.shop?.handover).toBeUndefined();
  });

  test.each([
    ["{}", `c.yaml:11:5 ${at}.secret: expected`],
    ["{ secret: short }", `c.yaml:11:25 ${at}.secret: expected a secret of at least 32 characters`],
    ["{ secret: [] }", `c.yaml:11:25 ${at}.secret: `],
    [
      `{ secret: [${secret}, short] }`,
      `c.yaml:11:60 ${at}.secret[1]: expected a secret of at least 32 characters`,
    ],
    [`{ secret: ${secret}, cookie: "a b" }`, `${at}.cookie: expected a cookie name`],
    [`{ secret: ${secret}, ttl: 0s }`, `${at}.ttl: expected a duration longer than 0`],
    [`{ secret: ${secret}, audience: "" }`, `${at}.audience: `],
    [`{ secret: ${secret}, for: 60s }`, `${at}.for: `],
  ])("%s is refused by its line, and no secret is shown", (handover, problem) => {
    const problems = problemsOf(shop(handover));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
    expect(problems[0]).not.toMatch(/short|sss/);
  });

  test("has a cookie of its own, which browsers keep", () => {
    expect(problemsOf(shop(`{ secret: ${secret}, cookie: j }`, "journey: { cookie: j }"))[0]).toContain(
      "expected a cookie of its own for each ",
    );
    expect(problemsOf(shop(`{ secret: ${secret}, cookie: __Host-side }`))[0]).toContain(
      `${at}.cookie: expected secure: always, TLS here or trustedProxies`,
    );
    const cookies = "cookies: { apart: [cutover_side] }";
    expect(problemsOf(shop(`{ secret: ${secret} }`, cookies))[0]).toContain("this one is the proxy's own");
  });

  test("of nobody is a warning: anybody may name every shopper", () => {
    const text = shop(`{ secret: ${secret} }`);
    const vain = (shopper: string, ...more: string[]) =>
      warningsOf(
        [text.replace('["cookie:sid", visitor]', shopper), ...more.map((line) => `    ${line}\n`)].join(""),
      ).filter((one) => one.includes("handed over"));
    expect(vain('["header:x-account"]')).toEqual([
      `c.yaml:11:5 ${at}: nobody is handed over: anybody may name every shopper; add visitor, a cookie, or a trustedShopper`,
    ]);
    expect(vain('["header:x-account", visitor]')).toEqual([]);
    const trusted = "trustedShopper: { header: x-account, from: [10.0.0.0/8] }";
    expect(vain('["header:x-account"]', trusted)).toEqual([]);
  });
});

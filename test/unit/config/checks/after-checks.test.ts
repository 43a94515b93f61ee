/** A cutover that goes after another: what of it is wrong, and what is in vain. */
import { describe, expect, test } from "vitest";
import { least, problemsOf, warningsOf } from "../support.ts";

const shopper = '["cookie:account", visitor]';
/** Cutovers, each with the lines of its own; line 5 is `cutovers:`, each has five lines before its own. */
const shop = (cutovers: Readonly<Record<string, readonly string[]>>): string =>
  [
    `${least.replace("default: old", "default: next")}cutovers:`,
    ...Object.entries(cutovers).flatMap(([name, lines]) => [
      `  ${name}:`,
      "    legacy: old",
      "    new: next",
      ...(lines.some((line) => line.startsWith("shopper:")) ? [] : [`    shopper: ${shopper}`]),
      ...(lines.some((line) => line.startsWith("routes:"))
        ? []
        : [`    routes: [{ name: ${name}, path: "/${name}/:cartId" }]`]),
      ...lines.map((line) => `    ${line}`),
    ]),
    "",
  ].join("\n");
const pair = (payment: readonly string[], cart: readonly string[] = []) => ({
  cart: ["group: shop", ...cart],
  payment: ["group: shop", "after: cart", ...payment],
});

test("payment may go after cart, and another after that", () => {
  const chain = { ...pair([]), refunds: ["group: shop", "after: payment"] };
  expect(problemsOf(shop(chain))).toEqual([]);
  expect(warningsOf(shop(chain)).join()).not.toMatch(/after|of them are on new/);
});

test("one salt does as well as one group: the name of the first, or a text", () => {
  expect(problemsOf(shop({ cart: [], payment: ["group: cart", "after: cart"] }))).toEqual([]);
  expect(problemsOf(shop({ cart: ["salt: s"], payment: ["salt: s", "after: cart"] }))).toEqual([]);
});

describe("is wrong, at its line", () => {
  test.each([
    [
      "a name that is none",
      shop({ ...pair([]), payment: ["group: shop", "after: kart"] }),
      "c.yaml:18:12 cutovers.payment.after: expected another cutover of this file: cart;",
    ],
    [
      "its own name",
      shop({ payment: ["after: payment"] }),
      "c.yaml:11:12 cutovers.payment.after: expected another cutover of this file: there is none",
    ],
    [
      "a ring",
      shop({ cart: ["group: shop", "after: payment"], payment: ["group: shop", "after: cart"] }),
      "c.yaml:12:12 cutovers.cart.after: expected an order: in this one the cutover goes after itself",
    ],
    [
      "another salt",
      shop({ cart: [], payment: ["after: cart"] }),
      "c.yaml:16:12 cutovers.payment.after: expected a cutover of the same group",
    ],
    [
      "another shopper by one salt",
      shop({ cart: ["salt: s"], payment: ["salt: s", "after: cart", "shopper: [visitor]"] }),
      "cutovers.payment.shopper: expected the same as cutovers.cart.shopper: it goes after that",
    ],
    [
      "a link of its own",
      shop(pair(["identity: { link: {} }"])),
      "cutovers.payment.identity.link: expected no link: whoever logs in has the bucket here that he has in cart",
    ],
    [
      "another header that is trusted",
      shop(
        pair(
          ["shopper: [header:x-account]", "trustedShopper: { header: x-account, from: [10.0.0.0/8] }"],
          ["shopper: [header:x-account]"],
        ),
      ),
      "cutovers.payment.after: expected a cutover with the same trustedShopper: cart has another",
    ],
  ])("%s", (_, text, expected) => {
    expect(problemsOf(text).join("\n")).toContain(expected);
  });

  test("each cutover of a ring, and none that goes after one of them", () => {
    const ring = {
      a: ["group: g", "after: b"],
      b: ["group: g", "after: a"],
      c: ["group: g", "after: a"],
    };
    const problems = problemsOf(shop(ring)).filter((problem) => problem.includes("expected an order"));
    expect(problems.map((problem) => problem.split(" ")[1])).toEqual([
      "cutovers.a.after:",
      "cutovers.b.after:",
    ]);
  });
});

describe("is in vain, which is a warning", () => {
  const staff = "cohorts: [{ name: staff, when: { cookie: staff }, side: new }]";
  const seller = "cohorts: [{ name: seller, when: { param: cartId }, percent: 5 }]";

  test.each([
    [
      "a side for a cohort that cart does not move",
      pair([staff]),
      "payment.cohorts[0].side: no further than cart goes",
    ],
    [
      "hosts that cart is not for",
      pair(["hosts: [pay.example]"], ["hosts: [shop.example]"]),
      "payment.after: cart is for other hosts",
    ],
    [
      "moving nameless requests that cart keeps",
      pair(["anonymous: new-at-100"]),
      "payment.anonymous: without effect until cart is closed",
    ],
    [
      "a cohort of cart that no request here can be of",
      {
        ...pair([], [seller]),
        payment: ["group: shop", "after: cart", "routes: [{ name: pay, path: /pay }]"],
      },
      "payment.after: nobody is of the cohort seller of cart here",
    ],
  ])("%s", (_, cutovers, expected) => {
    expect(warningsOf(shop(cutovers)).join("\n")).toContain(expected);
  });

  test("and not where cart says the same", () => {
    const both = pair([staff, "anonymous: new-at-100"], [staff, "anonymous: new-at-100"]);
    expect(warningsOf(shop(both)).join("\n")).not.toMatch(/no further|without effect|nobody is of/);
  });
});

import { expect, test } from "vitest";
import { configOf, problemsOf, withCutover } from "../support.ts";

const routes =
  'routes: [{ name: checkout, path: /checkout, journey: start }, { name: pay, path: "/orders/:id/pay", payment: true }]';
const owners = 'owners: [{ key: "param:id", learn: ["json:/orderId"] }]';
const exposure = (more = "") =>
  `exposure: { maxOpenAmount: 250000000, currency: IDR, amount: "json:/total"${more} }`;

test("an exposure block says the cap, its currency and where an answer says an amount", () => {
  const whole = configOf(withCutover(routes, "journey: {}", owners, exposure()));
  expect(whole.cutovers.shop?.exposure).toMatchObject({
    maxOpenAmount: 250_000_000,
    currency: "IDR",
    amount: { kind: "json", name: "/total" },
    decimals: 0,
    for: 4 * 3_600_000,
  });
});

test.each([
  [owners, exposure().replace("250000000", "2.5"), "exposure.maxOpenAmount:"],
  [owners, exposure().replace("250000000", "0"), "exposure.maxOpenAmount:"],
  [owners, exposure().replace("250000000", "9007199254740993"), "exposure.maxOpenAmount:"],
  [owners, exposure().replace("IDR", "rupiah"), "expected a currency's code of ISO 4217 such as IDR"],
  [owners, exposure().replace("json:/total", "cookie:total"), "expected a place in an answer"],
  [owners, exposure(", decimals: 9"), "exposure.decimals:"],
  ["", exposure(), "exposure: expected an owner with learn, and a route with payment: true or journey: end"],
  [owners.replace('"param:id"', '"param:id", what: cart'), exposure(), "expected an owner with learn"],
])("%s with %s is wrong", (keys, block, said) => {
  const problems = problemsOf(withCutover(routes, "journey: {}", keys, block));
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(said);
});

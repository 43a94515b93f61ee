import { expect, test } from "vitest";
import { configOf, problemsOf, withCutover } from "../support.ts";

const routes = 'routes: [{ name: cart, path: "/cart/*" }]';

test("a guard may say nothing at all, and is as it is shipped", () => {
  expect(configOf(withCutover(routes, "guard: {}")).cutovers.shop?.guard).toEqual({
    budget: 0.01,
    tolerance: 1,
    maxErrorRate: 0.1,
    minFailures: 3,
    block: 2000,
    sloTimeout: 10_000,
  });
  expect(configOf(withCutover(routes)).cutovers.shop?.guard).toBeUndefined();
});

test.each([
  ["{ action: page }", "11:22 cutovers.shop.guard.action:"],
  ["{ budget: 0.01 }", "11:22 cutovers.shop.guard.budget:"],
  ["{ budget: 0% }", "expected a percent above 0 and below 100, such as 1% or 0.5%"],
  ["{ maxErrorRate: 95% }", "expected a percent of at most 90%"],
  ["{ tolerance: 0.5 }", "11:25 cutovers.shop.guard.tolerance:"],
  ["{ block: 500ms }", "expected a duration from 1s to 10s"],
  ["{ sloTimeout: 3m }", "expected a duration from 1s to 120s"],
  [
    "{ routes: [cart, pay] }",
    "11:29 cutovers.shop.guard.routes[1]: expected the name of a route of this cutover",
  ],
  ["{ paid: true }", "cutovers.shop.guard.paid:"],
])("%s is wrong, and its place is told", (guard, said) => {
  const problems = problemsOf(withCutover(routes, `guard: ${guard}`));
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(said);
});

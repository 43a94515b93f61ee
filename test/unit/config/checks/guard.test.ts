import { expect, test } from "vitest";
import { configOf, problemsOf, withCutover } from "../support.ts";

const routes = 'routes: [{ name: cart, path: "/cart/*" }]';

test("a cutover is guarded as it is shipped when nothing is said, and not when that says off", () => {
  expect(configOf(withCutover(routes, "guard: {}")).cutovers.shop?.guard).toEqual({
    budget: 0.01,
    tolerance: 1,
    maxErrorRate: 0.1,
    minFailures: 3,
    block: 2000,
    sloTimeout: 10_000,
  });
  expect(configOf(withCutover(routes)).cutovers.shop?.guard).toEqual(
    configOf(withCutover(routes, "guard: {}")).cutovers.shop?.guard,
  );
  for (const off of ["off", "false"]) {
    expect(configOf(withCutover(routes, `guard: ${off}`)).cutovers.shop?.guard).toBeUndefined();
  }
});

test.each([
  ["on", "cutovers.shop.guard: expected a mapping, or off"],
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
  [
    "{ paid: true }",
    "cutovers.shop.guard.paid: expected a route with journey: start and one with journey: end",
  ],
  ["{ latency: { slo: 20s } }", "cutovers.shop.guard.latency.slo: expected a time of at most sloTimeout"],
  ["{ latencies: {} }", "cutovers.shop.guard.latencies:"],
])("%s is wrong, and its place is told", (guard, said) => {
  const problems = problemsOf(withCutover(routes, `guard: ${guard}`));
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(said);
});

const metric = (more = "") =>
  `guard: { metrics: [{ name: stock, query: 'stock{side="$side"}', worse: above, than: legacy${more} }] }`;

test("metrics of the owner's own are as they are shipped where little is said", () => {
  const read = configOf(`prometheus: http://prometheus:9090\n${withCutover(routes, metric())}`);
  expect(read.prometheus).toBe("http://prometheus:9090");
  expect(read.cutovers.shop?.guard?.metrics).toEqual([
    {
      name: "stock",
      query: 'stock{side="$side"}',
      worse: "above",
      than: "legacy",
      for: 300_000,
      action: "hold",
    },
  ]);
});

test("metrics without a Prometheus are wrong, and their place is told", () => {
  expect(problemsOf(withCutover(routes, metric()))).toEqual([
    expect.stringContaining("11:23 cutovers.shop.guard.metrics: expected prometheus: who answers for them"),
  ]);
});

test.each([
  [metric(", by: 0.5"), "cutovers.shop.guard.metrics[0].by:"],
  [metric(", for: 1s"), "expected a duration from 5s to 1h"],
  [metric(", action: page"), "cutovers.shop.guard.metrics[0].action:"],
  [metric().replace("than: legacy", "than: marketplace"), "expected legacy, or a number of at least 0"],
  [metric().replace("$side", "new"), "expected $side in it: it is asked of new and of legacy"],
  [
    metric().replace("[{", "[{ name: stock, query: up, worse: below, than: 1 }, {"),
    "metrics[1].name: expected a name of its own for each metric",
  ],
])("%s is wrong, and its place is told", (guard, said) => {
  const problems = problemsOf(`prometheus: http://prometheus:9090\n${withCutover(routes, guard)}`);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(said);
});

test("an address that is none of a Prometheus is wrong", () => {
  const [problem] = problemsOf(`prometheus: prometheus:9090\n${withCutover(routes)}`);
  expect(problem).toContain("1:13 prometheus: expected the URL of a Prometheus");
});

import { expect, test } from "vitest";
import { occurrences } from "../../../../src/config/plan/cron.ts";
import { configOf, problemsOf, withCutover } from "../support.ts";

const routes = 'routes: [{ name: cart, path: "/cart/*" }]';
const planned = (plan: string) => withCutover(routes, "guard: {}", `plan: ${plan}`);

test("a plan may say nothing at all, and is as it is shipped", () => {
  expect(configOf(planned("{}")).cutovers.shop?.plan).toEqual({
    steps: [1, 5, 10, 25, 50, 99, 100],
    dwell: 600_000,
    advance: "auto",
    windows: [],
  });
});

test("windows, evidence and the deadline are read ready to use", () => {
  const plan =
    "{ evidence: {}, requireReady: legacy, windows: [{ deny, from: 2024-03-08T00:00:00+07:00, to: 2024-03-09T00:00:00+07:00, reason: sale }, { deny: raise, cron: 0 18 * * FRI, for: 62h, timezone: Asia/Jakarta, reason: weekend }] }";
  const deadline = "deadline: { at: 2024-04-12T00:00:00+07:00, reason: law }";
  const shop = configOf(withCutover(routes, "guard: {}", `plan: ${plan}`, deadline)).cutovers.shop;
  expect(shop?.plan?.evidence).toEqual({ notWorseThan: 2, confidence: 0.95 });
  expect(shop?.plan?.windows).toEqual([
    { deny: "raise", from: Date.UTC(2024, 2, 7, 17), to: Date.UTC(2024, 2, 8, 17), reason: "sale" },
    { deny: "raise", cron: "0 18 * * FRI", for: 223_200_000, timezone: "Asia/Jakarta", reason: "weekend" },
  ]);
  expect(shop?.deadline).toEqual({ at: Date.UTC(2024, 3, 11, 17), reason: "law" });
});

test.each([
  ["{ steps: [] }", "12:20 cutovers.shop.plan.steps"],
  ["{ steps: [1, 5, 5] }", "12:27 cutovers.shop.plan.steps[2]: expected more than the step before"],
  ["{ steps: [0, 5] }", "12:21 cutovers.shop.plan.steps[0]: expected a percent above 0"],
  ["{ dwell: soon }", "12:20 cutovers.shop.plan.dwell: expected a duration"],
  ["{ advance: later }", "cutovers.shop.plan.advance"],
  [
    "{ evidence: { confidence: 20% } }",
    "12:37 cutovers.shop.plan.evidence.confidence: expected a percent of at least 50%",
  ],
  ["{ evidence: { notWorseThan: 1 } }", "cutovers.shop.plan.evidence.notWorseThan"],
  ["{ requireReady: new }", "cutovers.shop.plan.requireReady"],
  ["{ stages: [1] }", "expected one of steps, dwell"],
  ["{ windows: [{ deny, reason: x }] }", "windows[0].cron: expected from and to, or cron, for and timezone"],
  [
    "{ windows: [{ deny, cron: '0 18 * * FRI', for: 1h, reason: x }] }",
    "windows[0].timezone: expected the time zone",
  ],
  [
    "{ windows: [{ deny, cron: '0 25 * * *', for: 1h, timezone: UTC, reason: x }] }",
    "windows[0].cron: expected cron's five fields",
  ],
  [
    "{ windows: [{ deny, cron: '0 1 * * *', for: 1h, timezone: Asia/Jakata, reason: x }] }",
    "windows[0].timezone: expected a time zone",
  ],
  [
    "{ windows: [{ deny, from: 2024-03-08T00:00:00, to: 2024-03-09T00:00:00Z, reason: x }] }",
    "windows[0].from: expected a moment with its zone",
  ],
  [
    "{ windows: [{ deny, from: 2024-03-08T00:00:00Z, to: 2024-03-07T00:00:00Z, reason: x }] }",
    "windows[0].to: expected a moment after from",
  ],
  [
    "{ windows: [{ deny: lower, from: 2024-03-08T00:00:00Z, to: 2024-03-09T00:00:00Z, reason: x }] }",
    "windows[0].deny: expected raise",
  ],
])("%s is wrong, and its place is told", (plan, said) => {
  const problems = problemsOf(planned(plan));
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(said);
});

test("evidence needs a guard, which counts it", () => {
  const problems = problemsOf(withCutover(routes, "guard: off", "plan: { evidence: {} }"));
  expect(problems).toEqual([expect.stringContaining("cutovers.shop.plan.evidence: expected a guard")]);
});

test("evidence of payments needs a guard that sees them: such a plan would never have left its first step", () => {
  const problems = problemsOf(withCutover(routes, "plan: { evidence: { paid: 1.5 } }"));
  expect(problems).toEqual([
    expect.stringContaining("cutovers.shop.plan.evidence.paid: expected a guard that sees payments"),
  ]);
});

test("a deadline names a moment and why", () => {
  const problems = problemsOf(withCutover(routes, "deadline: { at: 2024-02-30T00:00:00Z, reason: law }"));
  expect(problems).toEqual([expect.stringContaining("cutovers.shop.deadline.at: expected a moment")]);
});

const at = (text: string) => Date.parse(text);

test("what falls into the hour that a spring has not happens at its end; in the hour that an autumn has twice, once", () => {
  const next = occurrences("30 2 * * *", "Europe/Berlin");
  expect(next(at("2024-03-30T12:00:00Z"))).toBe(at("2024-03-31T01:00:00Z"));
  const autumn = next(at("2024-10-26T12:00:00Z")) ?? 0;
  expect(autumn).toBe(at("2024-10-27T00:30:00Z"));
  expect(next(autumn)).toBe(at("2024-10-28T01:30:00Z"));
});

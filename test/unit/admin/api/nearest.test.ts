import { expect, test } from "vitest";
import { nearest } from "../../../../src/admin/api/nearest.ts";

const known = ["checkout", "returns", "search", "b2b"];

test.each([
  ["chekout", "checkout"],
  ["checkuot", "checkout"],
  ["CHECKOUT", "checkout"],
  ["checkouts", "checkout"],
  ["retrun", "returns"],
  ["b2c", "b2b"],
  ["sea", "search"],
])("%s may have been meant as %s", (typed, meant) => {
  expect(nearest(typed, known)).toBe(meant);
});

test.each(["", "x", "payment", "c", "e".repeat(100_000)])("%j is near to none", (typed) => {
  expect(nearest(typed, known)).toBeUndefined();
  expect(nearest(typed, [])).toBeUndefined();
});

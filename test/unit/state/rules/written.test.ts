import { expect, test } from "vitest";
import { initialState } from "../../../../src/state/rules/model.ts";
import { isBelievable } from "../../../../src/state/rules/written.ts";

test("a state is believed only when changes can have led to it", () => {
  expect(isBelievable({ ...initialState(), version: 1 })).toBe(true);
  expect(isBelievable(initialState())).toBe(false);
  expect(isBelievable({ ...initialState(), version: 1, state: "closed" })).toBe(false);
  expect(isBelievable({ ...initialState(), version: 1, percentThousandths: 0.5 })).toBe(false);
});

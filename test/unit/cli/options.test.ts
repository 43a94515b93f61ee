import fc from "fast-check";
import { expect, test } from "vitest";
import { percentWord, readPercent } from "../../../src/cli/options.ts";

test.each([
  ["25", 25],
  ["25%", 25],
  ["12.5", 12.5],
  ["12.5%", 12.5],
  ["0", 0],
  ["0.0", 0],
  ["1", 1],
  ["0.25%", 0.25],
  ["0.001%", 0.001],
  ["100%", 100],
])("%s is %d percent", (text, percent) => {
  expect(readPercent(text)).toBe(percent);
});

test.each([
  ["0.25", "0.25% (of 100) or 25% (0.25 of 1)"],
  ["0.001", "0.001% (of 100) or 0.1% (0.001 of 1)"],
  ["12,5", "written with a point: 12.5%"],
  ["0,25%", "written with a point: 0.25%"],
  ["1,000", "written with a point: 1.000%"],
  ["250,5", "written with a point."],
  ["25%%", "such as 25 or 12.5"],
  ["%", "such as 25 or 12.5"],
  ["101", "such as 25 or 12.5"],
])("%s is refused with a hint", (text, hint) => {
  expect(() => readPercent(text)).toThrow(hint);
});

test("a percent is read back as it is written, to the thousandth", () => {
  const seed = Date.now();
  const thousandths = fc.integer({ min: 0, max: 100_000 });
  const property = fc.property(thousandths, (number) => {
    expect(readPercent(percentWord(number / 1000)), `seed ${seed}`).toBe(number / 1000);
  });
  fc.assert(property, { seed, verbose: 1 });
});

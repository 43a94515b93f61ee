import { describe, expect, test } from "vitest";
import {
  formatPercent,
  maxThousandths,
  parsePercent,
  percentFromNumber,
  percentToNumber,
} from "../../../../src/state/rules/percent.ts";

describe("parsePercent", () => {
  test.each([
    ["0", 0],
    ["0.0", 0],
    ["0.001", 1],
    ["4.035", 4035],
    ["25", 25_000],
    ["25.5", 25_500],
    ["12.340", 12_340],
    ["99.999", 99_999],
    ["100", 100_000],
    ["100.000", 100_000],
  ])("reads %s as %i thousandths", (text, thousandths) => {
    expect(parsePercent(text)).toBe(thousandths);
  });

  test.each([
    "",
    " 25",
    "25 ",
    "25%",
    "+5",
    "-1",
    "-0",
    "05",
    ".5",
    "5.",
    "1e2",
    "0x10",
    "1_000",
    "0.0001",
    "100.001",
    "101",
    "1000",
    "NaN",
    "Infinity",
    "off",
    "2\n5",
    "٢٥",
  ])("refuses %j", (text) => {
    expect(parsePercent(text)).toBeUndefined();
  });
});

describe("percentFromNumber", () => {
  test("goes by the number's shortest decimal text", () => {
    expect(percentFromNumber(12.345)).toBe(12_345);
    expect(percentFromNumber(0.001)).toBe(1);
    expect(percentFromNumber(-0)).toBe(0);
  });

  test.each([0.1 + 0.2, 1e-7, -1, 100.001, Number.NaN, Number.POSITIVE_INFINITY, 1e21])(
    "refuses %d",
    (value) => {
      expect(percentFromNumber(value)).toBeUndefined();
    },
  );
});

test("a percent comes back exactly, as text and as a number", () => {
  for (let thousandths = 0; thousandths <= maxThousandths; thousandths++) {
    if (parsePercent(formatPercent(thousandths)) !== thousandths) expect.fail(`as text: ${thousandths}`);
    if (percentFromNumber(percentToNumber(thousandths)) !== thousandths) {
      expect.fail(`as a number: ${thousandths}`);
    }
  }
});

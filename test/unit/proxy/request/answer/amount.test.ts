/** Amounts are reckoned from their digits: what a floating-point number makes of them is the oracle's to avoid. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { minorUnits, mostAmount } from "../../../../../src/proxy/request/answer/amount.ts";

test.each([
  ["250000", 0, 250_000],
  ["250000.0", 0, 250_000],
  ["2.5e5", 0, 250_000],
  ["2.5E+5", 0, 250_000],
  ["250000000e-3", 0, 250_000],
  ["19.9", 2, 1990],
  ["19.90", 2, 1990],
  [" 19.90 ", 2, 1990],
  ["0.1", 2, 10],
  ["1.005", 2, 101],
  ["19.001", 2, 1901],
  ["0.0001", 2, 1],
  ["1e-300", 2, 1],
  ["0", 0, 0],
  ["0.000", 2, 0],
  ["0e999", 0, 0],
  ["9007199254740.993", 0, mostAmount],
  ["1e300", 0, mostAmount],
  ["1e999", 4, mostAmount],
  ["0.00000000001e11", 0, 1],
] as const)("%s with %i decimals are %i minor units", (text, decimals, units) => {
  expect(minorUnits(text, decimals)).toBe(units);
});

test.each(["", "-5", "+5", "5,000", "Rp 5000", "0x10", "NaN", "Infinity", "1.", ".5", "1e", "1 2", "true"])(
  "%j is no amount",
  (text) => expect(minorUnits(text, 0)).toBeUndefined(),
);

test("whole numbers of minor units come back from every spelling of theirs, digit by digit", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: mostAmount }),
      fc.integer({ min: 0, max: 4 }),
      (units, decimals) => {
        const digits = `${units}`.padStart(decimals + 1, "0");
        const point = digits.length - decimals;
        const plain = decimals === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
        expect(minorUnits(plain, decimals)).toBe(units);
        expect(minorUnits(`${digits}e-${decimals}`, decimals)).toBe(units);
        expect(minorUnits(`${plain}${decimals === 0 ? ".0001" : "1"}`, decimals)).toBe(
          Math.min(units + 1, mostAmount),
        );
      },
    ),
  );
});

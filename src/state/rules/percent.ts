/**
 * Percent as the system holds it: an integer of thousandths, 0–100000 (4.035 % is 4035), so that a share is
 * compared exactly with a bucket and never through a binary fraction.
 */

export const maxThousandths = 100_000;

/** Whether the number is a percent as the system holds it. */
export function isThousandths(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= maxThousandths;
}

const decimal = /^(?:0|[1-9]\d{0,2})(?:\.\d{1,3})?$/;

/**
 * Reads a percent written in decimal ("25", "0.001", "12.345").
 *
 * @param text at most three decimals, no sign, no exponent, no surrounding space
 * @returns thousandths of a percent, 0–100000; `undefined` when the text is not such a percent
 */
export function parsePercent(text: string): number | undefined {
  if (!decimal.test(text)) return undefined;
  const [whole = "0", fraction = ""] = text.split(".");
  const thousandths = Number(whole) * 1000 + Number(fraction.padEnd(3, "0"));
  return thousandths <= maxThousandths ? thousandths : undefined;
}

/** The same for a JSON number: its shortest decimal text decides, so 12.345 is 12345 and 0.1 + 0.2 is refused. */
export function percentFromNumber(value: number): number | undefined {
  return parsePercent(String(value));
}

/** @returns the percent as a number, exact to three decimals (4035 → 4.035) */
export function percentToNumber(thousandths: number): number {
  return thousandths / 1000;
}

/** @returns the percent as text for the store and for people (12500 → "12.5") */
export function formatPercent(thousandths: number): string {
  return String(thousandths / 1000);
}

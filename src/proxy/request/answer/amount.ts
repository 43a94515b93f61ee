/**
 * An amount as an answer says it, in whole minor units. PURE.
 *
 * It is reckoned from the digits of the text, never as a floating-point number: of 0.1 + 0.2 nobody's order is made. A JSON
 * number is its text; a text of digits counts as well. What is finer than a minor unit is rounded up, so that no money at
 * risk is left out.
 */

/** What is more counts as this. */
export const mostAmount = 9_000_000_000_000;

const form = /^(\d{1,40})(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,3}))?$/;

/**
 * @param decimals how many decimals of the amount are minor units: 0 for one that is in minor units already, 2 for `19.90`
 * @returns 0 to `mostAmount`; `undefined` for what is no amount: a negative one, one with separators or a sign of a currency
 */
export function minorUnits(text: string, decimals: number): number | undefined {
  const [, whole, fraction = "", exponent = "0"] = form.exec(text.trim()) ?? [];
  if (whole === undefined) return undefined;
  const digits = whole + fraction;
  const point = whole.length + Number(exponent) + decimals;
  if (!/[1-9]/.test(digits)) return 0;
  if (point <= 0) return 1;
  const significant = digits.slice(0, point).padEnd(Math.min(point, digits.length + 100), "0");
  const isRoundedUp = /[1-9]/.test(digits.slice(point));
  const amount = BigInt(significant) + (isRoundedUp ? 1n : 0n);
  return amount > BigInt(mostAmount) || point > digits.length + 100 ? mostAmount : Number(amount);
}

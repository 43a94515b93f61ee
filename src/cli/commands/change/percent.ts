/** A percent as it is typed. PURE. */
import { InvalidArgumentError } from "commander";
import { formatPercent, parsePercent, percentToNumber } from "../../../state/rules/percent.ts";

const expected = "Expected a percent from 0 to 100 with at most 3 decimals";

/**
 * `25`, `25%`, `12.5`, `12.5%`, `0.25%`. Two are refused because they are as likely a mistake of a hundred times: `0.25`
 * without the sign, which may mean a quarter, and `12,5`, whose comma other programs read as a thousands separator.
 *
 * @returns 0–100
 * @throws InvalidArgumentError
 */
export function readPercent(text: string): number {
  const bare = text.replace(/%$/, "");
  if (/^\d+,\d+$/.test(bare)) {
    const pointed = bare.replace(",", ".");
    const hint = parsePercent(pointed) === undefined ? "" : `: ${pointed}%`;
    throw new InvalidArgumentError(`${expected}, written with a point${hint}.`);
  }
  const thousandths = parsePercent(bare);
  if (thousandths === undefined) throw new InvalidArgumentError(`${expected}, such as 25 or 12.5.`);
  if (text === bare && thousandths > 0 && thousandths < 1000) {
    const share = `${formatPercent(thousandths * 100)}%`;
    throw new InvalidArgumentError(
      `${expected}; below 1 with its sign, since ${text} may be either: ${bare}% (of 100) or ${share} (${bare} of 1).`,
    );
  }
  return percentToNumber(thousandths);
}

/** As `readPercent` takes it back. */
export function percentWord(percent: number): string {
  const text = formatPercent(Math.round(percent * 1000));
  return percent > 0 && percent < 1 ? `${text}%` : text;
}

/** A percent as it is typed. PURE. */
import { InvalidArgumentError } from "commander";
import { percentOf, percentText } from "../../../admin/api/rules.ts";

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
    const hint = percentOf(pointed) === undefined ? "" : `: ${pointed}%`;
    throw new InvalidArgumentError(`${expected}, written with a point${hint}.`);
  }
  const percent = percentOf(bare);
  if (percent === undefined) throw new InvalidArgumentError(`${expected}, such as 25 or 12.5.`);
  if (text === bare && percent > 0 && percent < 1) {
    const share = `${percentText(percent * 100)}%`;
    throw new InvalidArgumentError(
      `${expected}; below 1 with its sign, since ${text} may be either: ${bare}% (of 100) or ${share} (${bare} of 1).`,
    );
  }
  return percent;
}

/** As `readPercent` takes it back. */
export function percentWord(percent: number): string {
  const text = percentText(percent);
  return percent > 0 && percent < 1 ? `${text}%` : text;
}

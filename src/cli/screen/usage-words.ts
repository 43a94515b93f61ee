/** What the parser of the command line says of words it cannot read, in the product's own. PURE. */
import { cut, printable } from "./text.ts";

type Rule = readonly [RegExp, (...found: string[]) => string];

const longest = 60;
const value = (text: string) => `“${cut(printable(text), longest)}”`;
/** `--wait <DURATION>` → `--wait`; `-v, --version` → `--version`. */
const option = (flags: string) => /--[\w-]+/.exec(flags)?.[0] ?? flags;

const rules: readonly Rule[] = [
  [/^unknown command '(.*?)'/s, (name = "") => `there is no command ${value(name)}`],
  [/^unknown option '(.*?)'/s, (name = "") => `there is no option ${value(name)} here`],
  [/^missing required argument '(.*?)'/, (name = "") => `${name} is missing`],
  [/^option '(.*?)' argument missing/, (flags = "") => `${flags}: its value is missing`],
  [/^required option '(.*?)' not specified/, (flags = "") => `${flags} is missing`],
  [
    /^option '(.*?)' cannot be used with option '(.*?)'/,
    (one = "", other = "") => `${option(one)} and ${option(other)} cannot go together`,
  ],
  [
    /^too many arguments(?: for '(.*?)')?\. Expected (\d+) arguments? but got (\d+)/,
    (command = "cutover", most = "", got = "") =>
      `${command} takes ${most === "0" ? "no word" : `${most} ${most === "1" ? "word" : "words"}`} behind it, and here are ${got}`,
  ],
  [
    /^option '(.*?)' (?:argument|value) '(.*?)'(?: from .*?)? is invalid\. ?/s,
    (flags = "", given = "") => `${option(flags)} ${value(given)}: `,
  ],
  [
    /^command-argument value '(.*?)' is invalid for argument '(.*?)'\. ?/s,
    (given = "", name = "") => `${name} ${value(given)}: `,
  ],
];

/** @param text with or without `error: ` before it; what is not known to be the parser's stays */
export function inOwnWords(text: string): string {
  const bare = text.replace(/^error: /, "");
  for (const [pattern, say] of rules) {
    const found = pattern.exec(bare);
    if (found === null) continue;
    const said = say(...found.slice(1));
    const rest = bare.slice(found[0].length);
    const expected = rest.replace(/^Allowed choices are (.*)\.$/m, "Expected one of $1.");
    return said.endsWith(": ") ? said + expected.replace(/^E/, "e") : said + expected;
  }
  return bare;
}

/**
 * A cohort's rule in flagd's targeting language (JsonLogic with starts_with, ends_with and fractional), as far as it has
 * words for it. PURE. What is asked of a request is asked of the evaluation context: a source by its own spelling
 * (`header:x-region`), the shopper as `targetingKey`, the host's name as `host`, in lower case and without a port.
 *
 * It has none for a list (its members are digests in the store), for an address in a network, for a source with an
 * expression or a name with a dot (a dot leads into a value), and for an expression that is more than a text with or
 * without `^` and `$`. Who knows of somebody may say so: a cohort's name in the context as `cohort` stands for its rule.
 */
import type { CutoverConfig } from "../../config/schema.ts";
import { maxThousandths, percentFromNumber } from "../../state/rules/percent.ts";

type When = CutoverConfig["cohorts"][number]["when"];
export type Logic =
  | string
  | number
  | boolean
  | { readonly [operation: string]: readonly unknown[] | unknown };

export const shopper: Logic = { var: "targetingKey" };

/**
 * @param salt of the cutover
 * @returns the rule, or what of it cannot be said
 */
export function cohortRule(
  when: When,
  name: string,
  salt: string,
): { readonly rule: Logic } | { readonly unsaid: string } {
  const { source, in: texts, matches, list, host, cidr, share } = when;
  if (list !== undefined) return { unsaid: `the list ${list}` };
  if (cidr !== undefined) return { unsaid: "cidr" };
  if (source !== undefined && (source.pattern !== undefined || source.text.includes("."))) {
    return { unsaid: source.text };
  }
  const value: Logic = source === undefined ? shopper : { var: source.text };
  const all: Logic[] = [];
  if (host !== undefined) all.push({ or: host.map(hostRule) });
  if (source !== undefined || texts !== undefined || matches !== undefined) all.push({ "!!": [value] });
  if (texts !== undefined) all.push({ in: [value, texts] });
  if (matches !== undefined) {
    const found = textRule(matches.text, value);
    if (found === undefined) return { unsaid: `matches ${matches.text}` };
    all.push(found);
  }
  if (share !== undefined) {
    const below = percentFromNumber(share) ?? 0;
    const isIn = {
      "==": [
        fractional(`${salt}/${name}`, [
          ["in", below],
          ["out", maxThousandths - below],
        ]),
        "in",
      ],
    };
    all.push({ "!!": [shopper] }, isIn);
  }
  return { rule: { and: all } };
}

export function fractional(salt: string, weights: readonly (readonly [string, number])[]): Logic {
  return { fractional: [{ cat: [`${salt}:`, shopper] }, ...weights] };
}

function hostRule(host: string): Logic {
  const name = { var: "host" };
  return host.startsWith("*.") ? { ends_with: [name, host.slice(1)] } : { "==": [name, host] };
}

const plain = /^(\^?)((?:[A-Za-z0-9 _:;,/@=&%~!'"<>#-]|\\[.+*?()[\]{}|^$\\-])+)(\$?)$/;

/** @returns the rule of an expression that is a text, at either end or anywhere; `undefined` for any other */
function textRule(expression: string, value: Logic): Logic | undefined {
  const [, start, escaped, end] = plain.exec(expression) ?? [];
  if (escaped === undefined) return undefined;
  const text = escaped.replace(/\\(.)/g, "$1");
  if (start !== "" && end !== "") return { "==": [value, text] };
  if (start !== "") return { starts_with: [value, text] };
  return end === "" ? { in: [text, value] } : { ends_with: [value, text] };
}

/**
 * Regular expressions of the configuration (the syntax of RE2). They run over what strangers send, so they run in a time
 * that grows with the text and no faster, none is larger than a bound, and none runs for longer than a bound
 * (docs/decisions/0013).
 */
import { RE2JS } from "re2js";
import type { Program } from "./program.ts";
import { createSearch, type Searched, type Wanted } from "./search.ts";

export interface Expression {
  /** As written in the configuration. */
  readonly text: string;
  /** Instructions of its program. */
  readonly size: number;
  readonly groups: number;
  readonly search: (text: string, wanted: Wanted) => Searched;
}

const largest = 2000;
/** Of one search: about half a millisecond of a core once it is compiled. */
const mostSteps = 30_000;

/** What a search says that was given up, because it took too many steps. */
export const unfinished = Symbol("unfinished");

/** @returns the expression, or the sentence that says what was expected */
export function parseExpression(text: string): Expression | string {
  try {
    const compiled = RE2JS.compile(text);
    const size = compiled.programSize();
    if (size > largest)
      return `expected a smaller regular expression: repeats written out, it has ${size} instructions of at most ${largest}`;
    const program: Program = compiled.re2().prog;
    return { text, size, groups: compiled.groupCount(), search: createSearch(program, mostSteps) };
  } catch {
    return "expected a regular expression as RE2 has them: no lookahead, lookbehind or backreference";
  }
}

/** @returns what the first group has found in the text; `undefined` when that is nothing */
export function firstGroup({ search }: Expression, text: string): string | typeof unfinished | undefined {
  const found = search(text, "group");
  if (found === "unfinished") return unfinished;
  return typeof found === "string" || found.from < 0
    ? undefined
    : text.slice(found.from, found.to) || undefined;
}

export function isFound({ search }: Expression, text: string): boolean | typeof unfinished {
  const found = search(text, "match");
  return found === "unfinished" ? unfinished : found !== "nothing";
}

/**
 * Regular expressions of the configuration (the syntax of RE2). They run over what strangers send, so they run in a time
 * that grows with the text and no faster, and none is larger than a bound.
 */
import { RE2JS } from "re2js";

export interface Expression {
  /** As written in the configuration. */
  readonly text: string;
  /** Instructions of its program: as many steps may one byte of text cost. */
  readonly size: number;
  readonly groups: number;
  readonly compiled: RE2JS;
}

const largest = 2000;

/** @returns the expression, or the sentence that says what was expected */
export function parseExpression(text: string): Expression | string {
  try {
    const compiled = RE2JS.compile(text);
    const size = compiled.programSize();
    if (size > largest)
      return `expected a smaller regular expression: repeats written out, it has ${size} instructions of at most ${largest}`;
    return { text, size, groups: compiled.groupCount(), compiled };
  } catch {
    return "expected a regular expression as RE2 has them: no lookahead, lookbehind or backreference";
  }
}

/** @returns what the first group has found in the text; `undefined` when that is nothing */
export function firstGroup({ compiled }: Expression, text: string): string | undefined {
  // Most texts that do not match are found out much sooner where no group is asked for.
  if (!compiled.test(text)) return undefined;
  const matcher = compiled.matcher(text);
  return (matcher.find() && matcher.group(1)) || undefined;
}

export function isFound({ compiled }: Expression, text: string): boolean {
  return compiled.test(text);
}

/**
 * A raise by more than 25 points is asked about: whoever types 100 for 10 sees it before the shoppers do. At a terminal
 * the target is typed once more, or `--confirm` repeats it; elsewhere nobody can be asked, and it is done as asked.
 */
import type { CutoverView } from "../admin/schemas.ts";
import type { Api } from "./context.ts";
import { exitCodes, fail, type Result, succeed } from "./exit.ts";
import { share } from "./format.ts";
import { percentWord, readPercent } from "./percent.ts";
import { printable } from "./text.ts";

const largestUnasked = 25;

/** Whether the raise has to be confirmed. What is not open refuses a raise by itself. PURE. */
export function isLargeRaise(
  { percent, state }: Pick<CutoverView, "percent" | "state">,
  to: number,
): boolean {
  return state === "open" && Math.round((to - percent) * 1000) > largestUnasked * 1000;
}

export interface Meant {
  readonly stands: Pick<CutoverView, "name" | "percent" | "state">;
  readonly to: number;
}

/** @returns once the target was typed; a failure otherwise, and nothing was changed */
export async function confirmRaise({ terminal }: Pick<Api, "terminal">, meant: Meant): Promise<Result<true>> {
  const { stands, to } = meant;
  const points = Math.round((to - stands.percent) * 1000) / 1000;
  const name = printable(stands.name);
  const what = `this raises ${name} from ${share(stands.percent)} to ${share(to)}, by ${points} points at once`;
  const typed = await terminal.ask(
    `${what[0]?.toUpperCase()}${what.slice(1)}.\nType ${percentWord(to)} to do it, anything else to leave it: `,
  );
  // A script is written by somebody who could think, and `set NAME PERCENT --reason TEXT` is its contract.
  if (typed === undefined) return succeed(true);
  if (isSame(typed.trim(), to)) return succeed(true);
  return fail(exitCodes.refused, "not confirmed: nothing was changed");
}

function isSame(typed: string, to: number): boolean {
  try {
    return readPercent(typed) === to;
  } catch {
    return false;
  }
}

/**
 * A raise by more than 25 points: whoever types 100 for 10 should see it before the shoppers do.
 *
 *   --confirm=PERCENT   the same percent again: nothing is asked; another one, and nothing is sent
 *   at a terminal       the target is typed once more
 *   elsewhere           nobody can be asked. It is done as asked, with a line on stderr that names the points; unless
 *                       `confirm: always` is in force (settings.ts): then --confirm is demanded
 */
import type { CutoverView } from "../../../admin/api/cutover-view.ts";
import type { Api } from "../../context.ts";
import { exitCodes, fail, type Result, succeed } from "../../exit.ts";
import { percentWord, readPercent } from "../../options.ts";
import { share } from "../../screen/format.ts";
import { printable } from "../../screen/text.ts";
import type { ConfirmRule } from "../../settings.ts";

const largestUnasked = 25;

/** Whether the raise has to be confirmed. What is not open refuses a raise by itself. PURE. */
export function isLargeRaise(
  { percent, state }: Pick<CutoverView, "percent" | "state">,
  to: number,
): boolean {
  return state === "open" && Math.round((to - percent) * 1000) > largestUnasked * 1000;
}

interface Meant {
  readonly stands: Pick<CutoverView, "name" | "percent" | "state">;
  readonly to: number;
}

/** `asked`: a person saw how it stands; `told`: nobody could be asked. */
type Confirmed = "asked" | "told";

/** @returns how it was confirmed; a failure when it was not, and nothing was changed */
export async function confirmRaise(
  { terminal }: Pick<Api, "terminal">,
  { stands, to }: Meant,
  rule: ConfirmRule,
): Promise<Result<Confirmed>> {
  const points = Math.round((to - stands.percent) * 1000) / 1000;
  const name = printable(stands.name);
  const what = `this raises ${name} from ${share(stands.percent)} to ${share(to)}, by ${points} points at once`;
  const typed = await terminal.ask(
    `${what[0]?.toUpperCase()}${what.slice(1)}.\nType ${percentWord(to)} to do it, anything else to leave it: `,
  );
  const again = `--confirm=${percentWord(to)}`;
  if (typed !== undefined) {
    if (isSame(typed.trim(), to)) return succeed("asked");
    return fail(exitCodes.refused, "not confirmed: nothing was changed");
  }
  if (rule === "always") {
    return fail(
      exitCodes.usage,
      `not confirmed: ${what}`,
      `Nothing was changed. If it is meant, say the percent again: ${again}`,
      "CUTOVER_CONFIRM or the settings demand it (confirm: always).",
    );
  }
  // A script was written by somebody who could think, and `set NAME PERCENT --reason TEXT` is its contract.
  terminal.err(`cutover: ${what}; ${again} says that it is meant\n`);
  return succeed("told");
}

function isSame(typed: string, to: number): boolean {
  try {
    return readPercent(typed) === to;
  } catch {
    return false;
  }
}

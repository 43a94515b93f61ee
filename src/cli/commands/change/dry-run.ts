/** `--dry-run`: what a change would do, by the same rule book, without asking for it. */
import type { CutoverView } from "../../../admin/api/cutover-view.ts";
import { foresee } from "../../../admin/api/rules.ts";
import type { WriteCall } from "../../client.ts";
import type { Api } from "../../context.ts";
import { type ExitCode, exitCodes, fail, report } from "../../exit.ts";
import { nextFor, resultOf } from "../../failure.ts";
import { printJson } from "../../frame.ts";
import { percentWord } from "../../options.ts";
import { age, plural, share, standing } from "../../screen/format.ts";
import { printable, shellWord } from "../../screen/text.ts";
import { isLargeRaise } from "./confirm.ts";

interface DryRun {
  readonly name: string;
  readonly call: WriteCall;
  readonly isJson: boolean;
}

/** @returns the exit code of the command itself: 0 when it would be done, 1 when it would be refused, 4 when proposed */
export async function dryRun(
  { client, terminal }: Pick<Api, "client" | "terminal">,
  { name, call: { call, body }, isJson }: DryRun,
): Promise<ExitCode> {
  const { url } = client;
  const result = resultOf(await client.cutover(name), { url, name });
  if (!result.ok) return report(terminal, result);
  const who = await client.whoAmI();
  const view = result.value;
  const foreseen = foresee(view, { call, ...body }, who.kind === "ok" ? who.value.role : "admin");
  if (foreseen === undefined) return report(terminal, fail(exitCodes.usage, "not a percent"));
  const from = { percent: view.percent, state: view.state, version: view.version };
  if (foreseen.kind === "refused") {
    const { code } = foreseen;
    if (isJson) printJson(terminal, { dryRun: true, name, from, refused: code });
    const stands = `It stands at ${standing(view)}.`;
    const next = nextFor(code, { url, name });
    return report(
      terminal,
      fail(exitCodes.refused, `dry run: it would be refused (${code})`, stands, ...next),
    );
  }
  const { changed, to } = foreseen;
  const isProposed = foreseen.kind === "proposed";
  const asks = call === "percent" && isLargeRaise(view, to.percent);
  if (isJson) printJson(terminal, { dryRun: true, name, from, to, changed, asksToConfirm: asks, isProposed });
  else terminal.out(`${describe(view, to, { changed, asks, call, isProposed }).join("\n")}\n`);
  return isProposed ? exitCodes.notAppliedEverywhere : exitCodes.done;
}

interface Told {
  readonly changed: boolean;
  readonly asks: boolean;
  readonly call: WriteCall["call"];
  /** Whether it would wait for another person. */
  readonly isProposed: boolean;
}

/** The lines a person reads. PURE. */
function describe(
  from: CutoverView,
  to: Pick<CutoverView, "percent" | "state" | "version">,
  { changed, asks, call, isProposed }: Told,
): string[] {
  const name = printable(from.name);
  if (!changed) return [`dry run: ${name} stands so already: ${standing(from)}`];
  const moved = Math.round((to.percent - from.percent) * 1000) / 1000;
  return [
    `dry run: ${name} would go from ${standing(from)} to ${standing(to)}`,
    `new journeys of ${outOf(from.percent)} shoppers start on new → ${outOf(to.percent)}` +
      (moved === 0 ? "" : ` (${outOf(Math.abs(moved))} move to ${moved > 0 ? "new" : "legacy"})`),
    ...(moved < 0 ? underWayOnNew(from) : []),
    ...(isProposed ? proposed(from) : []),
    ...(asks ? [`it asks to be confirmed: --confirm=${percentWord(to.percent)}`] : []),
    ...(call === "close" ? ["there is no way back from it"] : []),
    "nothing was changed",
  ];
}

function proposed({ name, approval, proposal }: CutoverView): string[] {
  if (approval === undefined) return [];
  const { over, ttlSeconds } = approval;
  const points = over === 1 ? "1 point" : `${over} points`;
  const waits = `it would be a proposal, since a raise by more than ${points} waits for another person: not in force`;
  return [
    `${waits} before they approve it, within ${age(ttlSeconds * 1000)}`,
    ...(proposal === undefined
      ? []
      : [`it would take the place of ${printable(proposal.by)}'s, to ${share(proposal.percent)}`]),
    `they approve it by: cutover approve ${shellWord(printable(name))}`,
  ];
}

function underWayOnNew({ journeys }: CutoverView): string[] {
  if (journeys === null) return [];
  const { open, atLeast } = journeys.new;
  const number = `${atLeast ? "at least " : ""}${plural(open, "journey")}`;
  return [`${number} open on new: finished there, unless it is a rollback --hard`];
}

/** 25 → `25 in 100`, 0.025 → `25 in 100,000`. */
function outOf(percent: number): string {
  const thousandths = Math.round(percent * 1000);
  const digits = [1000, 100, 10].find((each) => thousandths % each === 0) ?? 1;
  return `${(thousandths / digits).toLocaleString("en-US")} in ${(100_000 / digits).toLocaleString("en-US")}`;
}

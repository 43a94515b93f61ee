import type { Command } from "commander";
import type { GuardView } from "../../../admin/api/guard/guard-view.ts";
import type { Context } from "../../context.ts";
import { type ExitCode, exitCodes } from "../../exit.ts";
import { show, withApi } from "../../frame.ts";
import {
  type ApiOptions,
  examples,
  type JsonOption,
  readName,
  withApiOptions,
  withJson,
} from "../../options.ts";
import { count } from "../../screen/format.ts";
import { printable } from "../../screen/text.ts";

export function addGuard(program: Command, context: Context): void {
  const command = program
    .command("guard")
    .description("what the guard makes of the cutover, by the counts of all instances")
    .argument("<NAME>", "the cutover", readName);
  withApiOptions(withJson(command)).action((name: string, options: ApiOptions & JsonOption) =>
    withApi(context, options, async ({ client, terminal }) => {
      const answer = await client.guard(name);
      const asked = { url: client.url, name };
      const lines = (view: GuardView) => [
        guardLine(name, view),
        ...paymentLines(view),
        ...testLines(view),
        ...metricLines(view),
        ...leaderLines(view),
      ];
      return show(terminal, answer, asked, options, lines);
    }),
  );
  examples(
    command,
    ["cutover guard checkout", "the verdict with its evidence, in a sentence"],
    ["cutover guard checkout --json", "for a script"],
  );
}

export function addGate(program: Command, context: Context): void {
  const command = program
    .command("gate")
    .description(
      "whether the cutover may go on, for a pipeline: exit 0 healthy, 5 insufficient evidence, 6 worse",
    )
    .argument("<NAME>", "the cutover", readName);
  withApiOptions(withJson(command)).action((name: string, options: ApiOptions & JsonOption) =>
    withApi(context, options, async ({ client, terminal }) => {
      const answer = await client.guard(name);
      const asked = { url: client.url, name };
      const shown = show(terminal, answer, asked, options, (view) => [guardLine(name, view)]);
      return answer.kind === "ok" ? gateCode(answer.value) : shown;
    }),
  );
  examples(command, ["cutover gate checkout && ./raise.sh", "only where the guard finds it healthy"]);
}

/** How many of each side's journeys are paid; nothing where they are not followed. PURE. */
function paymentLines({ evidence }: Pick<GuardView, "evidence">): string[] {
  if (evidence?.payments === undefined) return [];
  const { payments } = evidence;
  const said = (side: "legacy" | "new") => {
    const { begun, paid, of100 } = payments[side];
    return of100 === null ? `${side} has none` : `${side} ${of100.toFixed(1)} (${paid} of ${begun})`;
  };
  return [`payments per 100 journeys: ${said("new")}, ${said("legacy")}`];
}

const testWords: Readonly<Record<string, string>> = {
  failures: "new fails more",
  tooMany: "new fails too often at all",
  tooManyOnLegacy: "legacy fails too often at all",
  paid: "new is paid less",
  slow: "new is slower",
};

/** By test the odds that it has, and at which it acts. PURE. */
export function testLines({ evidence }: Pick<GuardView, "evidence">): string[] {
  return Object.entries(evidence?.tests ?? {}).map(([test, { odds, actsAt }]) => {
    const what = testWords[test] ?? printable(test);
    return `  ${what}: odds ${oddsWord(odds)} to 1, acts at ${count(Math.round(actsAt))}`;
  });
}

const mostOdds = 1e6;

function oddsWord(odds: number): string {
  if (odds >= mostOdds) return "above a million";
  return odds < 10 ? odds.toFixed(1) : count(Math.floor(odds));
}

/** Who judges, by whose counts. PURE. */
function leaderLines({ leader, silent, differing }: GuardView): string[] {
  return [
    ...(leader === null ? [] : [`  judged by ${printable(leader.name)}`]),
    ...(silent.length === 0 ? [] : [`  ! no counts from ${printable(silent.join(", "))}`]),
    ...(differing.length === 0 ? [] : [`  ! configured otherwise: ${printable(differing.join(", "))}`]),
  ];
}

const refusing: readonly (string | null)[] = ["worse", "both sick", "legacy sick"];

/** What is not judged, or has no guard, is no evidence. PURE. */
export function gateCode({ verdict }: Pick<GuardView, "verdict">): ExitCode {
  if (verdict === "healthy") return exitCodes.done;
  return refusing.includes(verdict) ? exitCodes.worse : exitCodes.insufficientEvidence;
}

/** What the owner's own metrics say, one a line. PURE. */
function metricLines({ metrics }: Pick<GuardView, "metrics">): string[] {
  return metrics.map(({ sentence }) => `  ${printable(sentence)}`);
}

/** The name, and the guard's sentence in one line. PURE. */
export function guardLine(name: string, { sentence }: Pick<GuardView, "sentence">): string {
  return `${name}: ${printable(sentence)}`;
}

/** What the commands that change something share: their options, the demand for a reason, the answer in words. */
import type { Command } from "commander";
import type { ProposalView, WriteAnswer } from "../../../admin/api/write.ts";
import type { Answer, WriteBodies, WriteCall } from "../../client.ts";
import type { Api, Context } from "../../context.ts";
import { type ExitCode, exitCodes, fail, report } from "../../exit.ts";
import { settle } from "../../failure.ts";
import {
  type ApiOptions,
  type JsonOption,
  readReason,
  readVersion,
  readWait,
  readWelcomeReason,
  withApiOptions,
  withJson,
} from "../../options.ts";
import { printJson } from "../../run.ts";
import { adviceLines, laggingLines, shortfall, whereLine } from "../../screen/applied-lines.ts";
import { age, restShare, share } from "../../screen/format.ts";
import type { Terminal } from "../../screen/terminal.ts";
import { printable } from "../../screen/text.ts";
import { shellWord } from "../../shell.ts";
import { dryRun } from "./dry-run.ts";

export interface WriteOptions extends ApiOptions, JsonOption {
  readonly reason?: string;
  readonly ifVersion?: number;
  readonly wait?: number;
  readonly dryRun?: true;
}

export const defaultWaitMs = 2000;

export function withWriteOptions(command: Command, reason: "required" | "welcome"): Command {
  const read = reason === "required" ? readReason : readWelcomeReason;
  command
    .option("--reason <TEXT>", `why, for the history and whoever is on call (${reason})`, read)
    .option("--if-version <N>", "only if the cutover still has this version", readVersion)
    .option("--wait <DURATION>", "how long to wait for all instances (default: 2s)", readWait)
    .option("--dry-run", "only say what would happen, and whether it would be refused");
  return withApiOptions(withJson(command));
}

/** The reason, or the usage that lacks nothing but it, on stderr. `typed`: the command's own words so far. */
export function demandReason(
  context: Context,
  options: WriteOptions,
  ...typed: readonly string[]
): string | undefined {
  const { reason } = options;
  if (reason !== undefined && reason !== "") return reason;
  const ifVersion = options.ifVersion === undefined ? [] : ["--if-version", String(options.ifVersion)];
  const line = ["cutover", ...[...typed, ...ifVersion].map(shellWord), "--reason", '"WHY"'].join(" ");
  const { failure } = fail(exitCodes.usage, `${typed[0] ?? "this"} needs a reason`, `Usage: ${line}`);
  context.finish(report(context.terminal, failure));
  return undefined;
}

/** The part of the body every write has. */
export function writeBody(options: WriteOptions): { waitMs: number; ifVersion?: number } {
  const { wait = defaultWaitMs, ifVersion } = options;
  return { waitMs: wait, ...(ifVersion === undefined ? {} : { ifVersion }) };
}

/** How a write is to be told of, and whether it is to be made at all. */
export function manner({ json, dryRun }: WriteOptions): { isJson: boolean; isDryRun: boolean } {
  return { isJson: json === true, isDryRun: dryRun === true };
}

/** A reason that may be missing, as part of the body. */
export function welcomeReason({ reason }: WriteOptions): { reason?: string } {
  return reason === undefined || reason === "" ? {} : { reason };
}

export interface Write<Call extends WriteCall> {
  readonly name: string;
  readonly call: Call;
  readonly body: WriteBodies[Call];
  readonly isJson: boolean;
  readonly isDryRun: boolean;
  /** How the new standing is named: `held`, `10%`. */
  readonly standing: (answer: WriteAnswer) => string;
  /** What a person should know of it, a sentence a line. */
  readonly consequences?: readonly string[];
}

export async function runWrite<Call extends WriteCall>(api: Api, write: Write<Call>): Promise<ExitCode> {
  const { name, call, body } = write;
  if (write.isDryRun) return dryRun(api, write);
  return tellWrite(api, write, await api.client.write(name, call, body));
}

export function tellWrite<Call extends WriteCall>(
  api: Api,
  write: Write<Call>,
  answer: Answer<WriteAnswer | ProposalView>,
): ExitCode {
  const { client, terminal } = api;
  const { name, call } = write;
  const settled = settle(answer, {
    url: client.url,
    name,
    isWrite: true,
    call,
  });
  if (!settled.ok) return report(terminal, settled.failure);
  const { value } = settled;
  return "applied" in value ? tellAnswer(terminal, value, write) : tellProposal(api, value, write.isJson);
}

/** @returns 4: nothing is in force yet */
function tellProposal({ terminal, now }: Api, proposal: ProposalView, isJson: boolean): ExitCode {
  const { id, percent } = proposal;
  const name = printable(proposal.name);
  if (isJson) printJson(terminal, proposal);
  else {
    const left = age(Date.parse(proposal.expiresAt) - now());
    terminal.out(`${name}: ${share(percent)} is proposed, and waits ${left} for another person\n`);
  }
  const told = fail(
    exitCodes.notAppliedEverywhere,
    "not in force: a raise by so much needs another person's approval",
    `They approve it by: cutover approve ${shellWord(name)} ${id}`,
    `To take it back: cutover withdraw ${shellWord(name)} ${id}`,
  );
  return report(terminal, told.failure);
}

/** @returns 0 when the change is certain of every instance, else 4 */
export function tellAnswer(
  terminal: Terminal,
  answer: WriteAnswer,
  write: Pick<Write<WriteCall>, "call" | "isJson" | "standing" | "consequences">,
): ExitCode {
  if (write.isJson) printJson(terminal, answer);
  else terminal.out(`${describeWrite(answer, write).join("\n")}\n`);
  const missing = shortfall(answer);
  if (missing === undefined) return exitCodes.done;
  const next = [...laggingLines(answer), ...adviceLines(answer, write.call)];
  return report(terminal, fail(exitCodes.notAppliedEverywhere, missing, ...next).failure);
}

/** The lines a tired person can trust. */
export function describeWrite(
  answer: WriteAnswer,
  { standing, consequences = [] }: Pick<Write<WriteCall>, "standing" | "consequences">,
): string[] {
  const { percent, changed, version } = answer;
  const name = printable(answer.name);
  const split = `${standing(answer)} → legacy ${restShare(percent)} / new ${share(percent)}`;
  const line = `${name}: ${changed ? "" : "nothing to change, already "}${split}, version ${version}, ${whereLine(answer)}`;
  const silent = answer.applied.complete ? laggingLines(answer) : [];
  return [line, ...silent, ...consequences];
}

/** What the commands that change something share: their options, the demand for a reason, the answer in words. */
import type { Command } from "commander";
import { returningWarnings } from "../../../admin/api/plan/return-view.ts";
import type { ProposalView, WriteAnswer } from "../../../admin/api/write.ts";
import type { WriteCall } from "../../client.ts";
import type { Api, Context } from "../../context.ts";
import { type ExitCode, exitCodes, fail, report } from "../../exit.ts";
import { resultOf } from "../../failure.ts";
import { printJson } from "../../frame.ts";
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
import { adviceLines, laggingLines, shortfall, whereLine } from "../../screen/applied-lines.ts";
import { age, proposedText, restShare, share } from "../../screen/format.ts";
import { linesFor, type Terminal } from "../../screen/terminal.ts";
import { printable, shellWord } from "../../screen/text.ts";
import type { ApiAnswer } from "../../transport.ts";
import { awaitReturn } from "../return/await-return.ts";
import { dryRun } from "./dry-run.ts";
import { tellEverywhere } from "./everywhere.ts";

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

/** Tells on stderr the usage that lacks nothing but the reason. @param typed the command's own words so far */
export function demandReason(
  { terminal, finish }: Pick<Context, "terminal" | "finish">,
  { ifVersion }: Pick<WriteOptions, "ifVersion">,
  typed: readonly string[],
): void {
  const words = ifVersion === undefined ? typed : [...typed, "--if-version", String(ifVersion)];
  const line = ["cutover", ...words.map(shellWord), "--reason", '"WHY"'].join(" ");
  finish(report(terminal, fail(exitCodes.usage, `${typed[0] ?? "this"} needs a reason`, `Usage: ${line}`)));
}

/** The part of the body that every write has. */
export interface CommonBody {
  readonly waitMs: number;
  readonly ifVersion?: number;
}

export function writeBody(options: {
  readonly wait?: number | undefined;
  readonly ifVersion?: number | undefined;
}): CommonBody {
  const { wait = defaultWaitMs, ifVersion } = options;
  return { waitMs: wait, ...(ifVersion === undefined ? {} : { ifVersion }) };
}

/** A reason that may be missing, as part of the body. */
export function told(reason: string): { reason?: string } {
  return reason === "" ? {} : { reason };
}

/** Said only where it is asked for: a server that is older than this client knows nothing of it. */
export function overriding(override: true | undefined): { override?: true } {
  return override === true ? { override } : {};
}

export interface AskedWrite {
  readonly name: string;
  readonly call: WriteCall;
  readonly isJson: boolean;
  readonly isDryRun: boolean;
  /** How the new standing is named: `held at 10%`. */
  readonly standing: (answer: WriteAnswer) => string;
  /** What a person should know of it, a sentence a line. */
  readonly consequences: readonly string[];
}

export async function runWrite(api: Api, write: AskedWrite): Promise<ExitCode> {
  if (write.isDryRun) return dryRun(api, write);
  const { name, call } = write;
  const begun = await api.client.write(name, call);
  return tellWrite(api, write, await awaitReturn(api, name, call, begun));
}

export function tellWrite(
  api: Api,
  write: AskedWrite,
  answer: ApiAnswer<WriteAnswer | ProposalView>,
): ExitCode | Promise<ExitCode> {
  const { client, terminal } = api;
  const { name } = write;
  const { call } = write.call;
  const result = resultOf(answer, { url: client.url, name, isWrite: true, call });
  if (!result.ok) return report(terminal, result);
  const { value } = result;
  const isAlone = "applied" in value && value.applied.scope === "local";
  if (isAlone && client.each !== undefined && answer.kind === "ok") {
    return tellEverywhere(api, write, value, answer.from);
  }
  return "applied" in value
    ? tellAnswer(terminal, value, { ...write, call })
    : tellProposal(api, value, write.isJson);
}

/** @returns 4: nothing is in force yet */
export function tellProposal({ terminal, now }: Api, proposal: ProposalView, isJson: boolean): ExitCode {
  const { id } = proposal;
  const name = printable(proposal.name);
  if (isJson) printJson(terminal, proposal);
  else {
    const left = age(Date.parse(proposal.expiresAt) - now());
    terminal.out(`${name}: ${proposedText(proposal)} is proposed, and waits ${left} for another person\n`);
  }
  const waiting = fail(
    exitCodes.notAppliedEverywhere,
    `not in force: ${waitingWords[proposal.action]} needs another person's approval`,
    `They approve it by: cutover approve ${shellWord(name)} ${id}`,
    `To take it back: cutover withdraw ${shellWord(name)} ${id}`,
  );
  return report(terminal, waiting);
}

const waitingWords = {
  set: "a raise by so much",
  close: "closing",
  plan: "a plan",
  schedule: "a raise at a time",
} as const;

/** What is said of a write that was accepted. */
interface Telling extends Pick<AskedWrite, "isJson" | "standing" | "consequences"> {
  readonly call: WriteCall["call"] | "approve";
}

/** @returns 0 when the change is certain of every instance, else 4 */
export function tellAnswer(terminal: Terminal, answer: WriteAnswer, telling: Telling): ExitCode {
  if (telling.isJson) printJson(terminal, answer);
  else terminal.out(linesFor(terminal, describeWrite(answer, telling)));
  const missing = shortfall(answer);
  if (missing === undefined) return exitCodes.done;
  const next = [...laggingLines(answer), ...adviceLines(answer, telling.call)];
  return report(terminal, fail(exitCodes.notAppliedEverywhere, missing, ...next));
}

/** The lines a tired person can trust. */
export function describeWrite(
  answer: WriteAnswer,
  { standing, consequences = [] }: Pick<Telling, "standing"> & Partial<Pick<Telling, "consequences">>,
): string[] {
  const { cohort, changed, version } = answer;
  const percent = cohort?.percent ?? answer.percent;
  const name = printable(cohort === undefined ? answer.name : `${answer.name}/${cohort.name}`);
  const split = `${standing(answer)} → legacy ${restShare(percent)} / new ${share(percent)}`;
  const line = `${name}: ${changed ? "" : "nothing to change, already "}${split}, version ${version}, ${whereLine(answer)}`;
  const silent = answer.applied.complete ? laggingLines(answer) : [];
  const returning = returningWarnings(answer.returning);
  const alerts = [...returning, ...(answer.warnings ?? [])].map(({ text }) => `! ${printable(text)}`);
  return [line, ...alerts, ...silent, ...(answer.returning === undefined ? consequences : [])];
}

/** `--all`: a rollback or a hold of every cutover, in one call; one answer, with each cutover by itself in it. */
import type { Command } from "commander";
import type { WriteAnswer, WriteOfAll } from "../../../admin/api/write.ts";
import type { WriteCall } from "../../client.ts";
import type { Api, Context } from "../../context.ts";
import { type ExitCode, exitCodes, fail, report } from "../../exit.ts";
import { resultOf } from "../../failure.ts";
import { printJson } from "../../frame.ts";
import { adviceLines, laggingLines, shortfall } from "../../screen/applied-lines.ts";
import { standing as standingText } from "../../screen/format.ts";
import type { Terminal } from "../../screen/terminal.ts";
import { printable } from "../../screen/text.ts";
import { dryRun } from "./dry-run.ts";
import { describeWrite } from "./write.ts";

export interface AllOption {
  readonly all?: true;
  readonly ifVersion?: number;
}

export type AllCall = Extract<WriteCall, { call: "rollback" | "hold" }>;

export function withAll(command: Command): Command {
  return command.option("--all", "every cutover, in one call and one answer");
}

/** Exactly one of a name and `--all`. */
export async function oneOrAll(
  { terminal, finish }: Pick<Context, "terminal" | "finish">,
  verb: string,
  { name, options }: { readonly name: string | undefined; readonly options: AllOption },
  does: { readonly one: (name: string) => Promise<void>; readonly all: () => Promise<void> },
): Promise<void> {
  const usage = [`Usage: cutover ${verb} NAME`, `       cutover ${verb} --all`];
  if (options.all !== true && name !== undefined) return does.one(name);
  if (options.all !== true) {
    const message = `${verb} needs a cutover's name, or --all; cutover status lists the names`;
    return finish(report(terminal, fail(exitCodes.usage, message, ...usage)));
  }
  if (name !== undefined) {
    const message = "a name and --all were given: nothing was sent";
    return finish(report(terminal, fail(exitCodes.usage, message, ...usage)));
  }
  if (options.ifVersion !== undefined) {
    const message = "--if-version is of one cutover, and --all of every one: nothing was sent";
    return finish(report(terminal, fail(exitCodes.usage, message, ...usage)));
  }
  return does.all();
}

interface AskedOfAll {
  readonly call: AllCall;
  readonly isJson: boolean;
  readonly standing: (answer: WriteAnswer) => string;
}

export async function runAll({ client, terminal }: Api, asked: AskedOfAll): Promise<ExitCode> {
  const { call } = asked.call;
  const result = resultOf(await client.writeAll(asked.call), { url: client.url, isWrite: true, call });
  return result.ok ? tellAll(terminal, result.value, { ...asked, call }) : report(terminal, result);
}

/** As each by itself; the worst of their exit codes. */
export async function dryRunAll(api: Api, { call, isJson }: AskedOfAll): Promise<ExitCode> {
  const { client, terminal } = api;
  const found = resultOf(await client.cutovers(), { url: client.url });
  if (!found.ok) return report(terminal, found);
  let worst: ExitCode = exitCodes.done;
  const told: object[] = [];
  for (const { name } of found.value) {
    const code = await dryRun(api, { name, call, isJson, onJson: (value) => void told.push(value) });
    if (code > worst) worst = code;
  }
  if (isJson) printJson(terminal, told);
  return worst;
}

/** What refuses a change because it stands lower or beyond it already: nobody has to do anything about it. */
const settled: Readonly<Record<AllCall["call"], readonly string[]>> = {
  rollback: ["closed"],
  hold: ["closed", "rolled_back"],
};

/** @returns 0 when every change is certain of every instance, 1 when one was refused, else 4 */
export function tellAll(
  terminal: Terminal,
  answers: readonly WriteOfAll[],
  { call, isJson, standing }: Omit<AskedOfAll, "call"> & { readonly call: AllCall["call"] },
): ExitCode {
  if (isJson) printJson(terminal, answers);
  else if (answers.length === 0) terminal.out("no cutover is configured\n");
  let worst: ExitCode = exitCodes.done;
  const fails = (code: ExitCode, message: string, next: readonly string[]) => {
    report(terminal, fail(code, message, ...next));
    // What was refused is worse than what is late.
    if (worst !== exitCodes.refused) worst = code;
  };
  for (const answer of answers) {
    const name = printable(answer.name);
    if ("refused" in answer) {
      const { code, detail = code, current } = answer.refused;
      if (settled[call].includes(code)) {
        if (!isJson) terminal.out(`${name}: left as it is, ${printable(detail)}\n`);
        continue;
      }
      const stands = current === undefined ? [] : [`It stands at ${standingText(current)}.`];
      fails(exitCodes.refused, `${name}: refused (${code}): ${printable(detail)}`, stands);
      continue;
    }
    if (!isJson) terminal.out(`${describeWrite(answer, { standing }).join("\n")}\n`);
    const missing = shortfall(answer);
    if (missing === undefined) continue;
    fails(exitCodes.notAppliedEverywhere, `${name}: ${missing}`, [
      ...laggingLines(answer),
      ...adviceLines(answer, call),
    ]);
  }
  return worst;
}

/** `--all`: a rollback or a hold of every cutover, in one call; one answer, with each cutover by itself in it. */
import type { Command } from "commander";
import type { WriteAnswer, WriteOfAll } from "../../../admin/api/write.ts";
import type { AdminClient, WriteCall } from "../../client.ts";
import type { Api, Context } from "../../context.ts";
import { type ExitCode, exitCodes, fail, report } from "../../exit.ts";
import { resultOf } from "../../failure.ts";
import { printJson } from "../../frame.ts";
import { adviceLines, laggingLines, shortfall } from "../../screen/applied-lines.ts";
import { standing as standingText } from "../../screen/format.ts";
import { linesFor, type Terminal } from "../../screen/terminal.ts";
import { printable } from "../../screen/text.ts";
import { dryRun } from "./dry-run.ts";
import { type At, lineOf, shortOf } from "./everywhere.ts";
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
  const answer = await client.writeAll(asked.call);
  const result = resultOf(answer, { url: client.url, isWrite: true, call });
  if (!result.ok) return report(terminal, result);
  const isAlone = result.value.some((each) => "applied" in each && each.applied.scope === "local");
  const from = answer.kind === "ok" ? answer.from : undefined;
  const others = (client.each ?? []).filter(({ url }) => url !== from);
  return isAlone && from !== undefined && others.length > 0
    ? tellOthers(terminal, { asked, from, first: result.value }, others)
    : tellAll(terminal, result.value, { ...asked, call });
}

/** While the store is away each instance does as it was told by itself: so each address is told, and answers a line for each cutover. */
async function tellOthers(
  terminal: Terminal,
  told: { readonly asked: AskedOfAll; readonly from: string; readonly first: readonly WriteOfAll[] },
  others: readonly AdminClient[],
): Promise<ExitCode> {
  const { asked, from, first } = told;
  const { call } = asked.call;
  const heard = await Promise.all(
    others.map(async (other) => {
      const result = resultOf(await other.writeAll(asked.call), { url: other.url });
      return { url: other.url, result };
    }),
  );
  const all: readonly (readonly At[])[] = first.map(({ name }) => [
    atOf(from, find(first, name)),
    ...heard.map(({ url, result }) =>
      result.ok
        ? atOf(url, find(result.value, name))
        : { url, answer: undefined, why: result.failure.message },
    ),
  ]);
  // What stands beyond it already has no answer anywhere, and nobody has to do anything about it.
  const open = all.filter((ats, index) => !isSettled(call, first[index]) || ats.some(({ answer }) => answer));
  if (asked.isJson)
    printJson(
      terminal,
      open.flat().flatMap(({ answer }) => answer ?? []),
    );
  else terminal.out(open.flatMap((ats) => ats.map((at) => `${lineOf(at, asked.standing)}\n`)).join(""));
  const shorts = open.flatMap((ats) => shortOf(ats, `cutover ${call} --all`) ?? []);
  for (const short of shorts) report(terminal, short);
  return shorts.length === 0 ? exitCodes.done : exitCodes.notAppliedEverywhere;
}

function find(answers: readonly WriteOfAll[], name: string): WriteOfAll | undefined {
  return answers.find((each) => each.name === name);
}

function atOf(url: string, answer: WriteOfAll | undefined): At {
  if (answer === undefined) return { url, answer: undefined, why: "it does not know the cutover" };
  if ("applied" in answer) return { url, answer, why: "" };
  return { url, answer: undefined, why: answer.refused.detail ?? answer.refused.code };
}

function isSettled(call: AllCall["call"], answer: WriteOfAll | undefined): boolean {
  return answer !== undefined && "refused" in answer && settled[call].includes(answer.refused.code);
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
      if (isSettled(call, answer)) {
        const stands = current === undefined ? printable(detail) : standingText(current);
        if (!isJson) terminal.out(`${name}: left as it is: ${stands}\n`);
        continue;
      }
      const stands = current === undefined ? [] : [`It stands at ${standingText(current)}.`];
      fails(exitCodes.refused, `${name}: refused (${code}): ${printable(detail)}`, stands);
      continue;
    }
    if (!isJson) terminal.out(linesFor(terminal, describeWrite(answer, { standing })));
    const missing = shortfall(answer);
    if (missing === undefined) continue;
    fails(exitCodes.notAppliedEverywhere, `${name}: ${missing}`, [
      ...laggingLines(answer),
      ...adviceLines(answer, call),
    ]);
  }
  return worst;
}

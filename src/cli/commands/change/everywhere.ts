/**
 * A rollback or a hold while the store is away, told to every address: the instance that was asked first does as it was
 * told by itself, and says that it is alone; so each of the others is told as well. One command, a line for each.
 */
import type { WriteAnswer } from "../../../admin/api/write.ts";
import type { WriteCall } from "../../client.ts";
import type { Api } from "../../context.ts";
import { type ExitCode, exitCodes, type Failed, fail, report } from "../../exit.ts";
import { resultOf } from "../../failure.ts";
import { printJson } from "../../frame.ts";
import { laggingLine, pidOf, whereLine } from "../../screen/applied-lines.ts";
import { linesFor } from "../../screen/terminal.ts";
import { printable, shellWord } from "../../screen/text.ts";

interface Everywhere {
  readonly name: string;
  readonly call: WriteCall;
  readonly isJson: boolean;
  readonly standing: (answer: WriteAnswer) => string;
  readonly consequences: readonly string[];
}

/** What came of it at one address. */
export interface At {
  readonly url: string;
  readonly answer: WriteAnswer | undefined;
  /** Why there is none. */
  readonly why: string;
}

/**
 * @param first the answer of the address `from`
 * @returns 0 when every instance that any of them knows of has answered itself, else 4
 */
export async function tellEverywhere(
  { client, terminal }: Api,
  { name, call, isJson, standing, consequences }: Everywhere,
  first: WriteAnswer,
  from: string,
): Promise<ExitCode> {
  const others = (client.each ?? []).filter(({ url }) => url !== from);
  const asked = others.map(async (other): Promise<At> => {
    const result = resultOf(await other.write(name, call), { url: other.url, name });
    if (!result.ok) return { url: other.url, answer: undefined, why: result.failure.message };
    return "applied" in result.value
      ? { url: other.url, answer: result.value, why: "" }
      : { url: other.url, answer: undefined, why: "it waits for another person" };
  });
  const all = [{ url: from, answer: first, why: "" }, ...(await Promise.all(asked))];
  if (isJson)
    printJson(
      terminal,
      all.flatMap(({ answer }) => answer ?? []),
    );
  else terminal.out(linesFor(terminal, [...all.map((at) => lineOf(at, standing)), ...consequences]));
  const short = shortOf(all, `cutover ${call.call} ${shellWord(name)}`);
  return short === undefined ? exitCodes.done : report(terminal, short);
}

/** @param typed the command @returns `undefined` when every instance that any of them knows of has answered itself */
export function shortOf(all: readonly At[], typed: string): Failed | undefined {
  const answers = all.flatMap(({ answer }) => answer ?? []);
  const missing = unheardOf(answers);
  const silent = all.filter(({ answer }) => answer === undefined);
  const inFleet = answers.find(({ applied }) => applied.scope === "fleet" && applied.complete);
  if (inFleet !== undefined || (missing.length === 0 && silent.length === 0)) return undefined;
  const message = `the store does not take it, and not every instance has answered: ${answers.length} of ${all.length} asked`;
  return fail(
    exitCodes.notAppliedEverywhere,
    message,
    ...missing.map(laggingLine),
    `Those that did not: their addresses in --admin-url, or on each host: kill -USR1 ${pidOf(missing)} (${typed})`,
  );
}

export function lineOf({ url, answer, why }: At, standing: (answer: WriteAnswer) => string): string {
  if (answer === undefined) return `${printable(url)}: ! not done: ${printable(why)}`;
  const { name = url } = answer.applied.at ?? {};
  const said = `${answer.changed ? "" : "already "}${standing(answer)}`;
  return `${printable(name)}: ${printable(answer.name)} ${said}, version ${answer.version}, ${whereLine(answer)}`;
}

/** The instances that one of them knows of and that have not answered themselves. */
function unheardOf(answers: readonly WriteAnswer[]): WriteAnswer["applied"]["lagging"] {
  const heard = new Set(answers.flatMap(({ applied }) => applied.at?.id ?? []));
  const lagging = answers.flatMap(({ applied }) => applied.lagging).filter(({ id }) => !heard.has(id));
  return [...new Map(lagging.map((one) => [one.id, one])).values()];
}

/** What frames a command of the admin API: its client is made, what came of it is told, its exit code handed on. */

import type { Api, Context } from "./context.ts";
import { type ExitCode, exitCodes, report } from "./exit.ts";
import { type Asked, resultOf } from "./failure.ts";
import { type ApiOptions, clientFor, type JsonOption } from "./options.ts";
import { plainTerminal, type Terminal } from "./screen/terminal.ts";
import type { ApiAnswer } from "./transport.ts";

export async function withApi(
  context: Context,
  options: ApiOptions,
  use: (api: Api) => Promise<ExitCode>,
): Promise<void> {
  const { now, env } = context;
  const terminal = options.plain === true ? plainTerminal(context.terminal) : context.terminal;
  const client = await clientFor(options, env, (text) => terminal.err(`${text}\n`));
  context.finish(client.ok ? await use({ terminal, now, client: client.value }) : report(terminal, client));
}

/** Prints what was answered: as the API's JSON, or as lines for a person. @returns the exit code */
export function show<T>(
  terminal: Terminal,
  answer: ApiAnswer<T>,
  asked: Asked,
  { json }: JsonOption,
  lines: (value: T) => readonly string[],
): ExitCode {
  const result = resultOf(answer, asked);
  if (!result.ok) return report(terminal, result);
  if (json === true) printJson(terminal, result.value);
  else terminal.out(`${lines(result.value).join("\n")}\n`);
  return exitCodes.done;
}

export function printJson(terminal: Terminal, value: unknown): void {
  terminal.out(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** Runs a command that talks to the admin API: makes its client, tells what failed, hands on the exit code. */
import type { Api, Context } from "./context.ts";
import { type ExitCode, report } from "./exit.ts";
import { type ApiOptions, clientFor } from "./options.ts";
import { plainTerminal } from "./screen/terminal.ts";

export async function withApi(
  context: Context,
  options: ApiOptions,
  use: (api: Api) => Promise<ExitCode>,
): Promise<void> {
  const { now, env } = context;
  const terminal = options.plain === true ? plainTerminal(context.terminal) : context.terminal;
  const client = await clientFor(options, env);
  context.finish(
    client.ok ? await use({ terminal, now, client: client.value }) : report(terminal, client.failure),
  );
}

export function printJson(terminal: Context["terminal"], value: unknown): void {
  terminal.out(`${JSON.stringify(value, undefined, 2)}\n`);
}

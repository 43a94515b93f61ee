import type { Command } from "commander";
import type { Api, Context } from "../../context.ts";
import { type ExitCode, exitCodes, report } from "../../exit.ts";
import { settle } from "../../failure.ts";
import {
  type ApiOptions,
  examples,
  type JsonOption,
  readName,
  withApiOptions,
  withJson,
} from "../../options.ts";
import { printJson, withApi } from "../../run.ts";
import { statusView } from "../../screen/status-view.ts";

export function addStatus(program: Command, context: Context): void {
  const command = program
    .command("status")
    .description("where each cutover stands, how both sides fare, who changed it last")
    .argument("[NAME]", "one cutover only", readName);
  withApiOptions(withJson(command)).action((name: string | undefined, options: ApiOptions & JsonOption) =>
    withApi(context, options, (api) => status(api, name, options.json === true)),
  );
  examples(
    command,
    ["cutover status", "every cutover"],
    ["cutover status checkout --json", "one, as the API gives it"],
  );
}

async function status(
  { client, terminal, now }: Api,
  name: string | undefined,
  isJson: boolean,
): Promise<ExitCode> {
  const { url } = client;
  const settled =
    name === undefined
      ? settle(await client.cutovers(), { url })
      : settle(await client.cutover(name), { url, name });
  if (!settled.ok) return report(terminal, settled.failure);
  const { value } = settled;
  if (isJson) {
    printJson(terminal, value);
    return exitCodes.done;
  }
  const views = Array.isArray(value) ? value : [value];
  const view = statusView(views, { columns: terminal.columns(), style: terminal.style, now: now() });
  terminal.out(`${view.join("\n")}\n`);
  return exitCodes.done;
}

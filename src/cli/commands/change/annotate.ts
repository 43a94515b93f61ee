import type { Command } from "commander";
import type { Context } from "../../context.ts";
import { exitCodes, fail, report } from "../../exit.ts";
import { settle } from "../../failure.ts";
import {
  type ApiOptions,
  examples,
  type JsonOption,
  readName,
  readReason,
  readVersion,
  withApiOptions,
  withJson,
} from "../../options.ts";
import { printJson, withApi } from "../../run.ts";
import { printable } from "../../screen/text.ts";
import { shellWord } from "../../shell.ts";

interface AnnotateOptions extends ApiOptions, JsonOption {
  readonly reason?: string;
}

export function addAnnotate(program: Command, context: Context): void {
  const command = program
    .command("annotate")
    .description("give the reason for a change later; its own entry in the history stays as it was")
    .argument("<NAME>", "the cutover", readName)
    .argument("<VERSION>", "of the change, as in cutover history", readVersion)
    .option("--reason <TEXT>", "why, for whoever reads the history (required)", readReason);
  withApiOptions(withJson(command)).action(
    async (name: string, version: number, options: AnnotateOptions) => {
      const { reason = "" } = options;
      if (reason === "") {
        const line = `Usage: cutover annotate ${shellWord(name)} ${version} --reason "WHY"`;
        const { failure } = fail(exitCodes.usage, "annotate needs a reason", line);
        context.finish(report(context.terminal, failure));
        return;
      }
      await withApi(context, options, async ({ client, terminal }) => {
        const answer = await client.annotate(name, version, reason);
        const settled = settle(answer, { url: client.url, name, isOfVersion: true, isWrite: true });
        if (!settled.ok) return report(terminal, settled.failure);
        if (options.json === true) printJson(terminal, settled.value);
        else
          terminal.out(
            `${printable(name)}: version ${version} has its reason, by ${printable(settled.value.by)}\n`,
          );
        return exitCodes.done;
      });
    },
  );
  examples(
    command,
    ['cutover annotate checkout 43 --reason "double charges, incident 118"', "after the rollback"],
    ["cutover history checkout", "shows it with the change"],
  );
}

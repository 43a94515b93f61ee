import type { Command } from "commander";
import type { Context } from "./context.ts";
import { share } from "./format.ts";
import { examples, readName } from "./options.ts";
import { withApi } from "./run.ts";
import { runWrite, type WriteOptions, welcomeReason, withWriteOptions, writeBody } from "./write.ts";

export function addHold(program: Command, context: Context): void {
  const command = program
    .command("hold")
    .description("freeze: no automatic change and no raise until resume; needs no reason")
    .argument("<NAME>", "the cutover", readName);
  withWriteOptions(command, "welcome").action((name: string, options: WriteOptions) =>
    withApi(context, options, (api) =>
      runWrite(api, {
        name,
        call: "hold",
        body: { ...writeBody(options), ...welcomeReason(options) },
        isJson: options.json === true,
        standing: ({ percent }) => `held at ${share(percent)}`,
        consequences: [
          `It can be lowered and rolled back. Nothing raises it before: cutover resume ${name} --reason TEXT`,
        ],
      }),
    ),
  );
  examples(
    command,
    ["cutover hold checkout", "freeze it where it is"],
    ['cutover hold checkout --reason "looking into p99"', "and say why"],
  );
}

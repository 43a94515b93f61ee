import type { Command } from "commander";
import type { Context } from "../../context.ts";
import { examples, readName } from "../../options.ts";
import { withApi } from "../../run.ts";
import { demandReason, manner, runWrite, type WriteOptions, withWriteOptions, writeBody } from "./write.ts";

export function addClose(program: Command, context: Context): void {
  const command = program
    .command("close")
    .description("close legacy for good, from open at 100%: the point of no return")
    .argument("<NAME>", "the cutover", readName);
  withWriteOptions(command, "required").action(async (name: string, options: WriteOptions) => {
    const reason = demandReason(context, options, "close", name);
    if (reason === undefined) return;
    await withApi(context, options, (api) =>
      runWrite(api, {
        name,
        call: "close",
        body: { reason, ...writeBody(options) },
        ...manner(options),
        standing: () => "closed",
        consequences: ["Only what legacy still owns goes there. There is no way back."],
      }),
    );
  });
  examples(command, ['cutover close checkout --reason "a month at 100, none owned"', "legacy is given up"]);
}

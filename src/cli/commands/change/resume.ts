import type { Command } from "commander";
import type { Context } from "../../context.ts";
import { examples, readName } from "../../options.ts";
import { withApi } from "../../run.ts";
import { share } from "../../screen/format.ts";
import { demandReason, manner, runWrite, type WriteOptions, withWriteOptions, writeBody } from "./write.ts";

export function addResume(program: Command, context: Context): void {
  const command = program
    .command("resume")
    .description("open a held or rolled back cutover again: at the percent it held, or at 0 after a rollback")
    .argument("<NAME>", "the cutover", readName);
  withWriteOptions(command, "required").action(async (name: string, options: WriteOptions) => {
    const reason = demandReason(context, options, "resume", name);
    if (reason === undefined) return;
    await withApi(context, options, (api) =>
      runWrite(api, {
        name,
        call: "resume",
        body: { reason, ...writeBody(options) },
        ...manner(options),
        standing: ({ percent }) => `open at ${share(percent)}`,
      }),
    );
  });
  examples(command, [
    'cutover resume checkout --reason "fixed in release 118"',
    "the latch or the hold ends",
  ]);
}

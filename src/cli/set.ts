import type { Command } from "commander";
import type { Context } from "./context.ts";
import { share } from "./format.ts";
import { examples, readName, readPercent } from "./options.ts";
import { withApi } from "./run.ts";
import { demandReason, runWrite, type WriteOptions, withWriteOptions, writeBody } from "./write.ts";

export function addSet(program: Command, context: Context): void {
  const command = program
    .command("set")
    .description("raise or lower the share of shoppers whose new journeys start on the new side")
    .argument("<NAME>", "the cutover", readName)
    .argument("<PERCENT>", "0 to 100, at most 3 decimals: 25, 12.5, 0.001", readPercent);
  withWriteOptions(command, "required").action(
    async (name: string, percent: number, options: WriteOptions) => {
      const reason = demandReason(context, options, "set", name, String(percent));
      if (reason === undefined) return;
      await withApi(context, options, (api) =>
        runWrite(api, {
          name,
          call: "percent",
          body: { percent, reason, ...writeBody(options) },
          isJson: options.json === true,
          standing: (answer) => share(answer.percent),
        }),
      );
    },
  );
  examples(
    command,
    ['cutover set checkout 25 --reason "errors level for a day"', "a quarter of the shoppers"],
    ['cutover set checkout 0 --reason "provider is down"', "no new journeys on new"],
    ['cutover set checkout 50 --reason "step 4" --if-version 12', "unless somebody changed it"],
  );
}

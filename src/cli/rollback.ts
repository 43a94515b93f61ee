import type { Command } from "commander";
import type { Context } from "./context.ts";
import { examples, readName } from "./options.ts";
import { withApi } from "./run.ts";
import { runWrite, type WriteOptions, welcomeReason, withWriteOptions, writeBody } from "./write.ts";

const plain = "New journeys start on legacy. Journeys that began on new finish there.";
const hard = [
  "New journeys start on legacy. Journeys that began on new are void: they start anew on legacy.",
  "Only requests with an order or key that new owns still go to new.",
];

export function addRollback(program: Command, context: Context): void {
  const command = program
    .command("rollback")
    .description("0% at once, and latched there until resume; needs no reason")
    .argument("<NAME>", "the cutover", readName)
    .option("--hard", "void the journeys that began on new as well (owned orders stay where they are)");
  withWriteOptions(command, "welcome").action(
    (name: string, options: WriteOptions & { readonly hard?: true }) =>
      withApi(context, options, (api) =>
        runWrite(api, {
          name,
          call: "rollback",
          body: { ...writeBody(options), ...welcomeReason(options), hard: options.hard === true },
          isJson: options.json === true,
          standing: () => "rolled back",
          consequences: [
            ...(options.hard === true ? hard : [plain]),
            `Nothing raises it before: cutover resume ${name} --reason TEXT`,
          ],
        }),
      ),
  );
  examples(
    command,
    ["cutover rollback checkout", "now; journeys on new finish there"],
    ["cutover rollback checkout --hard", "now; journeys on new are void"],
    ['cutover rollback checkout --reason "double charges"', "with the reason for the history"],
  );
}

import type { Command } from "commander";
import type { Context } from "../../context.ts";
import { examples, readName } from "../../options.ts";
import { withApi } from "../../run.ts";
import { type DirectOptions, runDirect, withDirect } from "./direct.ts";
import { manner, runWrite, welcomeReason, withWriteOptions, writeBody } from "./write.ts";

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
  withDirect(withWriteOptions(command, "welcome")).action(
    async (name: string, options: DirectOptions & { readonly hard?: true }) => {
      const isHard = options.hard === true;
      const words = {
        name,
        call: "rollback",
        standing: () => "rolled back",
        consequences: [
          ...(isHard ? hard : [plain]),
          `Nothing raises it before: cutover resume ${name} --reason TEXT`,
        ],
      } as const;
      if (options.direct !== undefined) {
        const action = isHard ? "rollback_hard" : "rollback";
        context.finish(await runDirect(context, options, { ...words, action }));
        return;
      }
      await withApi(context, options, (api) =>
        runWrite(api, {
          ...words,
          body: { ...writeBody(options), ...welcomeReason(options), hard: isHard },
          ...manner(options),
        }),
      );
    },
  );
  examples(
    command,
    ["cutover rollback checkout", "now; journeys on new finish there"],
    ["cutover rollback checkout --hard", "now; journeys on new are void"],
    ['cutover rollback checkout --reason "double charges"', "with the reason for the history"],
    ["cutover rollback checkout --wait 60s", "and wait until silent instances have stopped as well"],
    ["cutover rollback checkout --direct redis://HOST:PORT", "when no admin API answers"],
  );
}

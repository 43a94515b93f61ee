import type { Command } from "commander";
import type { WriteAnswer } from "../../../admin/api/write.ts";
import type { Context } from "../../context.ts";
import { examples, readName } from "../../options.ts";
import { withApi } from "../../run.ts";
import { share } from "../../screen/format.ts";
import { type DirectOptions, runDirect, withDirect } from "./direct.ts";
import { manner, runWrite, welcomeReason, withWriteOptions, writeBody } from "./write.ts";

export function addHold(program: Command, context: Context): void {
  const command = program
    .command("hold")
    .description("freeze: no automatic change and no raise until resume; needs no reason")
    .argument("<NAME>", "the cutover", readName);
  withDirect(withWriteOptions(command, "welcome")).action(async (name: string, options: DirectOptions) => {
    const words = {
      name,
      call: "hold",
      standing: ({ percent }: WriteAnswer) => `held at ${share(percent)}`,
      consequences: [
        `It can be lowered and rolled back. Nothing raises it before: cutover resume ${name} --reason TEXT`,
      ],
    } as const;
    if (options.direct !== undefined) {
      context.finish(await runDirect(context, options, { ...words, action: "hold" }));
      return;
    }
    await withApi(context, options, (api) =>
      runWrite(api, {
        ...words,
        body: { ...writeBody(options), ...welcomeReason(options) },
        ...manner(options),
      }),
    );
  });
  examples(
    command,
    ["cutover hold checkout", "freeze it where it is"],
    ['cutover hold checkout --reason "looking into p99"', "and say why"],
  );
}

import type { Command } from "commander";
import type { Context } from "../../context.ts";
import { examples } from "../../options.ts";
import { runUntilStopped } from "./run-until-stopped.ts";

export function addDemo(program: Command, context: Context): void {
  const command = program
    .command("demo")
    .description("everything on this machine: the proxy, two sample shops, sample shoppers, the console");
  command.action(async () => {
    const print = (text: string) => context.terminal.out(`${text}\n`);
    context.finish(await runUntilStopped(context, () => context.engine.demo(print)));
  });
  examples(command, ["cutover demo", "Ctrl-C ends all of it"]);
}

import type { Command } from "commander";
import type { Context } from "../../context.ts";
import { examples, withConfig } from "../../options.ts";
import { runUntilStopped } from "./run-until-stopped.ts";

interface ServeOptions {
  readonly config: string;
}

export function addServe(program: Command, context: Context): void {
  const command = withConfig(
    program
      .command("serve")
      .description(
        "run the proxy and its admin API; JSON lines on stdout, one with msg ready once it serves",
      ),
  );
  command.action(async ({ config }: ServeOptions) => {
    context.finish(await runUntilStopped(context, () => context.engine.serve(config)));
  });
  examples(
    command,
    ["cutover serve", "with config/cutover.yaml"],
    ["cutover serve --config /etc/cutover.yaml", "SIGTERM or Ctrl-C ends it cleanly, twice at once"],
    ["kill -HUP PID", "reads the configuration again: swapped whole, or kept, as the log says"],
    ["kill -USR2 PID", "replaces the workers one after the other"],
  );
}

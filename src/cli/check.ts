import type { Command } from "commander";
import type { Context } from "./context.ts";
import { exitCodes } from "./exit.ts";
import { examples, type JsonOption, withConfig, withJson } from "./options.ts";
import { reportProblems, warningLine } from "./problems.ts";
import { printJson } from "./run.ts";

interface CheckOptions extends JsonOption {
  readonly config: string;
}

export function addCheck(program: Command, context: Context): void {
  const command = withConfig(
    program
      .command("check")
      .description("read the configuration and tell every problem, each with its place"),
  );
  withJson(command, "print { ok, problems, warnings }").action((options: CheckOptions) =>
    check(context, options),
  );
  examples(
    command,
    ["cutover check", "config/cutover.yaml"],
    ["cutover check --config /etc/cutover.yaml", "another file, before serve is pointed at it"],
  );
}

async function check({ engine, terminal, finish }: Context, options: CheckOptions): Promise<void> {
  const checked = await engine.check(options.config);
  if (options.json === true) {
    printJson(terminal, { problems: [], warnings: [], ...checked });
    finish(checked.ok ? exitCodes.done : exitCodes.usage);
    return;
  }
  if (!checked.ok) {
    finish(reportProblems(terminal, checked.problems));
    return;
  }
  terminal.out(`${checked.warnings.map(warningLine).join("")}ok\n`);
  finish(exitCodes.done);
}

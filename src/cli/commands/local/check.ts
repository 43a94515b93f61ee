import type { Command } from "commander";
import type { Context } from "../../context.ts";
import type { ConfigValue, Problems, Sound } from "../../engine.ts";
import { exitCodes, reportProblems, warningLine } from "../../exit.ts";
import { printJson } from "../../frame.ts";
import { examples, type JsonOption, withConfig, withJson } from "../../options.ts";
import { printable } from "../../screen/text.ts";

interface CheckOptions extends JsonOption {
  readonly config: string;
  readonly explain?: true;
}

export function addCheck(program: Command, context: Context): void {
  const command = withConfig(
    program
      .command("check")
      .description("read the configuration and tell every problem, each with its place"),
  );
  command.option("--explain", "also every value in effect and where it comes from, secrets masked");
  withJson(command, "print { ok, problems, warnings }").action((options: CheckOptions) =>
    check(context, options),
  );
  examples(
    command,
    ["cutover check", "config/cutover.yaml"],
    ["cutover check --explain", "with defaults, and the place of each value"],
    ["cutover check --config /etc/cutover.yaml", "another file, before serve is pointed at it"],
  );
}

async function check({ engine, terminal, finish }: Context, options: CheckOptions): Promise<void> {
  const checked = await engine.check(options.config);
  if (options.json === true) {
    const { explain: _, ...told } = { explain: undefined, ...checked };
    printJson(terminal, { problems: [], warnings: [], ...told, ...valuesOf(checked, options) });
    finish(checked.ok ? exitCodes.done : exitCodes.usage);
    return;
  }
  if (!checked.ok) {
    finish(reportProblems(terminal, checked.problems));
    return;
  }
  const { values = [] } = valuesOf(checked, options);
  const width = Math.max(...values.map(({ path, value }) => path.length + value.length + 2), 0);
  const lines = values.map((each) => {
    const said = `${each.path}: ${printable(each.value)}`;
    return `${said.padEnd(Math.min(width, mostPadded))}  # ${sourceOf(each, options.config)}\n`;
  });
  terminal.out(`${lines.join("")}${checked.warnings.map(warningLine).join("")}ok\n`);
  finish(exitCodes.done);
}

const mostPadded = 60;

function valuesOf(
  checked: Problems | Sound,
  { explain }: CheckOptions,
): { readonly values?: readonly ConfigValue[] } {
  return explain === true && checked.ok ? { values: checked.explain?.() ?? [] } : {};
}

function sourceOf({ from }: ConfigValue, file: string): string {
  if (from.kind === "default") return "default";
  const place = `${file}:${from.line}:${from.column}`;
  return from.filled ? `environment, ${place}` : place;
}

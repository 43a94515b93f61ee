/**
 * Closing legacy for good. It cannot be taken back, so it asks:
 *
 *   --confirm NAME   the cutover's name again: nothing is asked; another one, and nothing is sent
 *   at a terminal    the name is typed once more, below what legacy has under way
 *   elsewhere        nobody can be asked, and nothing is sent
 */
import type { Command } from "commander";
import type { Api, Context } from "../../context.ts";
import { type ExitCode, exitCodes, fail, report } from "../../exit.ts";
import { resultOf } from "../../failure.ts";
import { withApi } from "../../frame.ts";
import { examples, readName } from "../../options.ts";
import { standing } from "../../screen/format.ts";
import { printable, shellWord } from "../../screen/text.ts";
import { leftOnLegacy } from "./dry-run.ts";
import {
  type AskedWrite,
  demandReason,
  overriding,
  runWrite,
  type WriteOptions,
  withWriteOptions,
  writeBody,
} from "./write.ts";

interface CloseOptions extends WriteOptions {
  readonly confirm?: string;
  readonly force?: true;
  readonly override?: true;
}

export function addClose(program: Command, context: Context): void {
  const command = program
    .command("close")
    .description("close legacy for good, from open at 100%: the point of no return")
    .argument("<NAME>", "the cutover", readName)
    .option("--confirm <NAME>", "the name again: nothing is asked; a script has to give it")
    .option("--force", "although legacy has journeys under way or unfinished orders: they are given up")
    .option("--override", "although everything is frozen: the history says so");
  withWriteOptions(command, "required").action((name: string, options: CloseOptions) =>
    close(context, name, options),
  );
  examples(
    command,
    ['cutover close checkout --reason "a month at 100" --dry-run', "what legacy has under way"],
    ['cutover close checkout --reason "a month at 100"', "asks to type the name"],
    ['cutover close checkout --reason "a month at 100" --confirm checkout', "from a script"],
    ['cutover close checkout --reason "the rest is refunded" --force', "legacy's journeys are given up"],
  );
}

async function close(context: Context, name: string, options: CloseOptions): Promise<void> {
  const { terminal, finish } = context;
  const { reason = "", confirm, force, override, json, dryRun } = options;
  if (reason === "") return demandReason(context, options, ["close", name]);
  if (confirm !== undefined && confirm !== name) {
    const message = `--confirm says ${printable(confirm)}, and what is asked for is ${printable(name)}`;
    return finish(report(terminal, fail(exitCodes.usage, message, "Nothing was sent. Give the same name.")));
  }
  const write = (ifVersion = options.ifVersion): AskedWrite => ({
    name,
    call: {
      call: "close",
      body: {
        reason,
        force: force === true,
        ...overriding(override),
        ...writeBody({ ...options, ifVersion }),
      },
    },
    isJson: json === true,
    isDryRun: dryRun === true,
    standing: () => "closed",
    consequences: ["Only what legacy still owns goes there. There is no way back."],
  });
  await withApi(context, options, (api) =>
    dryRun === true || confirm !== undefined
      ? runWrite(api, write())
      : askAndClose(api, name, options.ifVersion, write),
  );
}

/** What a person was asked about is closed at that very version. */
async function askAndClose(
  api: Api,
  name: string,
  ifVersion: number | undefined,
  write: (ifVersion?: number) => AskedWrite,
): Promise<ExitCode> {
  const { client, terminal, now } = api;
  const found = await client.cutover(name);
  // Whatever became of the question, the change was not sent.
  const answer = found.kind === "unreachable" || found.kind === "foreign" ? { ...found, sent: false } : found;
  const result = resultOf(answer, { url: client.url, name, isWrite: true, call: "close" });
  if (!result.ok) return report(terminal, result);
  const view = result.value;
  const word = printable(view.name);
  const typed = await terminal.ask(
    [
      `This closes legacy of ${word} for good (now ${standing(view)}): there is no way back.`,
      ...leftOnLegacy(view, now()),
      `Type ${word} to do it, anything else to leave it: `,
    ].join("\n"),
  );
  if (typed === undefined) {
    return report(
      terminal,
      fail(
        exitCodes.usage,
        `not confirmed: this closes legacy of ${word} for good`,
        `Nothing was changed. If it is meant, say the name again: --confirm ${shellWord(name)}`,
      ),
    );
  }
  if (typed.trim() !== view.name) {
    return report(terminal, fail(exitCodes.refused, "not confirmed: nothing was changed"));
  }
  return runWrite(api, write(ifVersion ?? view.version));
}

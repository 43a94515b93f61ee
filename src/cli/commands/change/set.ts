import type { Command } from "commander";
import type { Api, Context } from "../../context.ts";
import { type ExitCode, exitCodes, fail, report } from "../../exit.ts";
import { settle } from "../../failure.ts";
import { examples, readName } from "../../options.ts";
import { withApi } from "../../run.ts";
import { share } from "../../screen/format.ts";
import { type ConfirmRule, readConfirmRule } from "../../settings.ts";
import { confirmRaise, isLargeRaise } from "./confirm.ts";
import { percentWord, readPercent } from "./percent.ts";
import {
  demandReason,
  manner,
  runWrite,
  tellWrite,
  type WriteOptions,
  withWriteOptions,
  writeBody,
} from "./write.ts";

interface SetOptions extends WriteOptions {
  readonly confirm?: number;
}

export function addSet(program: Command, context: Context): void {
  const command = program
    .command("set")
    .description("raise or lower the share of shoppers whose new journeys start on the new side")
    .argument("<NAME>", "the cutover", readName)
    .argument("<PERCENT>", "0 to 100, at most 3 decimals: 25, 12.5, 25%; below 1 as 0.25%", readPercent)
    .option(
      "--confirm <PERCENT>",
      "the same again: a raise by more than 25 points then asks nothing; a script has to give it where CUTOVER_CONFIRM=always",
      readPercent,
    );
  withWriteOptions(command, "required").action(async (name: string, percent: number, options: SetOptions) => {
    const reason = demandReason(context, options, "set", name, percentWord(percent));
    if (reason === undefined) return;
    const { confirm } = options;
    if (confirm !== undefined && confirm !== percent) {
      const message = `--confirm says ${share(confirm)}, and what is asked for is ${share(percent)}`;
      const { failure } = fail(exitCodes.usage, message, "Nothing was sent. Give both the same percent.");
      context.finish(report(context.terminal, failure));
      return;
    }
    const rule = await readConfirmRule(context.env);
    if (!rule.ok) {
      context.finish(report(context.terminal, rule.failure));
      return;
    }
    await withApi(context, options, (api) => set(api, name, { percent, reason, rule: rule.value }, options));
  });
  examples(
    command,
    ['cutover set checkout 25 --reason "errors level for a day"', "a quarter of the shoppers"],
    ['cutover set checkout 0 --reason "provider is down"', "no new journeys on new"],
    ['cutover set checkout 50 --reason "step 4" --if-version 12', "unless somebody changed it"],
    ['cutover set checkout 100 --reason "all of it" --confirm=100', "a large raise, from a script"],
    ['cutover set checkout 50 --reason "step 4" --dry-run', "only say what would happen"],
  );
}

const mostAttempts = 5;

/**
 * How large a raise is, depends on where the cutover stands: what a person was asked about, or what needed no asking, is
 * written over that very version, and judged anew when somebody else was faster.
 */
async function set(
  api: Api,
  name: string,
  {
    percent,
    reason,
    rule,
  }: { readonly percent: number; readonly reason: string; readonly rule: ConfirmRule },
  options: SetOptions,
): Promise<ExitCode> {
  const { client, terminal } = api;
  const write = (ifVersion: number | undefined) => ({
    name,
    call: "percent" as const,
    body: { percent, reason, ...writeBody(options), ...(ifVersion === undefined ? {} : { ifVersion }) },
    ...manner(options),
    standing: (answer: { readonly percent: number }) => share(answer.percent),
  });
  if (options.dryRun === true || options.confirm !== undefined)
    return runWrite(api, write(options.ifVersion));
  for (let attempt = 1; ; attempt++) {
    const found = await client.cutover(name);
    // Whatever became of the question, the change was not sent.
    const answer =
      found.kind === "unreachable" || found.kind === "foreign" ? { ...found, sent: false } : found;
    const settled = settle(answer, { url: client.url, name, isWrite: true });
    if (!settled.ok) return report(terminal, settled.failure);
    const stands = settled.value;
    const isLarge = isLargeRaise(stands, percent);
    if (isLarge) {
      const confirmed = await confirmRaise(api, { stands, to: percent }, rule);
      if (!confirmed.ok) return report(terminal, confirmed.failure);
      if (confirmed.value === "told") return runWrite(api, write(options.ifVersion));
    }
    const isLast = isLarge || options.ifVersion !== undefined || attempt === mostAttempts;
    const judged = write(options.ifVersion ?? stands.version);
    const written = await client.write(name, judged.call, judged.body);
    const isOutrun = written.kind === "refused" && written.problem.code === "version_conflict";
    if (isLast || !isOutrun) return tellWrite(api, judged, written);
  }
}

/**
 * Four eyes: another person's raise or close, approved or withdrawn. Who approves names what they approve, by the id they
 * were shown or the percent: what was proposed in its place meanwhile is not meant.
 */
import type { Command } from "commander";
import type { ProposalView } from "../../../admin/api/write.ts";
import type { WriteCall } from "../../client.ts";
import type { Api, Context } from "../../context.ts";
import { type ExitCode, exitCodes, type Failed, fail, type Result, report, succeed } from "../../exit.ts";
import { resultOf } from "../../failure.ts";
import { withApi } from "../../frame.ts";
import {
  type ApiOptions,
  examples,
  type JsonOption,
  percentWord,
  readName,
  readPercent,
  readWait,
  withApiOptions,
  withJson,
} from "../../options.ts";
import { proposedText, share } from "../../screen/format.ts";
import { printable, shellWord } from "../../screen/text.ts";
import { dryRun } from "./dry-run.ts";
import { defaultWaitMs, tellAnswer } from "./write.ts";

interface ApproveOptions extends ApiOptions, JsonOption {
  readonly wait?: number;
  readonly percent?: number;
  readonly dryRun?: true;
}

/** What of the open proposal has to match. */
interface Named {
  readonly id?: string | undefined;
  readonly percent?: number | undefined;
}

export function addApprove(program: Command, context: Context): void {
  const command = program
    .command("approve")
    .description("make the raise or close another person has proposed; the history names both")
    .argument("<NAME>", "the cutover", readName)
    .argument("[ID]", "the proposal, as cutover status shows it")
    .option("--percent <PERCENT>", "in place of the id: the raise to this percent", readPercent)
    .option("--wait <DURATION>", "how long to wait for all instances (default: 2s)", readWait)
    .option("--dry-run", "only say what would happen, and whether it would be refused");
  withApiOptions(withJson(command)).action((name: string, id: string | undefined, options: ApproveOptions) =>
    withApi(context, options, (api) => approve(api, name, id, options)),
  );
  examples(
    command,
    ["cutover approve checkout f3a1c09b", "this one or none"],
    ["cutover approve checkout --percent 40", "the raise to 40% or none"],
    ["cutover approve checkout f3a1c09b --dry-run", "only say what would happen"],
  );
}

export function addWithdraw(program: Command, context: Context): void {
  const command = program
    .command("withdraw")
    .description("take a proposed raise or close back, your own or another's")
    .argument("<NAME>", "the cutover", readName)
    .argument("[ID]", "the proposal (default: the one that is open)");
  withApiOptions(command).action((name: string, id: string | undefined, options: ApiOptions) =>
    withApi(context, options, (api) => withdraw(api, name, id)),
  );
  examples(command, ["cutover withdraw checkout", "nobody can approve it any more"]);
}

async function approve(
  api: Api,
  name: string,
  id: string | undefined,
  options: ApproveOptions,
): Promise<ExitCode> {
  const { client, terminal } = api;
  const { percent, dryRun: isDryRun, json } = options;
  const found = await find(api, name, { id, percent });
  if (!found.ok) return report(terminal, found);
  if (id === undefined && percent === undefined) return report(terminal, unnamed(name, found.value));
  if (isDryRun === true) return rehearse(api, found.value, json === true);
  const answer = await client.approve(name, found.value.id, options.wait ?? defaultWaitMs);
  const result = resultOf(answer, { url: client.url, name, isWrite: true, call: "approve" });
  if (!result.ok) return report(terminal, result);
  return tellAnswer(terminal, result.value, {
    call: "approve",
    isJson: json === true,
    standing: ({ state, percent: to }) => (state === "closed" ? "closed" : share(to)),
    consequences: [`Proposed by ${printable(found.value.by)}: ${printable(found.value.reason)}`],
  });
}

/** @returns the exit code of approving it */
async function rehearse(api: Api, proposal: ProposalView, isJson: boolean): Promise<ExitCode> {
  const { client, terminal } = api;
  const { name, action, force, percent, reason, by, version } = proposal;
  const who = await client.whoAmI();
  if (who.kind === "ok" && who.value.name === by) {
    const message = "dry run: it would be refused (forbidden): another person has to approve it";
    return report(terminal, fail(exitCodes.refused, message, `It was proposed by ${printable(by)}.`));
  }
  const call: WriteCall =
    action === "close"
      ? { call: "close", body: { reason, force, ifVersion: version } }
      : { call: "percent", body: { percent, reason, ifVersion: version } };
  return dryRun(api, { name, call, isJson, isApproval: true });
}

function unnamed(name: string, proposal: ProposalView): Failed {
  const { id, percent, by, reason, action } = proposal;
  const typed = `cutover approve ${shellWord(name)}`;
  return fail(
    exitCodes.usage,
    "approve names what it approves: nothing was sent",
    `${proposedText(proposal)} is proposed by ${printable(by)}: ${printable(reason)}`,
    `If that is meant: ${typed} ${id}`,
    ...(action !== "set" ? [] : [`or: ${typed} --percent ${percentWord(percent)}`]),
  );
}

async function withdraw(api: Api, name: string, id: string | undefined): Promise<ExitCode> {
  const { client, terminal } = api;
  const found = await find(api, name, { id });
  if (!found.ok) return report(terminal, found);
  const result = resultOf(await client.withdraw(name, found.value.id), {
    url: client.url,
    name,
    isWrite: true,
  });
  if (!result.ok) return report(terminal, result);
  const { by, percent, action } = found.value;
  const raise = `the raise to ${share(percent)}`;
  const what = { close: "the close", plan: "the plan", set: raise, schedule: `${raise} at its time` }[action];
  terminal.out(`${printable(name)}: withdrawn, ${what} that ${printable(by)} proposed\n`);
  return exitCodes.done;
}

async function find({ client }: Api, name: string, { id, percent }: Named): Promise<Result<ProposalView>> {
  const result = resultOf(await client.proposals(name), { url: client.url, name });
  if (!result.ok) return result;
  const proposal = result.value.find((each) => {
    const isOfPercent = percent === undefined || (each.action === "set" && each.percent === percent);
    return isOfPercent && (id === undefined || each.id === id);
  });
  if (proposal !== undefined) return succeed(proposal);
  const isNamed = id !== undefined || percent !== undefined;
  return fail(
    exitCodes.refused,
    `no ${isNamed ? "such proposal" : "proposal"} is open: used, withdrawn, expired, or of another version`,
    ...result.value.map((open) => `Open is ${proposedText(open)} by ${printable(open.by)}: ${open.id}`),
    "It is proposed anew by cutover set, or cutover close.",
  );
}

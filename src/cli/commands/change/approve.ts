/** Four eyes: another person's raise, approved or withdrawn. */
import type { Command } from "commander";
import type { ProposalView } from "../../../admin/api/write.ts";
import type { Api, Context } from "../../context.ts";
import { type ExitCode, exitCodes, fail, type Result, report, succeed } from "../../exit.ts";
import { resultOf } from "../../failure.ts";
import { withApi } from "../../frame.ts";
import {
  type ApiOptions,
  examples,
  type JsonOption,
  readName,
  readWait,
  withApiOptions,
  withJson,
} from "../../options.ts";
import { share } from "../../screen/format.ts";
import { printable } from "../../screen/text.ts";
import { defaultWaitMs, tellAnswer } from "./write.ts";

interface ApproveOptions extends ApiOptions, JsonOption {
  readonly wait?: number;
}

export function addApprove(program: Command, context: Context): void {
  const command = program
    .command("approve")
    .description("make the raise another person has proposed; the history names both")
    .argument("<NAME>", "the cutover", readName)
    .argument("[ID]", "the proposal (default: the one that is open)")
    .option("--wait <DURATION>", "how long to wait for all instances (default: 2s)", readWait);
  withApiOptions(withJson(command)).action((name: string, id: string | undefined, options: ApproveOptions) =>
    withApi(context, options, (api) => approve(api, name, id, options)),
  );
  examples(
    command,
    ["cutover approve checkout", "the one that is open"],
    ["cutover approve checkout f3a1c09b", "this one or none"],
  );
}

export function addWithdraw(program: Command, context: Context): void {
  const command = program
    .command("withdraw")
    .description("take a proposed raise back, your own or another's")
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
  const found = await find(api, name, id);
  if (!found.ok) return report(terminal, found);
  const answer = await client.approve(name, found.value.id, options.wait ?? defaultWaitMs);
  const result = resultOf(answer, { url: client.url, name, isWrite: true, call: "approve" });
  if (!result.ok) return report(terminal, result);
  return tellAnswer(terminal, result.value, {
    call: "percent",
    isJson: options.json === true,
    standing: ({ percent }) => share(percent),
    consequences: [`Proposed by ${printable(found.value.by)}: ${printable(found.value.reason)}`],
  });
}

async function withdraw(api: Api, name: string, id: string | undefined): Promise<ExitCode> {
  const { client, terminal } = api;
  const found = await find(api, name, id);
  if (!found.ok) return report(terminal, found);
  const result = resultOf(await client.withdraw(name, found.value.id), {
    url: client.url,
    name,
    isWrite: true,
  });
  if (!result.ok) return report(terminal, result);
  const { by, percent } = found.value;
  terminal.out(
    `${printable(name)}: withdrawn, the raise to ${share(percent)} that ${printable(by)} proposed\n`,
  );
  return exitCodes.done;
}

async function find({ client }: Api, name: string, id: string | undefined): Promise<Result<ProposalView>> {
  const result = resultOf(await client.proposals(name), { url: client.url, name });
  if (!result.ok) return result;
  const proposal = result.value.find((each) => id === undefined || each.id === id);
  if (proposal !== undefined) return succeed(proposal);
  return fail(
    exitCodes.refused,
    `no ${id === undefined ? "proposal" : "such proposal"} is open: used, withdrawn, expired, or of another version`,
    "It is proposed anew by: cutover set NAME PERCENT --reason TEXT",
  );
}

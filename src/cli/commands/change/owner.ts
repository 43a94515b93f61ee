/** Who owns a key; and putting that right. */
import { type Command, Option } from "commander";
import type { OwnerAnswer, OwnerView } from "../../../admin/api/owner-view.ts";
import type { Api, Context } from "../../context.ts";
import { type ExitCode, exitCodes, report } from "../../exit.ts";
import { resultOf } from "../../failure.ts";
import { printJson, show, withApi } from "../../frame.ts";
import {
  type ApiOptions,
  examples,
  type JsonOption,
  readName,
  readReason,
  withApiOptions,
  withJson,
} from "../../options.ts";
import { printable } from "../../screen/text.ts";

interface OwnerOptions extends ApiOptions, JsonOption {
  readonly set?: "legacy" | "new";
  readonly release?: true;
  readonly reason?: string;
  readonly force?: true;
}

export function addOwner(program: Command, context: Context): void {
  const command = program
    .command("owner")
    .description("who owns a key and since when, by the store and by each instance; or put that right")
    .argument("<NAME>", "the cutover", readName)
    .argument("<KEY>", "an order's or an idempotency key, as the request carries it, decoded")
    .addOption(
      new Option("--set <SIDE>", "give it to this side, on every instance").choices(["legacy", "new"]),
    )
    .addOption(new Option("--release", "take it from whoever owns it").conflicts("set"))
    .option("--reason <TEXT>", "why (required to change it)", readReason)
    .option("--force", "although a request with the key is in flight or in doubt");
  withApiOptions(withJson(command)).action((name: string, key: string, options: OwnerOptions) => {
    const { set, release, reason, force } = options;
    const side = release === true ? null : set;
    if (side === undefined) {
      if (reason !== undefined || force === true) command.error("error: expected --set <SIDE> or --release");
      return withApi(context, options, async ({ client, terminal }) => {
        const answer = await client.owner(name, key);
        return show(terminal, answer, { url: client.url, name }, options, (view) => ownerLines(name, view));
      });
    }
    if (reason === undefined || reason === "") command.error("error: a reason is required: --reason <TEXT>");
    const body = { reason: reason ?? "", force: force === true };
    return withApi(context, options, (api) => change(api, name, key, { side, ...body }, options));
  });
  examples(
    command,
    ["cutover owner checkout INV-7", "who owns this order, and whether all instances go by it"],
    ['cutover owner checkout INV-7 --set legacy --reason "it is in the old shop"', ""],
    ['cutover owner checkout 5f1c --release --reason "charged by nobody"', "the next request claims it"],
  );
}

async function change(
  { client, terminal }: Api,
  name: string,
  key: string,
  asked: { readonly side: "legacy" | "new" | null; readonly reason: string; readonly force: boolean },
  { json }: JsonOption,
): Promise<ExitCode> {
  const answer = await client.putOwner(name, key, asked);
  const result = resultOf(answer, { url: client.url, name, isWrite: true, call: "owner" });
  if (!result.ok) return report(terminal, result);
  const { value } = result;
  if (json === true) printJson(terminal, value);
  else if ("changed" in value) terminal.out(`${changeLines(name, value).join("\n")}\n`);
  else {
    const until = `until ${value.expiresAt} another person can make it by the same command`;
    terminal.out(`${name}: proposed; ${until}\n`);
  }
  if (!("changed" in value)) return exitCodes.notAppliedEverywhere;
  const { applied } = value;
  return applied.instances === applied.of && value.agree ? exitCodes.done : exitCodes.notAppliedEverywhere;
}

function changeLines(name: string, answer: OwnerAnswer): string[] {
  const { applied, changed } = answer;
  const where = `${applied.instances} of ${applied.of} instances`;
  return [
    ...ownerLines(name, answer),
    changed ? `changed, on ${where}` : `unchanged: it stood so on ${where}`,
  ];
}

/** PURE. */
function ownerLines(
  name: string,
  { key, side, by, since, until, store, instances, ...view }: OwnerView,
): string[] {
  const times = [since === null ? "" : ` since ${since}`, until === null ? "" : ` until ${until}`].join("");
  const claim = store?.claim;
  const parted =
    claim && store?.fact && claim.side !== store.fact.side ? [`  claimed for ${claim.side} apart`] : [];
  const { waiting } = view;
  return [
    `${name}: ${printable(key)} ${sentences[by](side ?? "nobody")}${times}`,
    ...parted,
    ...(claim?.tentative === true
      ? ["  its claim is tentative: a request is under way, or its instance is gone"]
      : []),
    ...instances.map((instance) => `  ${instance.id}  ${knownText(instance)}`),
    ...(view.agree
      ? []
      : ["  not all go by what stands in the store: cutover owner … --set SIDE --reason TEXT"]),
    ...(waiting === null
      ? []
      : [
          `  ${waiting.by} asks to ${waiting.side === null ? "release it" : `set it to ${waiting.side}`}: ${printable(waiting.reason)}`,
        ]),
  ];
}

const sentences: Readonly<Record<OwnerView["by"], (side: string) => string>> = {
  pattern: (side) => `is ${side}'s by its form`,
  fact: (side) => `is ${side}'s`,
  claim: (side) => `was claimed for ${side}`,
  nobody: () => "is nobody's",
  unknown: () => "has an owner that cannot be told: the store is out of reach",
};

function knownText({ answered, fact, claim, inFlight, inDoubt }: OwnerView["instances"][number]): string {
  if (!answered) return "does not answer";
  const known = [
    ...(fact === null ? [] : [`remembers ${fact}`]),
    ...(claim === null ? [] : [`remembers a claim for ${claim}`]),
  ];
  return [
    known.length === 0 ? "asks the store" : known.join(", "),
    ...(inFlight === 0 ? [] : [`${inFlight} in flight`]),
    ...(inDoubt ? ["in doubt: a request was not answered, or a record waits"] : []),
  ].join("; ");
}

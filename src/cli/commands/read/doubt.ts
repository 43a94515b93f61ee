/** Requests that were sent and never answered: the list, its export, and settling one. */
import { type Command, Option } from "commander";
import {
  type DoubtView,
  doubtLimits,
  type ExportFormat,
  exportedAs,
  exportFormats,
} from "../../../admin/api/past/doubt-view.ts";
import type { Context } from "../../context.ts";
import { exitCodes, report } from "../../exit.ts";
import { resultOf } from "../../failure.ts";
import { show, withApi } from "../../frame.ts";
import {
  type ApiOptions,
  examples,
  type JsonOption,
  readName,
  readReason,
  readRows,
  withApiOptions,
  withJson,
} from "../../options.ts";
import { localTime } from "../../screen/format.ts";
import { padEnd, printable, widthOf } from "../../screen/text.ts";

interface DoubtOptions extends ApiOptions, JsonOption {
  readonly side?: DoubtView["side"];
  readonly limit: number;
  readonly export?: ExportFormat;
  readonly settle?: string;
  readonly reason?: string;
}

export function addDoubt(program: Command, context: Context): void {
  const command = program
    .command("doubt")
    .description("requests with a key that were sent to a side and never answered; or settle one")
    .argument("<NAME>", "the cutover", readName)
    .addOption(new Option("--side <SIDE>", "of this side alone").choices(["legacy", "new"]))
    .option("--limit <N>", "at most so many of each side, the oldest", readRows, doubtLimits.usual)
    .addOption(new Option("--export <FORMAT>", "a line for each").choices(exportFormats))
    .option("--settle <DIGEST>", "you have found out what those with this key did: they are in doubt no more")
    .option("--reason <TEXT>", "what they did (required to settle)", readReason);
  withApiOptions(withJson(command)).action((name: string, options: DoubtOptions) => {
    const { settle, reason = "" } = options;
    if (settle !== undefined) {
      if (reason === "") command.error("error: a reason is required: --reason <TEXT>");
      return withApi(context, options, async ({ client, terminal }) => {
        const answer = await client.settleDoubt(name, { digest: settle, reason });
        const asked = { url: client.url, name, isWrite: true };
        return show(terminal, answer, asked, options, ({ settled }) => [
          settled === 0
            ? `${name}: nothing with this key is in doubt`
            : `${name}: ${requests(settled)} settled`,
        ]);
      });
    }
    if (reason !== "") command.error("error: expected --settle <DIGEST>");
    return withApi(context, options, async ({ client, terminal }) => {
      const { side, limit, export: format } = options;
      const answer = await client.doubt(name, { side, limit });
      const asked = { url: client.url, name };
      if (format === undefined)
        return show(terminal, answer, asked, options, (all) => doubtLines(name, all, limit));
      const result = resultOf(answer, asked);
      if (!result.ok) return report(terminal, result);
      terminal.out(exportedAs(format, result.value));
      return exitCodes.done;
    });
  });
  examples(
    command,
    ["cutover doubt checkout", "what to find out first after an incident"],
    ["cutover doubt checkout --export csv > doubt.csv", "for whoever reconciles payments"],
    ["printf %s INV-7 | sha256sum | cut -c1-32", "the digest of a key"],
    [
      'cutover doubt checkout --settle 9f86d081884c7d659a2feaa0c55ad015 --reason "charged once"',
      "of any of its keys",
    ],
  );
}

/** A line for each, the oldest first of each side. PURE. */
function doubtLines(name: string, all: readonly DoubtView[], limit: number): string[] {
  if (all.length === 0) return [`${name}: nothing is in doubt`];
  const count = (side: DoubtView["side"]) => {
    const found = all.filter((one) => one.side === side).length;
    return `${found}${found >= limit ? " or more" : ""} on ${side}`;
  };
  const widest = (text: (one: DoubtView) => string) => Math.max(...all.map((one) => widthOf(text(one))));
  const [route, outcome] = [widest((one) => one.route), widest((one) => one.outcome)];
  return [
    `${name}: in doubt are ${count("legacy")}, ${count("new")}`,
    ...all.map((one) =>
      [
        `  ${one.side.padEnd("legacy".length)}`,
        localTime(Date.parse(one.sentAt)),
        padEnd(printable(one.route), route),
        padEnd(one.outcome, outcome),
        one.digest,
      ].join("  "),
    ),
    "Ask the side what each did, then: cutover doubt … --settle DIGEST --reason TEXT",
  ];
}

function requests(count: number): string {
  return count === 1 ? "1 request is" : `${count} requests are`;
}

import type { Command } from "commander";
import type { HistoryEntryView } from "../../../admin/api/history-view.ts";
import { byWhom, historyLimits, isByHand } from "../../../admin/api/rules.ts";
import type { AnyHistoryEntry } from "../../client.ts";
import type { Api, Context } from "../../context.ts";
import { type ExitCode, exitCodes, report } from "../../exit.ts";
import { settle } from "../../failure.ts";
import {
  type ApiOptions,
  examples,
  type JsonOption,
  readLimit,
  readName,
  readSince,
  withApiOptions,
  withJson,
} from "../../options.ts";
import { printJson, withApi } from "../../run.ts";
import { localTime, share, stateWords } from "../../screen/format.ts";
import { flow, padEnd, printable, widthOf, wrap } from "../../screen/text.ts";

interface HistoryOptions extends ApiOptions, JsonOption {
  readonly limit?: number;
  /** Milliseconds since the epoch. */
  readonly since?: number;
}

const defaultLimit = 20;

export function addHistory(program: Command, context: Context): void {
  const command = program
    .command("history")
    .description("who changed it, when, from what to what, and why; newest first")
    .argument("<NAME>", "the cutover", readName)
    .option("--limit <N>", `at most so many entries (default: ${defaultLimit}; with --since all)`, readLimit)
    .option("--since <WHEN>", "none older: 2h, or 2025-03-01T12:00:00Z", readSince(context.now));
  withApiOptions(withJson(command)).action((name: string, options: HistoryOptions) =>
    withApi(context, options, (api) => history(api, name, options)),
  );
  examples(
    command,
    ["cutover history checkout", `the last ${defaultLimit} changes`],
    ["cutover history checkout --since 2h", "what was changed in the last two hours"],
    ["cutover history checkout --limit 200 --json", "more, as the API gives them"],
  );
}

async function history({ client, terminal }: Api, name: string, options: HistoryOptions): Promise<ExitCode> {
  const { since } = options;
  const limit = options.limit ?? (since === undefined ? defaultLimit : historyLimits.most);
  const query = { limit, ...(since === undefined ? {} : { since: new Date(since).toISOString() }) };
  const settled = settle(await client.history(name, query), { url: client.url, name });
  if (!settled.ok) return report(terminal, settled.failure);
  if (options.json === true) printJson(terminal, settled.value);
  else terminal.out(`${historyView(settled.value, terminal.columns(), since !== undefined).join("\n")}\n`);
  return exitCodes.done;
}

const actionWords: Readonly<Partial<Record<string, string>>> = {
  rollback_hard: "rollback --hard",
  out_of_band: "by hand in the store",
  local: "on one instance alone",
} satisfies Partial<Record<HistoryEntryView["action"], string>>;

/** An entry is a line, its reason wrapped under it. PURE. */
export function historyView(entries: readonly AnyHistoryEntry[], columns: number, isSince = false): string[] {
  if (entries.length === 0) return [isSince ? "not changed since" : "never changed"];
  const widest = Math.max(...entries.map(({ version }) => widthOf(`v${version}`)));
  const indent = " ".repeat(widest + 2);
  return entries.flatMap((entry) => {
    const pieces = [
      padEnd(`v${entry.version}`, widest),
      momentOf(entry.at),
      actionWords[entry.action] ?? printable(entry.action),
      movement(entry),
      ...(entry.action === "out_of_band" && isByHand(entry.by) ? [] : [printable(byWhom(entry.by))]),
      ...(entry.via === null || isPlain(entry) ? [] : [`via ${printable(entry.via)}`]),
    ];
    const [head = "", ...more] = flow(pieces, "  ", columns, 2);
    const reason = entry.reason === "" ? [] : wrap(printable(entry.reason), columns - indent.length, 3);
    const later = entry.annotations.flatMap(({ by, at: given, reason: text }) =>
      wrap(`later, ${momentOf(given)}, by ${printable(by)}: ${printable(text)}`, columns - indent.length, 3),
    );
    return [head, ...[...more, ...reason, ...later].map((line) => indent + line)];
  });
}

function momentOf(text: string): string {
  const at = Date.parse(text);
  return Number.isNaN(at) ? printable(text) : localTime(at);
}

/** Where the action says by which way it came. */
function isPlain({ action, via }: AnyHistoryEntry): boolean {
  return via === action || (action === "out_of_band" && via !== null && isByHand(via));
}

function movement({ from, to }: AnyHistoryEntry): string {
  const steps = [];
  if (from.percent !== to.percent) steps.push(`${share(from.percent)} → ${share(to.percent)}`);
  if (from.state !== to.state) steps.push(`${stateWords[from.state]} → ${stateWords[to.state]}`);
  return steps.length > 0 ? steps.join(", ") : `at ${share(to.percent)}`;
}

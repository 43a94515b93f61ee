/** What was changed, and the reasons that are given later. */
import type { Command } from "commander";
import type { HistoryEntryView } from "../../../admin/api/history-view.ts";
import { byWhom, historyLimits, isByHand } from "../../../admin/api/rules.ts";
import type { AnyHistoryEntry } from "../../client.ts";
import type { Context } from "../../context.ts";
import { exitCodes, fail, report } from "../../exit.ts";
import { show, withApi } from "../../frame.ts";
import {
  type ApiOptions,
  examples,
  type JsonOption,
  readLimit,
  readName,
  readReason,
  readSince,
  readVersion,
  withApiOptions,
  withJson,
} from "../../options.ts";
import { localTime, share, stateWords } from "../../screen/format.ts";
import { flow, padEnd, printable, shellWord, widthOf, wrap } from "../../screen/text.ts";

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
    withApi(context, options, async ({ client, terminal }) => {
      const { since } = options;
      const limit = options.limit ?? (since === undefined ? defaultLimit : historyLimits.most);
      const query = { limit, ...(since === undefined ? {} : { since: new Date(since).toISOString() }) };
      const answer = await client.history(name, query);
      return show(terminal, answer, { url: client.url, name }, options, (entries) =>
        historyView(entries, terminal.columns(), since !== undefined),
      );
    }),
  );
  examples(
    command,
    ["cutover history checkout", `the last ${defaultLimit} changes`],
    ["cutover history checkout --since 2h", "what was changed in the last two hours"],
    ["cutover history checkout --limit 200 --json", "more, as the API gives them"],
  );
}

interface AnnotateOptions extends ApiOptions, JsonOption {
  readonly reason?: string;
}

export function addAnnotate(program: Command, context: Context): void {
  const command = program
    .command("annotate")
    .description("give the reason for a change later; its own entry in the history stays as it was")
    .argument("<NAME>", "the cutover", readName)
    .argument("<VERSION>", "of the change, as in cutover history", readVersion)
    .option("--reason <TEXT>", "why, for whoever reads the history (required)", readReason);
  withApiOptions(withJson(command)).action(
    async (name: string, version: number, options: AnnotateOptions) => {
      const { reason = "" } = options;
      if (reason === "") {
        const line = `Usage: cutover annotate ${shellWord(name)} ${version} --reason "WHY"`;
        const lacking = fail(exitCodes.usage, "annotate needs a reason", line);
        context.finish(report(context.terminal, lacking));
        return;
      }
      await withApi(context, options, async ({ client, terminal }) => {
        const answer = await client.annotate(name, version, reason);
        const asked = { url: client.url, name, isOfVersion: true, isWrite: true };
        return show(terminal, answer, asked, options, ({ by }) => [
          `${printable(name)}: version ${version} has its reason, by ${printable(by)}`,
        ]);
      });
    },
  );
  examples(
    command,
    ['cutover annotate checkout 43 --reason "double charges, incident 118"', "after the rollback"],
    ["cutover history checkout", "shows it with the change"],
  );
}

const actionWords: Readonly<Partial<Record<string, string>>> = {
  rollback_hard: "rollback --hard",
} satisfies Partial<Record<HistoryEntryView["action"], string>>;

/** An entry is a line, its reason wrapped under it. PURE. */
export function historyView(entries: readonly AnyHistoryEntry[], columns: number, isSince = false): string[] {
  if (entries.length === 0) return [isSince ? "not changed since" : "no change on record"];
  const widest = Math.max(...entries.map(({ version }) => widthOf(`v${version}`)));
  const indent = " ".repeat(widest + 2);
  return entries.flatMap((entry) => {
    const pieces = [
      padEnd(`v${entry.version}`, widest),
      momentOf(entry.at),
      actionWords[entry.action] ?? printable(entry.action),
      movement(entry),
      printable(byWhom(entry.by)),
      ...(entry.via === null || isPlain(entry) ? [] : [`via ${printable(entry.via)}`]),
    ];
    const [head = "", ...more] = flow(pieces, "  ", columns - indent.length, 6);
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
  for (const [name, percent] of Object.entries(to.cohorts ?? {})) {
    const before = from.cohorts?.[name] ?? percent;
    if (before !== percent) steps.push(`${printable(name)} ${share(before)} → ${share(percent)}`);
  }
  if (to.maintenance !== undefined) steps.push(`maintenance: ${printable(to.maintenance)}`);
  if (from.state !== to.state) steps.push(`${stateWords[from.state]} → ${stateWords[to.state]}`);
  return steps.length > 0 ? steps.join(", ") : `at ${share(to.percent)}`;
}

/** What is to be set at a time: asked for, listed, cancelled. */
import { type Command, InvalidArgumentError } from "commander";
import type { ScheduledView } from "../../../admin/api/plan/raise-view.ts";
import type { Api, Context } from "../../context.ts";
import { type ExitCode, exitCodes, fail, report } from "../../exit.ts";
import { resultOf } from "../../failure.ts";
import { printJson, show, withApi } from "../../frame.ts";
import {
  type ApiOptions,
  examples,
  type JsonOption,
  readName,
  withApiOptions,
  withJson,
} from "../../options.ts";
import { localTime, share } from "../../screen/format.ts";
import { printable, shellWord } from "../../screen/text.ts";
import { overriding, tellProposal } from "../change/write.ts";

interface At extends JsonOption {
  readonly percent: number;
  readonly cohort?: string | undefined;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly override?: true;
  readonly dryRun?: true;
}

export function addSchedule(program: Command, context: Context): void {
  const command = program
    .command("schedule")
    .description(
      "what is to be set at a time (cutover set --at TIME), and what became of what was; cancel it",
    )
    .argument("<NAME>", "the cutover", readName)
    .argument("[DOES]", "show or cancel", readDoes, "show")
    .argument("[ID]", "of what is to be cancelled");
  withApiOptions(withJson(command)).action(
    (name: string, does: "show" | "cancel", id: string | undefined, options: ApiOptions & JsonOption) =>
      withApi(context, options, (api) =>
        does === "show" ? showSchedule(api, name, options) : cancel(api, name, id),
      ),
  );
  examples(
    command,
    [
      'cutover set checkout 50 --at 2025-03-01T14:00:00Z --reason "step 4"',
      "it waits, and is made then if nothing is against it",
    ],
    ["cutover schedule checkout", "what waits for its time, and what is over"],
    ["cutover schedule checkout cancel 0f3a9c1e", "it is not made"],
  );
}

function readDoes(text: string): "show" | "cancel" {
  if (text === "show" || text === "cancel") return text;
  throw new InvalidArgumentError("Expected show or cancel.");
}

/** `cutover set NAME PERCENT --at TIME`. */
export async function setAt({ client, ...api }: Api, name: string, asked: At): Promise<ExitCode> {
  const { percent, cohort, reason, at, override, dryRun, json } = asked;
  const { terminal } = api;
  if (dryRun === true) {
    const message = "--dry-run says what would happen now, and --at is for later";
    return report(terminal, fail(exitCodes.usage, message, "Nothing was sent."));
  }
  const whose = cohort === undefined ? {} : { cohort };
  const body = { percent, ...whose, at: new Date(at).toISOString(), reason, ...overriding(override) };
  const result = resultOf(await client.setAt(name, body), {
    url: client.url,
    name,
    isWrite: true,
    call: "percent",
  });
  if (!result.ok) return report(terminal, result);
  const { value } = result;
  if ("expiresAt" in value) return tellProposal({ client, ...api }, value, json === true);
  if (json === true) printJson(terminal, value);
  else {
    terminal.out(
      `${printable(name)}: ${scheduledText(value)}, if nothing is against it then (${value.id})\n` +
        `It is made within a minute of that, or not at all. To cancel it: cutover schedule ${shellWord(name)} cancel ${value.id}\n`,
    );
  }
  return exitCodes.done;
}

async function showSchedule({ client, terminal }: Api, name: string, options: JsonOption): Promise<ExitCode> {
  const answer = await client.schedule(name);
  return show(terminal, answer, { url: client.url, name }, options, (entries) =>
    scheduleLines(name, entries),
  );
}

async function cancel({ client, terminal }: Api, name: string, id: string | undefined): Promise<ExitCode> {
  if (id === undefined) {
    const next = `What waits: cutover schedule ${shellWord(name)}`;
    return report(terminal, fail(exitCodes.usage, "cancel names what it cancels: nothing was sent", next));
  }
  const listed = resultOf(await client.schedule(name), { url: client.url, name });
  if (!listed.ok) return report(terminal, listed);
  const result = resultOf(await client.cancelScheduled(name, id), { url: client.url, name, isWrite: true });
  if (!result.ok) return report(terminal, result);
  const entry = listed.value.find((each) => each.id === id);
  terminal.out(`${printable(name)}: cancelled${entry === undefined ? "" : `, ${scheduledText(entry)}`}\n`);
  return exitCodes.done;
}

/** PURE. */
export function scheduleLines(name: string, entries: readonly ScheduledView[]): string[] {
  if (entries.length === 0) return [`${printable(name)}: nothing is to be set at a time`];
  return entries.map((entry) => {
    const { id, by, reason, outcome } = entry;
    const became = outcome === undefined ? "waits" : `${outcome.kind}: ${printable(outcome.because)}`;
    return `${printable(id)}  ${scheduledText(entry)} by ${printable(by)}, ${printable(reason)}  ${became}`;
  });
}

/** `25% at 2025-03-01 14:00:00 +00:00`. */
function scheduledText({ percent, cohort, at }: ScheduledView): string {
  const whose = cohort === undefined ? "" : `${printable(cohort)} `;
  return `${whose}${share(percent)} at ${localTime(Date.parse(at))}`;
}

/**
 * The commands that change where a cutover stands and can be taken back, as one table: what each is called, what it asks
 * of the API, and what a person should know of it. A raise has a flow of its own, since it may have to be confirmed.
 */
import type { Command } from "commander";
import { percentIn } from "../../../admin/api/rules.ts";
import type { WriteAnswer } from "../../../admin/api/write.ts";
import type { WriteCall } from "../../client.ts";
import type { Api, Context } from "../../context.ts";
import { type ExitCode, exitCodes, fail, report } from "../../exit.ts";
import { resultOf } from "../../failure.ts";
import { withApi } from "../../frame.ts";
import { examples, percentWord, readMoment, readName, readPercent, readTarget } from "../../options.ts";
import { share } from "../../screen/format.ts";
import { type ConfirmRule, readConfirmRule } from "../../settings.ts";
import { setAt } from "../plan/schedule.ts";
import { gradualOption } from "../return/await-return.ts";
import { type AllCall, type AllOption, dryRunAll, oneOrAll, runAll, withAll } from "./all.ts";
import { confirmRaise, isLargeRaise } from "./confirm.ts";
import { type DirectOptions, runDirect, withDirect } from "./direct.ts";
import {
  type AskedWrite,
  type CommonBody,
  demandReason,
  overriding,
  runWrite,
  tellWrite,
  told,
  withWriteOptions,
  writeBody,
} from "./write.ts";

interface ChangeOptions extends DirectOptions {
  readonly hard?: true;
  readonly gradual?: true;
  readonly confirm?: number;
  readonly override?: true;
  /** When, in ms since the epoch; absent: now. */
  readonly at?: number;
  /** The second argument of `set`. */
  readonly percent?: number;
  /** Behind the name: `checkout/jakarta`. */
  readonly cohort?: string | undefined;
}

interface ChangeCommand {
  readonly verb: "set" | "rollback" | "hold" | "resume";
  readonly does: string;
  /** `welcome`: nobody in a hurry is stopped for want of one. */
  readonly reason: "required" | "welcome";
  /** Its own options and arguments. */
  readonly takes?: (command: Command) => void;
  /** What it is when it goes straight to the store; without it, it goes through the API alone. */
  readonly direct?: (options: ChangeOptions) => "rollback" | "rollback_hard" | "hold";
  readonly call: (options: ChangeOptions, reason: string, common: CommonBody) => WriteCall;
  /** How the new standing is named: `held at 10%`. */
  readonly standing: (answer: WriteAnswer) => string;
  readonly consequences?: (name: string, options: ChangeOptions) => readonly string[];
  readonly examples: readonly (readonly [string, string])[];
}

const changes: readonly ChangeCommand[] = [
  {
    verb: "set",
    does: "raise or lower the share of shoppers whose new journeys start on the new side",
    reason: "required",
    takes: (command) =>
      command
        .argument("<PERCENT>", "0 to 100, at most 3 decimals: 25, 12.5, 25%; below 1 as 0.25%", readPercent)
        .option(
          "--confirm <PERCENT>",
          "the same again: a raise by more than 25 points then asks nothing; a script has to give it where CUTOVER_CONFIRM=always",
          readPercent,
        )
        .option("--at <TIME>", "then, and not now: 8h, or 2025-03-01T14:00:00Z", readMoment(Date.now))
        .option("--override", "raise although a window or a freeze is against it: the history says so"),
    call: ({ percent = 0, cohort, override }, reason, common) => ({
      call: "percent",
      cohort,
      body: { percent, reason, ...overriding(override), ...common },
    }),
    standing: ({ percent, cohort }) => share(cohort?.percent ?? percent),
    examples: [
      ['cutover set checkout 25 --reason "errors level for a day"', "a quarter of the shoppers"],
      ['cutover set checkout 0 --reason "provider is down"', "no new journeys on new"],
      ['cutover set checkout/jakarta 40 --reason "region first"', "a cohort's own percent"],
      ['cutover set checkout 50 --reason "step 4" --if-version 12', "unless somebody changed it"],
      ['cutover set checkout 100 --reason "all of it" --confirm=100', "a large raise, from a script"],
      ['cutover set checkout 50 --reason "step 4" --dry-run', "only say what would happen"],
    ],
  },
  {
    verb: "rollback",
    does: "0% at once, and latched there until resume; needs no reason",
    reason: "welcome",
    takes: (command) =>
      command
        .option("--hard", "void the journeys that began on new as well (owned orders stay where they are)")
        .addOption(gradualOption()),
    direct: ({ hard }) => (hard === true ? "rollback_hard" : "rollback"),
    call: ({ hard, gradual }, reason, common) => ({
      call: "rollback",
      // A server before knows nothing of it.
      body: { ...common, ...told(reason), hard: hard === true, ...(gradual && { gradual }) },
    }),
    standing: ({ state }) => (state === "rolled_back" ? "rolled back" : "raises are latched"),
    consequences: (name, { hard }) => [
      ...(hard === true
        ? [
            "New journeys start on legacy. Journeys that began on new are void: they start anew on legacy.",
            "Only requests with an order or key that new owns still go to new.",
          ]
        : ["New journeys start on legacy. Journeys that began on new finish there."]),
      `Nothing raises it before: cutover resume ${name} --reason TEXT`,
    ],
    examples: [
      ["cutover rollback checkout", "now; journeys on new finish there"],
      ["cutover rollback checkout --hard", "now; journeys on new are void"],
      ['cutover rollback checkout --reason "double charges"', "with the reason for the history"],
      ["cutover rollback checkout --wait 60s", "and wait until silent instances have stopped as well"],
      ["cutover rollback checkout --gradual", "little by little, for a legacy that has grown cold"],
      ["cutover rollback --all", "every cutover, one answer for each"],
      ["cutover rollback checkout --direct redis://HOST:PORT", "when no admin API answers"],
    ],
  },
  {
    verb: "hold",
    does: "freeze: no automatic change and no raise until resume; needs no reason",
    reason: "welcome",
    direct: () => "hold",
    call: (_, reason, common) => ({ call: "hold", body: { ...common, ...told(reason) } }),
    standing: ({ percent }) => `held at ${share(percent)}`,
    consequences: (name) => [
      `It can be lowered and rolled back. Nothing raises it before: cutover resume ${name} --reason TEXT`,
    ],
    examples: [
      ["cutover hold checkout", "freeze it where it is"],
      ['cutover hold checkout --reason "looking into p99"', "and say why"],
      ["cutover hold --all", "every cutover, one answer for each"],
    ],
  },
  {
    verb: "resume",
    does: "open a held or rolled back cutover again: at the percent it held, or at 0 after a rollback",
    reason: "required",
    call: (_, reason, common) => ({ call: "resume", body: { reason, ...common } }),
    standing: ({ percent }) => `open at ${share(percent)}`,
    examples: [['cutover resume checkout --reason "fixed in release 118"', "the latch or the hold ends"]],
  },
];

export function addChanges(program: Command, context: Context): void {
  for (const change of changes) {
    const command = program.command(change.verb).description(change.does);
    const ofAll = change.verb === "rollback" || change.verb === "hold" ? change.verb : undefined;
    if (change.verb === "set") command.argument("<NAME>", "the cutover, or NAME/COHORT", readTarget);
    else if (ofAll === undefined) command.argument("<NAME>", "the cutover", readName);
    else command.argument("[NAME]", "the cutover, unless it is --all", readName);
    change.takes?.(command);
    withWriteOptions(command, change.reason);
    if (ofAll !== undefined) withAll(command);
    if (change.direct !== undefined) withDirect(command);
    if (ofAll !== undefined) {
      command.action((name: string | undefined, options: ChangeOptions & AllOption) =>
        oneOrAll(
          context,
          ofAll,
          { name, options },
          {
            one: (of) => make(context, change, of, options),
            all: () => makeAll(context, change, ofAll, options),
          },
        ),
      );
    } else if (change.verb === "set") {
      command.action((target: string, percent: number, options: ChangeOptions) => {
        const [name = "", cohort] = target.split(/\/(.*)/s);
        return make(context, change, name, { ...options, percent, cohort });
      });
    } else {
      command.action((name: string, options: ChangeOptions) => make(context, change, name, options));
    }
    examples(command, ...change.examples);
  }
}

async function make(
  context: Context,
  change: ChangeCommand,
  name: string,
  options: ChangeOptions,
): Promise<void> {
  const { verb, standing, direct } = change;
  const { reason = "", percent, cohort, at, json, dryRun } = options;
  if (change.reason === "required" && reason === "") {
    const target = cohort === undefined ? name : `${name}/${cohort}`;
    const typed = percent === undefined ? [verb, name] : [verb, target, percentWord(percent)];
    demandReason(context, options, typed);
    return;
  }
  const consequences = change.consequences?.(name, options) ?? [];
  if (direct !== undefined && options.direct !== undefined) {
    const write = { name, action: direct(options), standing, consequences };
    context.finish(await runDirect(context, options, write));
    return;
  }
  const write = (ifVersion = options.ifVersion): AskedWrite => ({
    name,
    call: change.call(options, reason, writeBody({ ...options, ifVersion })),
    isJson: json === true,
    isDryRun: dryRun === true,
    standing,
    consequences,
  });
  if (percent === undefined) await withApi(context, options, (api) => runWrite(api, write()));
  else if (at !== undefined) {
    await withApi(context, options, (api) => setAt(api, name, { ...options, percent, cohort, reason, at }));
  } else await setPercent(context, options, percent, write);
}

async function makeAll(
  context: Context,
  change: ChangeCommand,
  verb: "rollback" | "hold",
  options: ChangeOptions,
): Promise<void> {
  const { standing } = change;
  const { hard, reason = "", json, dryRun } = options;
  const body = { ...told(reason), waitMs: writeBody(options).waitMs };
  const call: AllCall =
    verb === "hold" ? { call: "hold", body } : { call: "rollback", body: { ...body, hard: hard === true } };
  if (change.direct !== undefined && options.direct !== undefined) {
    const write = { action: change.direct(options), standing, consequences: [] };
    context.finish(await runDirect(context, options, write));
    return;
  }
  const write = { call, standing, isJson: json === true };
  await withApi(context, options, (api) => (dryRun === true ? dryRunAll(api, write) : runAll(api, write)));
}

async function setPercent(
  context: Context,
  options: ChangeOptions,
  percent: number,
  write: (ifVersion?: number) => AskedWrite,
): Promise<void> {
  const { terminal, env, finish } = context;
  const { confirm, dryRun } = options;
  if (confirm !== undefined && confirm !== percent) {
    const message = `--confirm says ${share(confirm)}, and what is asked for is ${share(percent)}`;
    const next = "Nothing was sent. Give both the same percent.";
    return finish(report(terminal, fail(exitCodes.usage, message, next)));
  }
  const rule = await readConfirmRule(env);
  if (!rule.ok) return finish(report(terminal, rule));
  await withApi(context, options, (api) =>
    dryRun === true || confirm !== undefined
      ? runWrite(api, write())
      : judgeAndWrite(api, { to: percent, cohort: options.cohort }, rule.value, options.ifVersion, write),
  );
}

const mostAttempts = 5;

/**
 * How large a raise is depends on where the cutover stands: what a person was asked about, or what needed no asking, is
 * written over that very version, and judged anew when somebody else was faster.
 */
async function judgeAndWrite(
  api: Api,
  { to, cohort }: { readonly to: number; readonly cohort: string | undefined },
  rule: ConfirmRule,
  ifVersion: number | undefined,
  write: (ifVersion?: number) => AskedWrite,
): Promise<ExitCode> {
  const { client, terminal } = api;
  const { name } = write();
  for (let attempt = 1; ; attempt++) {
    const found = await client.cutover(name);
    // Whatever became of the question, the change was not sent.
    const answer =
      found.kind === "unreachable" || found.kind === "foreign" ? { ...found, sent: false } : found;
    const result = resultOf(answer, { url: client.url, name, isWrite: true });
    if (!result.ok) return report(terminal, result);
    const label = cohort === undefined ? name : `${name}/${cohort}`;
    const stands = { ...result.value, name: label, percent: percentIn(result.value, cohort) };
    const isLarge = isLargeRaise(stands, to);
    if (isLarge) {
      const confirmed = await confirmRaise(api, { stands, to }, rule);
      if (!confirmed.ok) return report(terminal, confirmed);
      if (confirmed.value === "told") return runWrite(api, write());
    }
    const isLast = isLarge || ifVersion !== undefined || attempt === mostAttempts;
    const judged = write(ifVersion ?? stands.version);
    const written = await client.write(name, judged.call);
    const isOutrun = written.kind === "refused" && written.problem.code === "version_conflict";
    if (isLast || !isOutrun) return tellWrite(api, judged, written);
  }
}

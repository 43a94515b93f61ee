/**
 * `apply -f FILE`: has the cutovers stand as a file says. What stands so is left alone, so the same again changes nothing;
 * what is changed goes the way of every change, with its roles, states, windows and four eyes.
 */
import type { Command } from "commander";
import type { CutoverView } from "../../../admin/api/cutover-view.ts";
import type { Api, Context } from "../../context.ts";
import { type ExitCode, exitCodes, type Failed, fail, report } from "../../exit.ts";
import { resultOf } from "../../failure.ts";
import { printJson, withApi } from "../../frame.ts";
import {
  type ApiOptions,
  examples,
  type JsonOption,
  percentWord,
  readReason,
  readWait,
  withApiOptions,
  withJson,
} from "../../options.ts";
import { shortfall } from "../../screen/applied-lines.ts";
import { linesFor } from "../../screen/terminal.ts";
import { printable, shellWord } from "../../screen/text.ts";
import { readConfirmRule } from "../../settings.ts";
import { confirmRaise, isLargeRaise } from "../change/confirm.ts";
import { describeWrite, writeBody } from "../change/write.ts";
import { type Drift, driftLine, driftOf } from "./drift.ts";
import { foreseeDrift, foreseenText } from "./foresight.ts";
import { type ApplyTarget, readTargetFile } from "./target.ts";

interface ApplyOptions extends ApiOptions, JsonOption {
  readonly file: string;
  readonly reason?: string;
  readonly wait?: number;
  readonly dryRun?: true;
}

export function addApply(program: Command, context: Context): void {
  const command = program
    .command("apply")
    .description("have percents, plans and the freeze stand as a file says; what stands so is left alone")
    .requiredOption("-f, --file <FILE>", "the target, YAML or JSON; - for standard input")
    .option("--reason <TEXT>", "why, in place of the file's own", readReason)
    .option(
      "--wait <DURATION>",
      "how long to wait for all instances, for each change (default: 2s)",
      readWait,
    )
    .option(
      "--dry-run",
      "only show what differs, and what would be refused; exit 4 where something does, 1 where it would be",
    );
  withApiOptions(withJson(command)).action((options: ApplyOptions) => apply(context, options));
  examples(
    command,
    ["cutover apply -f target.yaml --dry-run", "what differs"],
    ["cutover apply -f target.yaml", "change what differs; again, and nothing is changed"],
  );
}

async function apply(context: Context, options: ApplyOptions): Promise<void> {
  const read = await readTargetFile(options.file);
  if (!read.ok) return context.finish(report(context.terminal, read));
  const target = options.reason === undefined ? read.value : withReason(read.value, options.reason);
  await withApi(context, options, async (api) => {
    const found = await lookAt(api, target);
    if ("ok" in found) return report(api.terminal, found);
    const unreasoned = found.drift.find(
      ({ reason, pending }) => reason === undefined && pending === undefined,
    );
    if (options.dryRun !== true && unreasoned !== undefined) {
      const next = "Give the target a reason: TEXT, or give --reason TEXT. Nothing was changed.";
      return report(api.terminal, fail(exitCodes.usage, `no reason for ${driftLine(unreasoned)}`, next));
    }
    if (options.dryRun === true || found.drift.length === 0) return await tellDrift(api, found, options);
    return await make(context, api, found.drift, options);
  });
}

function withReason({ cutovers, freeze, ...target }: ApplyTarget, reason: string): ApplyTarget {
  const without = Object.entries(cutovers).map(([name, { reason: _, ...wanted }]) => [name, wanted] as const);
  const until = typeof freeze === "object" ? { until: freeze.until } : freeze;
  return {
    ...target,
    reason,
    ...(until === undefined ? {} : { freeze: until }),
    cutovers: Object.fromEntries(without),
  };
}

interface Looked {
  readonly drift: readonly Drift[];
  readonly views: readonly CutoverView[];
}

async function lookAt({ client, now }: Api, target: ApplyTarget): Promise<Looked | Failed> {
  const views = resultOf(await client.cutovers(), { url: client.url });
  if (!views.ok) return views;
  const nothing = { ok: true, value: { frozen: false, until: null } } as const;
  const frozen = target.freeze === undefined ? nothing : resultOf(await client.frozen(), { url: client.url });
  if (!frozen.ok) return frozen;
  const { drift, unknown } = driftOf(target, views.value, frozen.value, now());
  if (unknown.length === 0) return { drift, views: views.value };
  const names = unknown.map(({ name, cohort }) => (cohort === undefined ? name : `${name}/${cohort}`));
  const known = views.value.map(({ name }) => name).join(", ");
  return fail(
    exitCodes.refused,
    `no such cutover or cohort: ${printable(names.join(", "))}`,
    `There are: ${known === "" ? "none" : printable(known)}. Nothing was changed.`,
  );
}

/** With what the rule book would say of each, as far as that can be told beforehand. */
async function tellDrift(
  { client, terminal }: Api,
  { drift, views }: Looked,
  { json }: JsonOption,
): Promise<ExitCode> {
  const who = drift.length === 0 ? undefined : await client.whoAmI();
  const foreseen = foreseeDrift(drift, views, who?.kind === "ok" ? who.value.role : "admin");
  const isRefused = foreseen.some((each) => typeof each === "object");
  if (json === true) {
    printJson(terminal, {
      drift: drift.map((step, at) => {
        const each = foreseen[at];
        if (each === undefined) return step;
        return { ...step, foreseen: each === "proposed" ? { proposed: true } : each };
      }),
    });
  } else if (drift.length === 0) terminal.out("nothing differs\n");
  else {
    const lines = drift.map((step, at) => `${driftLine(step)}${foreseenText(foreseen[at])}`);
    terminal.out(linesFor(terminal, lines.map(printable)));
  }
  if (drift.length === 0) return exitCodes.done;
  return isRefused ? exitCodes.refused : exitCodes.notAppliedEverywhere;
}

/** What became of one step. */
type Made =
  | {
      readonly code: ExitCode;
      readonly outcome: "done" | "incomplete" | "proposed";
      readonly lines: readonly string[];
      /** The cutover's then. */
      readonly version?: number;
    }
  | { readonly code: ExitCode; readonly outcome: "failed"; readonly failed: Failed };

/** From the worst on. */
const worstFirst: readonly ExitCode[] = [
  exitCodes.outOfReach,
  exitCodes.usage,
  exitCodes.refused,
  exitCodes.notAppliedEverywhere,
];

/** What is refused keeps nothing else from being done; an API out of reach does. */
async function make(
  context: Context,
  api: Api,
  drift: readonly Drift[],
  options: ApplyOptions,
): Promise<ExitCode> {
  const { terminal } = api;
  const told: object[] = [];
  const codes = new Set<ExitCode>();
  /** By the cutover's name: what this very command has made of its version. */
  const versions = new Map<string, number>();
  for (const asked of drift) {
    const version = "name" in asked ? versions.get(asked.name) : undefined;
    const step = asked.kind === "percent" && version !== undefined ? { ...asked, version } : asked;
    const made = await makeStep(context, api, step, options);
    if ("name" in step && "version" in made && made.version !== undefined)
      versions.set(step.name, made.version);
    codes.add(made.code);
    if (options.json === true) {
      const why = made.outcome === "failed" ? { why: made.failed.failure.message } : {};
      told.push({ ...step, outcome: made.outcome, ...why });
    } else if (made.outcome === "failed") {
      const { exit, message, next } = made.failed.failure;
      report(terminal, fail(exit, `${driftLine(step)}: ${message}`, ...next));
    } else terminal.out(linesFor(terminal, made.lines));
    if (made.code === exitCodes.outOfReach) break;
  }
  if (options.json === true) printJson(terminal, { drift: told });
  return worstFirst.find((code) => codes.has(code)) ?? exitCodes.done;
}

async function makeStep(
  { env }: Pick<Context, "env">,
  api: Api,
  step: Drift,
  options: ApplyOptions,
): Promise<Made> {
  const { client } = api;
  if (step.pending !== undefined) {
    const outcome = step.pending === "proposed" ? "proposed" : "incomplete";
    return { code: exitCodes.notAppliedEverywhere, outcome, lines: [printable(driftLine(step))] };
  }
  const { reason = "" } = step;
  const body = { reason, ...writeBody({ wait: options.wait }) };
  switch (step.kind) {
    case "freeze":
      return frozen(await client.freeze({ until: step.until, reason }), client.url, step);
    case "unfreeze":
      return frozen(await client.unfreeze(reason), client.url, step);
    case "plan":
      return written(await client.changePlan(step.name, step.to, body), client.url, step);
    case "percent": {
      const stands = { name: step.name, percent: step.from, state: "open" } as const;
      if (isLargeRaise(stands, step.to)) {
        const rule = await readConfirmRule(env);
        if (!rule.ok) return failedWith(rule);
        const confirmed = await confirmRaise(api, { stands, to: step.to }, rule.value);
        if (!confirmed.ok) return failedWith(asOf(confirmed, step));
      }
      const { name, cohort, to: percent, version: ifVersion } = step;
      const call = { call: "percent", cohort, body: { percent, ...body, ifVersion } } as const;
      return written(await client.write(name, call), client.url, step);
    }
  }
}

/** Nobody can be asked, and a file is no confirmation. */
function asOf(unconfirmed: Failed, { name, to }: { readonly name: string; readonly to: number }): Failed {
  if (unconfirmed.failure.exit !== exitCodes.usage) return unconfirmed;
  const by = `cutover set ${shellWord(name)} ${percentWord(to)} --confirm=${percentWord(to)} --reason TEXT`;
  return fail(
    exitCodes.refused,
    "not confirmed: confirm: always asks for it",
    `Nothing was changed. By a person: ${by}`,
  );
}

type Written = Awaited<ReturnType<Api["client"]["changePlan"]>>;

function written(answer: Written, url: string, step: Drift & { readonly name: string }): Made {
  const { name } = step;
  const result = resultOf(answer, {
    url,
    name,
    isWrite: true,
    call: step.kind === "plan" ? "approve" : step.kind,
  });
  if (!result.ok) return failedWith(result);
  const { value } = result;
  if (!("applied" in value)) {
    const lines = [`${printable(driftLine(step))}: proposed as ${value.id}; it waits for another person`];
    return { code: exitCodes.notAppliedEverywhere, outcome: "proposed", lines };
  }
  const standing = () => driftLine(step).replace(/^[^:]*: /, "");
  const lines = describeWrite(value, { standing });
  const { version } = value;
  const missing = shortfall(value);
  return missing === undefined
    ? { code: exitCodes.done, outcome: "done", lines, version }
    : {
        code: exitCodes.notAppliedEverywhere,
        outcome: "incomplete",
        lines: [...lines, `! ${missing}`],
        version,
      };
}

function frozen(answer: Awaited<ReturnType<Api["client"]["freeze"]>>, url: string, step: Drift): Made {
  const result = resultOf(answer, { url, isWrite: true });
  if (!result.ok) return failedWith(result);
  return { code: exitCodes.done, outcome: "done", lines: [printable(driftLine(step))] };
}

function failedWith(failed: Failed): Made {
  return { code: failed.failure.exit, outcome: "failed", failed };
}

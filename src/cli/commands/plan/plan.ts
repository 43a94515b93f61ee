/** The plan of a cutover: shown, started, paused. */
import { type Command, InvalidArgumentError } from "commander";
import type { PlanView } from "../../../admin/api/plan/plan-view.ts";
import type { Api, Context } from "../../context.ts";
import type { ExitCode } from "../../exit.ts";
import { report } from "../../exit.ts";
import { resultOf } from "../../failure.ts";
import { show, withApi } from "../../frame.ts";
import { examples, readName } from "../../options.ts";
import { age, localTime, share } from "../../screen/format.ts";
import { printable } from "../../screen/text.ts";
import {
  demandReason,
  tellAnswer,
  tellProposal,
  type WriteOptions,
  withWriteOptions,
  writeBody,
} from "../change/write.ts";

type Does = "show" | "start" | "pause";

export function addPlan(program: Command, context: Context): void {
  const command = program
    .command("plan")
    .description(
      "the plan: what is done, what is next and what it waits for, and its finish; start or pause it",
    )
    .argument("<NAME>", "the cutover", readName)
    .argument("[DOES]", "show, start or pause", readDoes, "show");
  withWriteOptions(command, "required").action((name: string, does: Does, options: WriteOptions) =>
    plan(context, name, does, options),
  );
  examples(
    command,
    ["cutover plan checkout", "where it stands, and when it will have finished"],
    ['cutover plan checkout start --reason "as agreed"', "raise by it from now on"],
    [
      'cutover plan checkout pause --reason "provider maintenance"',
      "no further step before it is started again",
    ],
  );
}

function readDoes(text: string): Does {
  if (text === "show" || text === "start" || text === "pause") return text;
  throw new InvalidArgumentError("Expected show, start or pause.");
}

async function plan(context: Context, name: string, does: Does, options: WriteOptions): Promise<void> {
  const { reason = "" } = options;
  if (does !== "show" && options.dryRun !== true && reason === "") {
    return demandReason(context, options, ["plan", name, does]);
  }
  await withApi(context, options, async (api) => {
    // What would happen is what the plan says of itself.
    if (does === "show" || options.dryRun === true) return await showPlan(api, name, options);
    return await change(api, name, does, { ...options, reason });
  });
}

async function showPlan(
  { client, terminal, now }: Api,
  name: string,
  options: WriteOptions,
): Promise<ExitCode> {
  const answer = await client.plan(name);
  return show(terminal, answer, { url: client.url, name }, options, (view) => planLines(view, now()));
}

async function change(
  api: Api,
  name: string,
  does: "start" | "pause",
  options: WriteOptions & { readonly reason: string },
): Promise<ExitCode> {
  const { client, terminal } = api;
  const { reason, json } = options;
  const answer = await client.changePlan(name, does, { reason, ...writeBody(options) });
  const result = resultOf(answer, { url: client.url, name, isWrite: true, call: "approve" });
  if (!result.ok) return report(terminal, result);
  const { value } = result;
  if (!("applied" in value)) return tellProposal(api, value, json === true);
  return tellAnswer(terminal, value, {
    call: "approve",
    isJson: json === true,
    standing: ({ percent }) =>
      `the plan ${does === "start" ? "runs from" : "is paused at"} ${share(percent)}`,
    consequences: [`Where it stands: cutover plan ${printable(name)}`],
  });
}

/** What is done, now, next and at the end. PURE. */
export function planLines(view: PlanView, nowMs: number): string[] {
  const { name, status, because, percent, next, done, waiting, by, reason } = view;
  if (status === "none") return [`${name}: it has no plan`];
  const started = by === null ? "" : `, started by ${printable(by)}: ${printable(reason ?? "")}`;
  return [
    `${name}: the plan ${status === "not started" ? "is not started" : `is ${status}`}${because === "" ? "" : `: ${printable(because)}`}${started}`,
    `steps    ${view.steps.map(share).join(" ")}, each for ${age(view.dwellSeconds * 1000)} at least${view.advance === "manual" ? ", made by a person" : ""}`,
    ...done.map(
      (step) =>
        `done     ${share(step.percent)} at ${localTime(Date.parse(step.at))} by ${printable(step.by)}: ${printable(step.because)}`,
    ),
    `now      ${share(percent)}, stood for ${age(view.stoodSeconds * 1000)}`,
    ...evidenceLines(view),
    ...(view.legacy === null ? [] : [`legacy   ${printable(view.legacy)}`]),
    `next     ${next === null ? "nothing" : share(next)}`,
    ...waiting.map(({ gate, text, secondsLeft }) => {
      const left = secondsLeft === null ? "" : `, ${age(secondsLeft * 1000)} left`;
      return `waits    ${gate}: ${printable(text)}${left}`;
    }),
    ...finishLines(view, nowMs),
  ];
}

/** At 0 there is nothing to compare, whatever the later steps ask for. */
function evidenceLines({ evidence, percent }: PlanView): string[] {
  if (evidence !== null) return [`evidence ${printable(evidence)}`];
  return percent === 0 ? [] : ["         no evidence is asked for"];
}

function finishLines({ projection, deadline }: PlanView, nowMs: number): string[] {
  if (projection === null) return [];
  const { finish, isMeasured, against, costliest } = projection;
  const at =
    finish === null
      ? "never: no moment is open, or the steps end below 100"
      : `${localTime(Date.parse(finish))}, in ${age(Date.parse(finish) - nowMs)}`;
  const soonest = isMeasured ? "" : " at the soonest: how fast evidence comes is not known yet";
  return [
    `finish   ${at}${soonest}`,
    ...(deadline === null
      ? []
      : [
          `deadline ${localTime(Date.parse(deadline.at))}, ${printable(deadline.reason)}: ${against ?? "not known"}`,
        ]),
    ...(costliest === null || costliest.costs === "nothing"
      ? []
      : [
          `costs    most: the step to ${share(costliest.percent)}, ${age(costliest.takesSeconds * 1000)} for its ${costliest.costs}`,
        ]),
  ];
}

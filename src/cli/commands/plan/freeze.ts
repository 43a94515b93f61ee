/** Freezing everything: begun, shown, lifted. */
import type { Command } from "commander";
import type { FreezeAnswer, FreezeView } from "../../../admin/api/plan/freeze-view.ts";
import type { Context } from "../../context.ts";
import { exitCodes, fail, report } from "../../exit.ts";
import { show, withApi } from "../../frame.ts";
import {
  type ApiOptions,
  examples,
  type JsonOption,
  readMoment,
  readReason,
  readWelcomeReason,
  withApiOptions,
  withJson,
} from "../../options.ts";
import { age, localTime } from "../../screen/format.ts";
import { printable } from "../../screen/text.ts";
import { demandReason } from "../change/write.ts";

interface FreezeOptions extends ApiOptions, JsonOption {
  /** Milliseconds since the epoch. */
  readonly until?: number;
  readonly reason?: string;
}

export function addFreeze(program: Command, context: Context): void {
  const freezing = program
    .command("freeze")
    .description("raise and close nothing, in no cutover, until a time; without one, show what is frozen")
    .option("--until <TIME>", "when it ends by itself: 2h, or 2025-03-31T14:00:00Z", readMoment(context.now))
    .option("--reason <TEXT>", "why, for the history and whoever is on call (welcome)", readWelcomeReason);
  withApiOptions(withJson(freezing)).action((options: FreezeOptions) => freeze(context, options));
  examples(
    freezing,
    ['cutover freeze --until 2025-03-31T14:00:00Z --reason "Lebaran"', "lowering and rolling back go on"],
    ["cutover freeze", "what is frozen, and what was"],
  );

  const lifting = program
    .command("unfreeze")
    .description("lift the freeze before its time")
    .option("--reason <TEXT>", "why, for the history and whoever is on call (required)", readReason);
  withApiOptions(withJson(lifting)).action((options: FreezeOptions) => unfreeze(context, options));
  examples(lifting, [
    'cutover unfreeze --reason "the provider is well again"',
    "what may be raised is again",
  ]);
}

async function freeze(context: Context, options: FreezeOptions): Promise<void> {
  const { until, reason = "" } = options;
  if (until === undefined && reason !== "") {
    const next = "It ends by itself, so that nobody has to remember it: give the latest moment.";
    const failure = fail(exitCodes.usage, "expected --until TIME", next);
    return context.finish(report(context.terminal, failure));
  }
  await withApi(context, options, async ({ client, terminal, now }) => {
    const asked = { url: client.url, isWrite: until !== undefined };
    if (until === undefined) {
      return show(terminal, await client.frozen(), asked, options, (view) => freezeLines(view, now()));
    }
    const answer = await client.freeze({ until: new Date(until).toISOString(), reason });
    return show(terminal, answer, asked, options, (view) => [
      ...headLines(view, now()),
      "Whoever has to raise all the same: cutover set NAME PERCENT --override --reason TEXT",
      "To end it sooner: cutover unfreeze --reason TEXT",
    ]);
  });
}

async function unfreeze(context: Context, options: FreezeOptions): Promise<void> {
  const { reason = "" } = options;
  if (reason === "") return demandReason(context, {}, ["unfreeze"]);
  await withApi(context, options, async ({ client, terminal, now }) => {
    const answer = await client.unfreeze(reason);
    return show(terminal, answer, { url: client.url, isWrite: true }, options, (view) =>
      headLines(view, now()),
    );
  });
}

/** PURE. */
export function freezeLines(view: FreezeView, nowMs: number): string[] {
  return [
    ...headLines({ ...view, changed: true }, nowMs),
    ...view.past.map(({ event, at, by, reason, until }) => {
      const end = until === null ? "" : ` until ${localTime(Date.parse(until))}`;
      const why = reason === "" ? "" : `: ${printable(reason)}`;
      return `  ${localTime(Date.parse(at))}  ${event}${end} by ${printable(by)}${why}`;
    }),
  ];
}

function headLines(
  { until, by, reason, changed }: FreezeView & Pick<FreezeAnswer, "changed">,
  nowMs: number,
) {
  const as = changed ? "" : ", as it was";
  if (until === null) return [`nothing is frozen${as}`];
  const why = reason === null || reason === "" ? "" : `: ${printable(reason)}`;
  // Two hours that were asked for just now are two.
  const left = age(1000 * Math.ceil((Date.parse(until) - nowMs) / 1000));
  return [
    `everything is frozen until ${localTime(Date.parse(until))} (${left}), by ${printable(by ?? "?")}${why}${as}`,
  ];
}

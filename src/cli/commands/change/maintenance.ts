/** Maintenance of a side: nothing is sent there until a moment, or until it is taken off again. */
import { type Command, InvalidArgumentError } from "commander";
import type { Context } from "../../context.ts";
import { exitCodes, fail, report } from "../../exit.ts";
import { withApi } from "../../frame.ts";
import { examples, readMoment, readName } from "../../options.ts";
import { localTime } from "../../screen/format.ts";
import { demandReason, runWrite, type WriteOptions, withWriteOptions, writeBody } from "./write.ts";

interface MaintenanceOptions extends WriteOptions {
  /** Milliseconds since the epoch. */
  readonly until?: number;
  readonly off?: true;
}

export function addMaintenance(program: Command, context: Context): void {
  const command = program
    .command("maintenance")
    .description("send nothing to a side until a moment: what would go there is answered 503, callbacks too")
    .argument("<NAME>", "the cutover", readName)
    .argument("<SIDE>", "legacy or new", readSide)
    .option("--until <TIME>", "when it ends by itself: 2h, or 2025-03-01T14:00:00Z", readMoment(context.now))
    .option("--off", "end it now");
  withWriteOptions(command, "required").action(
    (name: string, side: "legacy" | "new", options: MaintenanceOptions) =>
      maintain(context, name, side, options),
  );
  examples(
    command,
    ['cutover maintenance checkout legacy --until 2h --reason "database moves"', "503 with Retry-After"],
    ['cutover maintenance checkout legacy --off --reason "done early"', "it serves again"],
  );
}

function readSide(text: string): "legacy" | "new" {
  if (text === "legacy" || text === "new") return text;
  throw new InvalidArgumentError("Expected legacy or new.");
}

async function maintain(
  context: Context,
  name: string,
  side: "legacy" | "new",
  options: MaintenanceOptions,
): Promise<void> {
  const { until, off, reason = "", json, dryRun } = options;
  const { terminal, finish } = context;
  if ((until === undefined) !== (off === true)) {
    const message = "expected either --until TIME or --off";
    const next = "It ends by itself, so that nobody has to remember it: give the latest moment.";
    return finish(report(terminal, fail(exitCodes.usage, message, next)));
  }
  const moment = until === undefined ? null : new Date(until).toISOString();
  if (reason === "") {
    const typed = moment === null ? ["--off"] : ["--until", moment];
    return demandReason(context, options, ["maintenance", name, side, ...typed]);
  }
  await withApi(context, options, (api) =>
    runWrite(api, {
      name,
      call: { call: "maintenance", body: { side, until: moment, reason, ...writeBody(options) } },
      isJson: json === true,
      isDryRun: dryRun === true,
      standing: () =>
        until === undefined ? `${side} serves again` : `${side} in maintenance until ${localTime(until)}`,
      consequences:
        until === undefined
          ? []
          : [
              `What would go to ${side} is answered 503 with Retry-After: pages, payments, callbacks. Nobody changes sides by it.`,
              `To end it sooner: cutover maintenance ${name} ${side} --off --reason TEXT`,
            ],
    }),
  );
}

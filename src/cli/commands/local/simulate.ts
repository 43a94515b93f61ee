import { writeFileSync } from "node:fs";
import { type Command, InvalidArgumentError } from "commander";
import { parseDuration } from "../../../base/duration.ts";
import { codeOf } from "../../../base/errors.ts";
import type { Context } from "../../context.ts";
import type { SimulationQuestion } from "../../engine.ts";
import { exitCodes, fail, report } from "../../exit.ts";
import { printJson } from "../../frame.ts";
import { examples, type JsonOption, withJson } from "../../options.ts";

interface SimulateOptions extends JsonOption {
  readonly rate?: number;
  readonly error?: number;
  readonly pay?: NonNullable<SimulationQuestion["paying"]>;
  readonly plan?: readonly number[];
  readonly dwell?: number;
  readonly budget?: number;
  readonly days?: number;
  readonly seed: number;
  readonly svg?: string;
}

/** What the gates of a plan ask unless they are told otherwise. */
const gates = { notWorseThan: 2, paidNotWorseThan: 1.5, confidence: 0.95 };

/** Days with journeys cost ten times as much to simulate. */
const days = { ofFailures: 1000, withPayments: 100 };

export function addSimulate(program: Command, context: Context): void {
  const command = program
    .command("simulate")
    .description("foretell what guard and plan do for a shop of this traffic, by seeded simulation")
    .option(
      "--rate <RATE>",
      "attempts of both sides together, such as 10/s or 90/m (default: 10/s)",
      readRate,
    )
    .option("--error <PERCENT>", "of them that fail where nothing is wrong (default: 1%)", readShare)
    .option("--pay <SHARE/TIME>", "journeys that are paid, and the time by which half are: 60%/3m", readPay)
    .option("--plan <PERCENTS>", "the steps, with commas (default: 1,5,10,25,50,99)", readPlan)
    .option("--dwell <TIME>", "the shortest stay on a step (default: 10m)", readTime)
    .option("--budget <PERCENT>", "false alarms a day (default: 1%)", readShare)
    .option("--days <N>", "days with equal sides (else 1000, or 100 with --pay)", readWhole)
    .option("--seed <N>", "another seed, another simulation", readWhole, 1)
    .option("--svg <FILE>", "also write the picture of it");
  withJson(command, "print the forecast").action((options: SimulateOptions) => simulate(context, options));
  examples(
    command,
    ["cutover simulate --rate 10/s --error 1%", "how fast the guard is, how long a plan takes"],
    ["cutover simulate --rate 2/s --pay 60%/3m --plan 1,10,50", "payments too, by one's own steps"],
  );
}

async function simulate(context: Context, options: SimulateOptions): Promise<void> {
  const { terminal, engine, finish } = context;
  const { rate = 10, error = 0.01, pay, plan = [1, 5, 10, 25, 50, 99] } = options;
  const { dwell = 600_000, budget = 0.01, seed } = options;
  const question: SimulationQuestion = {
    ...gates,
    seed,
    perSecond: rate,
    failing: error,
    ...(pay === undefined ? {} : { paying: pay }),
    steps: plan,
    dwellMs: dwell,
    alpha: budget,
    days: options.days ?? (pay === undefined ? days.ofFailures : days.withPayments),
  };
  const isShown = terminal.isTty && options.json !== true;
  const { lines, picture, forecast } = await engine.simulate(
    question,
    isShown ? progressBar(context) : () => {},
  );
  if (isShown) terminal.err("\r\u001b[K");
  if (options.json === true) printJson(terminal, forecast);
  else terminal.out(`${lines.join("\n")}\n`);
  if (options.svg === undefined) return finish(exitCodes.done);
  try {
    writeFileSync(options.svg, picture);
    finish(exitCodes.done);
  } catch (failure) {
    const why = codeOf(failure) ?? "unknown error";
    finish(
      report(terminal, fail(exitCodes.refused, `the picture cannot be written to ${options.svg} (${why})`)),
    );
  }
}

const barWidth = 30;

/** Redrawn only where a person would see a difference. */
function progressBar({ terminal }: Context): (done: number) => void {
  let shown = -1;
  return (done) => {
    const percent = Math.floor(100 * done);
    if (percent === shown) return;
    shown = percent;
    const filled = Math.round(barWidth * done);
    terminal.err(`\r\u001b[K[${"#".repeat(filled)}${".".repeat(barWidth - filled)}] ${percent}%`);
  };
}

const perUnit = { s: 1, m: 60, h: 3600 } as const;

/** @returns a second */
function readRate(text: string): number {
  const [, count, unit] = /^(\d{1,7}(?:\.\d{1,6})?)\/(s|m|h)$/.exec(text) ?? [];
  const isUnit = unit === "s" || unit === "m" || unit === "h";
  const rate = isUnit ? Number(count) / perUnit[unit] : 0;
  if (rate > 0 && rate <= mostPerSecond) return rate;
  throw new InvalidArgumentError(
    `Expected a rate above 0 and up to ${mostPerSecond}/s, such as 10/s or 90/m.`,
  );
}

const mostPerSecond = 10_000;

/** @returns a share, between 0 and 1 */
function readShare(text: string): number {
  const [, percent] = /^(\d{1,2}(?:\.\d{1,6})?)%$/.exec(text) ?? [];
  const share = Number(percent ?? 0) / 100;
  if (share > 0) return share;
  throw new InvalidArgumentError("Expected a percent above 0 and below 100, such as 1% or 0.5%.");
}

function readPay(text: string): NonNullable<SimulationQuestion["paying"]> {
  const [share = "", time = "", ...more] = text.split("/");
  if (more.length > 0) throw new InvalidArgumentError("Expected a share and a time, such as 60%/3m.");
  return { share: readShare(share), medianMs: readTime(time) };
}

function readTime(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new InvalidArgumentError("Expected a duration such as 10m.");
}

/** A last step of 100, as a plan has it, is left out: from there on there is no legacy to compare with. */
function readPlan(text: string): number[] {
  const steps = text
    .replace(/,\s*100%?$/, "")
    .split(",")
    .map((each) => each.trim())
    .map((each) => (/^\d{1,2}(?:\.\d{1,3})?%?$/.test(each) ? Number.parseFloat(each) : 0));
  const isRising = steps.every((step, at) => step > (steps[at - 1] ?? 0));
  if (isRising) return steps;
  throw new InvalidArgumentError("Expected rising percents above 0 and below 100, such as 1,5,25,50,99.");
}

function readWhole(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number from 1 to 999999.");
}

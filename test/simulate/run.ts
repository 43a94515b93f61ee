/**
 * `npm run simulate`: measures the guard's figures anew, all of them or those whose table or name has a word in it.
 *
 *   npm run simulate -- [WORD …] [--seed N] [--runs N] [--svg FILE]
 *
 * Ends with 1 when a figure is outside its bar.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Figure, figures, measure, type Outcome, slack } from "./figures.ts";
import { plotOf } from "./plot.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: "string" }, runs: { type: "string" }, svg: { type: "string" } },
});
const seed = Number(values.seed ?? 1);
const chosen = figures.filter(({ table, name }) => {
  return positionals.every((word) => `${table}: ${name}`.includes(word));
});
const results = chosen.map((figure) => ({ figure, outcome: run(figure) }));
if (values.svg !== undefined) writeFileSync(values.svg, plotOf(results));
process.exitCode = results.every(({ outcome }) => outcome.isWithin) ? 0 : 1;

function run(figure: Figure): Outcome {
  const runs = values.runs === undefined ? figure.runs : Number(values.runs);
  const began = performance.now();
  const outcome = measure(figure, seed, runs, (done) => showProgress(figure, done, runs));
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const word = outcome.isWithin ? "ok" : "OUTSIDE";
  console.log(
    `${figure.table}: ${figure.name}: ${told(figure, outcome)} ${word} (${runs} runs, ${seconds} s)`,
  );
  return outcome;
}

function told({ bar }: Figure, { acted, runs, median }: Outcome): string {
  const share = `${((100 * acted) / runs).toFixed(2)}%`;
  if (bar.kind === "seldom") return `${share}, at most ${100 * bar.most}%`;
  if (bar.kind === "breaks") return `${share}, as a control at least ${100 * bar.least}%`;
  return `median ${median.toFixed(1)} min, at most ${slack} × ${bar.minutes}`;
}

function showProgress({ name }: Figure, done: number, runs: number): void {
  if (!process.stderr.isTTY || (done % 10 !== 0 && done !== runs)) return;
  const filled = Math.round((20 * done) / runs);
  process.stderr.write(`\r\u001b[K[${"#".repeat(filled)}${".".repeat(20 - filled)}] ${done}/${runs} ${name}`);
}

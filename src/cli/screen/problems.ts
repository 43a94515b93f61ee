import type { ConfigProblem } from "../engine.ts";
import { type ExitCode, exitCodes, fail, report } from "../exit.ts";
import type { Terminal } from "./terminal.ts";
import { printable } from "./text.ts";

/** Tells a configuration's problems on stderr, one a line, file:line:column first. @returns the exit code */
export function reportProblems(terminal: Terminal, problems: readonly ConfigProblem[]): ExitCode {
  terminal.err(problems.map(({ text }) => `${printable(text)}\n`).join(""));
  const number = problems.length === 1 ? "a problem" : `${problems.length} problems`;
  return report(terminal, fail(exitCodes.usage, `the configuration has ${number}`).failure);
}

/** With its line end. */
export function warningLine({ text }: ConfigProblem): string {
  return `${printable(text)} (warning)\n`;
}

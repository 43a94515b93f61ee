/** The exit codes of `cutover`, and how what went wrong is told. */
import type { ConfigProblem } from "./engine.ts";
import { linesFor, type Terminal } from "./screen/terminal.ts";
import { printable } from "./screen/text.ts";

export const exitCodes = {
  done: 0,
  /** Refused by the rules, or failed; the reason is on stderr. */
  refused: 1,
  /** Bad usage or bad configuration: nothing was asked of anyone. */
  usage: 2,
  /** The admin API is out of reach. */
  outOfReach: 3,
  /** Accepted, but not applied on every live instance in time; or proposed, and waiting for another person. */
  notAppliedEverywhere: 4,
  /** Of `gate`: nothing against new, and not enough for it. */
  insufficientEvidence: 5,
  /** Of `gate`: new, or legacy, fails too much. */
  worse: 6,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export interface Failed {
  readonly ok: false;
  readonly failure: {
    readonly exit: ExitCode;
    /** What went wrong, one sentence without a full stop. */
    readonly message: string;
    /** What to do next, a line each. */
    readonly next: readonly string[];
  };
}

export type Result<T> = { readonly ok: true; readonly value: T } | Failed;

export function succeed<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function fail(exit: ExitCode, message: string, ...next: string[]): Failed {
  return { ok: false, failure: { exit, message, next } };
}

/** Tells the failure on stderr. @returns its exit code */
export function report(terminal: Terminal, { failure }: Failed): ExitCode {
  terminal.err(
    linesFor(terminal, [`cutover: ${failure.message}`, ...failure.next.map((line) => `  ${line}`)]),
  );
  return failure.exit;
}

/** Tells a configuration's problems on stderr, one a line, file:line:column first. @returns the exit code */
export function reportProblems(terminal: Terminal, problems: readonly ConfigProblem[]): ExitCode {
  terminal.err(problems.map(({ text }) => `${printable(text)}\n`).join(""));
  const number = problems.length === 1 ? "a problem" : `${problems.length} problems`;
  return report(terminal, fail(exitCodes.usage, `the configuration has ${number}`));
}

/** With its line end. */
export function warningLine({ text }: ConfigProblem): string {
  return `${printable(text)} (warning)\n`;
}

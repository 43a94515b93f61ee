/** The exit codes of `cutover`, and how what went wrong is told. */
import type { Terminal } from "./screen/terminal.ts";

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
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export interface Failure {
  readonly exit: ExitCode;
  /** What went wrong, one sentence without a full stop. */
  readonly message: string;
  /** What to do next, a line each. */
  readonly next: readonly string[];
}

export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: Failure };

export function succeed<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function fail(exit: ExitCode, message: string, ...next: string[]): { ok: false; failure: Failure } {
  return { ok: false, failure: { exit, message, next } };
}

/** Tells the failure on stderr. @returns its exit code */
export function report(terminal: Terminal, failure: Failure): ExitCode {
  terminal.err(["cutover: ", failure.message, "\n", ...failure.next.map((line) => `  ${line}\n`)].join(""));
  return failure.exit;
}

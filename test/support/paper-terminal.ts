/** A terminal that keeps what is written to it, for tests of commands in this process. */
import type { Engine } from "../../src/cli/engine.ts";
import type { ExitCode } from "../../src/cli/exit.ts";
import { runCli } from "../../src/cli/program.ts";
import type { Terminal } from "../../src/cli/screen/terminal.ts";
import { plainStyle } from "../../src/cli/screen/terminal.ts";

export interface PaperTerminal extends Terminal {
  stdout(): string;
  stderr(): string;
  /** As a signal would. */
  stop(): void;
  /** As SIGUSR1 would. */
  breakGlass(): void;
  hangUp(): void;
  restart(): void;
}

/** @param typed what a person at it answers to a question; without it nobody is there */
export function createPaperTerminal(typed?: string): PaperTerminal {
  let stdout = "";
  let stderr = "";
  const listeners = new Set<() => void>();
  const glass = new Set<() => void>();
  const reloads = new Set<() => void>();
  const restarts = new Set<() => void>();
  return {
    out: (text) => {
      stdout += text;
    },
    err: (text) => {
      stderr += text;
    },
    isTty: false,
    ask: async (question) => {
      if (typed === undefined) return undefined;
      stderr += question;
      return typed;
    },
    columns: () => 80,
    rows: () => 24,
    style: plainStyle,
    closed: new AbortController().signal,
    onStop(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onBreakGlass(listener) {
      glass.add(listener);
      return () => glass.delete(listener);
    },
    onReload(listener) {
      reloads.add(listener);
      return () => reloads.delete(listener);
    },
    onRestart(listener) {
      restarts.add(listener);
      return () => restarts.delete(listener);
    },
    stdout: () => stdout,
    stderr: () => stderr,
    stop: () => {
      for (const listener of listeners) listener();
    },
    breakGlass: () => {
      for (const listener of glass) listener();
    },
    hangUp: () => {
      for (const listener of reloads) listener();
    },
    restart: () => {
      for (const listener of restarts) listener();
    },
  };
}

export const nothingRuns: Engine = {
  check: async () => ({ ok: true, warnings: [] }),
  examine: async () => [],
  serve: async () => ({ ok: false, problems: [] }),
  direct: async () => ({ kind: "out_of_reach", why: "nothing runs", answers: false }),
  demo: async () => ({ ok: false, problems: [] }),
  simulate: async () => ({ lines: [], picture: "", forecast: {} }),
};

export interface Setting {
  readonly env?: Readonly<Record<string, string>>;
  readonly engine?: Partial<Engine>;
  readonly abandon?: () => void;
  readonly terminal?: PaperTerminal;
}

/** Runs the command line in this process; nothing of the real environment gets in. */
export async function runOnPaper(
  argv: readonly string[],
  { env = {}, engine = {}, abandon = () => undefined, terminal = createPaperTerminal() }: Setting = {},
): Promise<{ code: ExitCode; stdout: string; stderr: string }> {
  const code = await runCli(argv, {
    terminal,
    env,
    now: Date.now,
    engine: { ...nothingRuns, ...engine },
    version: "1.2.3",
    abandon,
  });
  return { code, stdout: terminal.stdout(), stderr: terminal.stderr() };
}

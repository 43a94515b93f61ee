/** The terminal as commands see it: two streams, a width, colour or none, signals. Tests hand in their own. */
import { fitted } from "./text.ts";

/** Emphasis. It only ever repeats what the words say: without colour nothing is lost. */
export interface Style {
  strong(text: string): string;
  /** Needs a person's attention. */
  alert(text: string): string;
  quiet(text: string): string;
}

const sgr = (on: number, off: number) => (text: string) => `\u001b[${on}m${text}\u001b[${off}m`;
const same = (text: string) => text;

export const plainStyle: Style = { strong: same, alert: same, quiet: same };

/** Reverse video for alerts: it is seen on any palette and by any eye. */
export const colourStyle: Style = { strong: sgr(1, 22), alert: sgr(7, 27), quiet: sgr(2, 22) };

export interface Terminal {
  /** Results. */
  out(text: string): void;
  /** Errors and what to do about them. */
  err(text: string): void;
  readonly isTty: boolean;
  /** Asks a person on the terminal. @returns the line typed; `undefined` where there is nobody to ask */
  ask(question: string): Promise<string | undefined>;
  /** Width in cells, as of now. */
  columns(): number;
  /** Height in lines, as of now. */
  rows(): number;
  readonly style: Style;
  /** Aborted when nobody reads stdout any more (`| head`). */
  readonly closed: AbortSignal;
  /** Calls back at each SIGINT and SIGTERM, which then do not end the process. @returns the way out */
  onStop(listener: () => void): () => void;
  /** Calls back at each SIGUSR1, which then does not open the debugger. @returns the way out */
  onBreakGlass(listener: () => void): () => void;
  /** Calls back at each SIGHUP, which then does not end the process. @returns the way out */
  onReload(listener: () => void): () => void;
  /** Calls back at each SIGUSR2, which then does not end the process. @returns the way out */
  onRestart(listener: () => void): () => void;
}

const defaultColumns = 80;
const defaultRows = 24;

/** The terminal of this process. A reader of stdout or stderr that goes away is no error. */
export function processTerminal(): Terminal {
  const { stdout, stderr, env } = process;
  const closed = new AbortController();
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    closed.abort();
  });
  stderr.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  const isTty = stdout.isTTY === true;
  const isColoured = isTty && (env.NO_COLOR ?? "") === "" && env.TERM !== "dumb";
  return {
    out: (text) => {
      if (!closed.signal.aborted) stdout.write(text);
    },
    err: (text) => {
      stderr.write(text);
    },
    isTty,
    ask: (question) => (process.stdin.isTTY && stderr.isTTY ? askOnce(question) : Promise.resolve(undefined)),
    columns: () => (isTty && stdout.columns > 0 ? stdout.columns : defaultColumns),
    rows: () => (isTty && stdout.rows > 0 ? stdout.rows : defaultRows),
    style: isColoured ? colourStyle : plainStyle,
    closed: closed.signal,
    onStop: (listener) => {
      process.on("SIGINT", listener);
      process.on("SIGTERM", listener);
      return () => {
        process.off("SIGINT", listener);
        process.off("SIGTERM", listener);
      };
    },
    onBreakGlass: (listener) => onSignal("SIGUSR1", listener),
    onReload: (listener) => onSignal("SIGHUP", listener),
    onRestart: (listener) => onSignal("SIGUSR2", listener),
  };
}

/** What is typed to a question whose end was closed, or that was interrupted, is nothing. */
async function askOnce(question: string): Promise<string> {
  // Few commands ask: the others start without it.
  const { createInterface } = await import("node:readline");
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  return new Promise((resolve) => {
    asking.once("close", () => resolve(""));
    asking.question(question, (typed) => {
      resolve(typed);
      asking.close();
    });
  });
}

/** The same terminal without colour and without redrawing. */
export function plainTerminal(terminal: Terminal): Terminal {
  return {
    ...terminal,
    isTty: false,
    style: plainStyle,
  };
}

function onSignal(signal: NodeJS.Signals, listener: () => void): () => void {
  process.on(signal, listener);
  return () => process.off(signal, listener);
}

/** Lines for a person: at a terminal none is broken inside a word, elsewhere each stays as it is. */
export function linesFor(
  { isTty, columns }: Pick<Terminal, "isTty" | "columns">,
  lines: readonly string[],
): string {
  const shown = isTty ? lines.flatMap((line) => fitted(line, columns())) : lines;
  return shown.map((line) => `${line}\n`).join("");
}

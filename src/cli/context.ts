/** What every command is handed. */
import type { AdminClient } from "./client.ts";
import type { Engine } from "./engine.ts";
import type { ExitCode } from "./exit.ts";
import type { Terminal } from "./screen/terminal.ts";

export interface Context {
  readonly terminal: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly engine: Engine;
  /** Ends the process at once, nothing tidied. */
  readonly abandon: () => void;
  /** Takes the command's exit code. */
  finish(code: ExitCode): void;
}

/** What a command that talks to the admin API works with. */
export type Api = Pick<Context, "terminal" | "now"> & { readonly client: AdminClient };

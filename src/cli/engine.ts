/** What the commands that run the proxy itself need of the other rooms; main.ts hands it in. */

export interface ConfigProblem {
  readonly file: string;
  /** From 1, as is the column. */
  readonly line: number;
  readonly column: number;
  /** The key's place: `cutovers.checkout.routes[1].path`. */
  readonly path: string;
  readonly message: string;
  /** All of it in one line: `file:line:column path: message`. */
  readonly text: string;
}

export interface Problems {
  readonly ok: false;
  readonly problems: readonly ConfigProblem[];
}

/** Something that runs until it is closed. */
export interface Running {
  readonly ok: true;
  /** What its configuration permits and a person should know. */
  readonly warnings: readonly ConfigProblem[];
  /** Ends it cleanly: what is in flight is let finish. */
  close(): Promise<void>;
}

export interface Engine {
  /** Reads and checks a configuration file. */
  check(path: string): Promise<Problems | { readonly ok: true; readonly warnings: readonly ConfigProblem[] }>;
  /** Starts an instance, which logs to stdout. Rejects when it cannot start. */
  serve(path: string): Promise<Problems | Running>;
  /** Starts the demonstration, which says what it offers through `print`. Rejects when it cannot start. */
  demo(print: (text: string) => void): Promise<Problems | Running>;
}

/** What the commands that run the proxy itself, or go past its API, need of the other rooms; main.ts hands it in. */
import type { DirectAnswer, DirectWrite } from "../admin/api/write.ts";

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
  /** Rolls back every cutover on this instance alone, at once, whatever the store does; told to the store then. */
  readonly breakGlass?: () => void;
  /** Reads the configuration again; what came of it is logged. Without it, there is nothing to read again. */
  readonly reload?: () => Promise<void>;
  /** Replaces the processes that serve, one after the other. */
  readonly restartWorkers?: () => Promise<void>;
}

/** A value of the configuration as it is in effect, secrets masked. */
export interface ConfigValue {
  readonly path: string;
  readonly value: string;
  readonly from:
    | { readonly kind: "default" }
    | { readonly kind: "file"; readonly line: number; readonly column: number; readonly filled: boolean };
}

/** A request as it would be sent to each side, or the answer that it would get here. */
export type TriedRequest =
  | {
      readonly cutover: string;
      readonly route: string;
      readonly sides: readonly {
        readonly side: string;
        readonly upstream: string;
        /** The request's line and fields. */
        readonly lines: readonly string[];
      }[];
      /** Those that it may be on, where only more of a request tells. */
      readonly routes?: readonly {
        readonly cutover: string;
        readonly name: string;
        readonly when?: string | undefined;
      }[];
    }
  | { readonly status: number; readonly code: string; readonly detail: string };

export interface Sound {
  readonly ok: true;
  readonly warnings: readonly ConfigProblem[];
  /** What each side would get of a request; rejects for what is no URL. Without it, nothing is tried. */
  readonly attempt?: (method: string, url: string) => Promise<TriedRequest>;
  /** Without it, nothing is known of single values. */
  readonly explain?: () => readonly ConfigValue[];
}

/** What was found out about a part, and what to do about it. */
export interface ConfigFinding {
  readonly check: string;
  readonly verdict: "ok" | "warn" | "fail";
  readonly said: string;
  readonly fix?: string;
}

/** Traffic and a plan, as `simulate` is asked about them. Shares are from 0 to 1. */
export interface SimulationQuestion {
  readonly seed: number;
  readonly perSecond: number;
  readonly failing: number;
  readonly paying?: { readonly share: number; readonly medianMs: number };
  readonly steps: readonly number[];
  readonly dwellMs: number;
  readonly alpha: number;
  readonly notWorseThan: number;
  readonly paidNotWorseThan: number;
  readonly confidence: number;
  readonly days: number;
}

interface Simulation {
  readonly lines: readonly string[];
  /** SVG. */
  readonly picture: string;
  /** All figures, for --json. */
  readonly forecast: object;
}

/** What stands behind the demonstration. */
export const demoShops = ["sample", "forms", "graphql"] as const;

/** How the demonstration's plan stands against its date. */
export const demoPlans = ["on-time", "too-late"] as const;

interface DemoAsked {
  readonly shops: (typeof demoShops)[number];
  /** Without it nothing is raised by itself. */
  readonly plan?: (typeof demoPlans)[number] | undefined;
  /** Of Redis, or `memory:`; without it, a file of the demonstration's own. */
  readonly store?: string | undefined;
}

export interface Engine {
  /** Reads and checks a configuration file. */
  check(path: string): Promise<Problems | Sound>;
  /** Checks a configuration and what it names from this host: its store, its upstreams. */
  examine(path: string): Promise<readonly ConfigFinding[]>;
  /** Starts an instance, which logs to stdout. Rejects when it cannot start. */
  serve(path: string): Promise<Problems | Running>;
  /** Rejects when the URL is none of Redis. */
  direct(write: DirectWrite): Promise<DirectAnswer>;
  /**
   * Starts the demonstration, which says what it offers through `print`. Rejects when it cannot start.
   */
  demo(print: (text: string) => void, asked: DemoAsked): Promise<Problems | Running>;
  /** @param told of the part that is done, 0–1 */
  simulate(question: SimulationQuestion, told: (done: number) => void): Promise<Simulation>;
}

/** Where requests are served: in this process (local-front.ts), or in workers (worker-front.ts). */
import type { LoadedConfig } from "../config/load/load.ts";
import type { ExplainContext } from "../proxy/explain.ts";
import type { Table } from "../proxy/routes.ts";
import type { Generation } from "../telemetry/metrics.ts";
import type { Prepared } from "./data-plane.ts";
import type { Drain } from "./workers/messages.ts";

export interface Front {
  /** @returns the port taken @throws Error when nothing can listen there, or a worker can not start */
  listen(): Promise<number>;
  /** Of the configuration in force. */
  table(): Table;
  /** What tells a person who owns a key, and where a journey goes on. */
  readonly explaining: Pick<ExplainContext, "ownership" | "pins">;
  /**
   * Has the configuration built, and changes nothing yet.
   *
   * @param counting of that configuration; ended when it can not be built
   * @throws Error when it can not be built
   */
  prepare(loaded: LoadedConfig, counting: Generation): Promise<Prepared>;
  /** The versions requests are decided by, where they are not those of the follower's snapshot. */
  readonly versions?: () => Readonly<Record<string, number>>;
  /** Resolves when every process that serves decides by what the follower had when this was called. */
  inForce(): Promise<void>;
  /** Whether anybody accepts connections. */
  serves(): boolean;
  /** Resolves when all that was counted so far is in the metrics, or soon after. */
  collect(): Promise<void>;
  /** The journey secrets have changed. */
  secretsChanged(): void;
  /** Replaces the workers one after the other. */
  restart(): Promise<void>;
  /** Accepts no more and lets what is under way finish, for as long as the grace. */
  drain(how: Drain): Promise<void>;
  close(): Promise<void>;
}

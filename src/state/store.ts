/**
 * The port to the truth about cutovers. Three stores stand behind it (memory, file, Redis) and one contract
 * suite (test/contract) holds them all. Every method rejects with `StoreUnavailable`, and with nothing else,
 * when the store cannot be reached in time.
 */
import type { RejectedField } from "./by-hand.ts";
import type { Actor, Change, CutoverState, HistoryAction, RefusalCode, StateName } from "./model.ts";

/** The last good state of each cutover the caller knows; a cutover it knows nothing of is absent. */
export type LastGood = ReadonlyMap<string, CutoverState>;

export interface Command {
  /** The cutover's name. */
  readonly name: string;
  readonly change: Change;
  readonly actor: Actor;
  readonly reason: string;
  readonly ifVersion?: number;
  /** Stands in where the store has lost the cutover, so that versions go on. */
  readonly lastGood?: CutoverState;
}

export type Applied =
  | { readonly accepted: true; readonly changed: boolean; readonly state: CutoverState }
  | { readonly accepted: false; readonly code: RefusalCode; readonly state: CutoverState };

/** What stands in the store by hand and is not followed; `type` = the key is not of the kind it should be. */
export interface Rejection {
  readonly name: string;
  readonly fields: readonly (RejectedField | "type")[];
  /** Tells one rejected content from the next, so that each is logged and counted once. Holds no value. */
  readonly fingerprint: string;
}

export interface Loaded {
  /** The accepted state of every cutover asked for, hand edits adopted, never older than the caller's own. */
  readonly states: ReadonlyMap<string, CutoverState>;
  readonly rejections: readonly Rejection[];
  /** Cutovers the store had lost and was given back from the caller's last good state. */
  readonly restored: readonly string[];
}

export interface HistoryEntry {
  readonly version: number;
  /** RFC 3339, the store's clock. */
  readonly at: string;
  readonly by: string;
  readonly action: HistoryAction;
  readonly from: { readonly percentThousandths: number; readonly state: StateName };
  readonly to: { readonly percentThousandths: number; readonly state: StateName };
  readonly reason: string;
}

/** What an instance says of itself, renewed each second; gone from the store 3 s after it falls silent. */
export interface InstanceRecord {
  readonly id: string;
  /** RFC 3339. */
  readonly startedAt: string;
  /** RFC 3339, the time of this record. */
  readonly seenAt: string;
  /** The version of each cutover the instance decides by. */
  readonly versions: Readonly<Record<string, number>>;
  /** The instance's traffic figures of each cutover (telemetry/traffic.ts), merged by whoever reads them. */
  readonly traffic: Readonly<Record<string, unknown>>;
}

export interface Store {
  readonly kind: "memory" | "file" | "redis";
  /** Reads the named cutovers; adopts what was validly written by hand; gives back what the store has lost. */
  load(names: readonly string[], lastGood: LastGood): Promise<Loaded>;
  /** The one way to change a cutover: compare, judge by the rule book, write, audit, announce; atomically. */
  apply(command: Command): Promise<Applied>;
  /** Calls back soon after something may have changed. A hint only: it can be lost. @returns the way out */
  subscribe(onHint: () => void): () => void;
  /** Publishes the instance's record and renews its lease of 3 s. */
  acknowledge(record: InstanceRecord): Promise<void>;
  /** Withdraws the record at a clean stop. */
  leave(id: string): Promise<void>;
  /** The records of all live instances, by id. */
  instances(): Promise<readonly InstanceRecord[]>;
  /** Newest first, at most `limit`. */
  history(name: string, limit: number): Promise<readonly HistoryEntry[]>;
  /** The value kept under a name that all instances share; the first to offer one wins. */
  shared(name: string, offer: string): Promise<string>;
  close(): Promise<void>;
}

export const leaseMs = 3000;

export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable";
}

/** Where time comes from; tests hand in one they advance themselves. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds of a clock that never steps back. */
  monotonic(): number;
}

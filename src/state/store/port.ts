/**
 * The port to the truth about cutovers. Three stores stand behind it (memory, file, Redis) and one contract
 * suite (test/contract) holds them all. Every method rejects with `StoreUnavailable` (base/unavailable.ts)
 * when the store cannot be reached in time; a caller that asks for what is no change (a percent of 101) gets a RangeError.
 */
import type { RejectedField } from "../rules/by-hand.ts";
import type { Proposal } from "../rules/four-eyes.ts";
import type { Actor, Change, CutoverState, HistoryAction, RefusalCode, StateName } from "../rules/model.ts";
import type { Annotation, Origin, WrittenOrigin } from "../rules/origin.ts";

/** The last good state of each cutover the caller knows; a cutover it knows nothing of is absent. */
export type LastGood = ReadonlyMap<string, CutoverState>;

export interface Command {
  /** The cutover's name. */
  readonly name: string;
  readonly change: Change;
  readonly actor: Actor;
  readonly reason: string;
  /** How it came about; without it, the history does not say. */
  readonly origin?: Origin;
  readonly ifVersion?: number;
  /** Stands in where the store has lost the cutover, so that versions go on. */
  readonly lastGood?: CutoverState;
  /** Of the change: one whose id the store finds among the last is not made again (Redis; others make it again). */
  readonly id?: string;
  /** How far one person may raise alone, and the id of the proposal that the actor approves: used up by the raise. */
  readonly fourEyes?: { readonly overThousandths: number; readonly proposalId?: string };
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

/** The store contradicts what was accepted and followed: it has lost a change. */
export interface Regression {
  readonly name: string;
  /** The version that was followed, and the one the store came back with. */
  readonly followed: number;
  readonly offered: number;
  /** What was done about it, for the log. */
  readonly reason: string;
}

/** A change, as it is announced. */
export interface News {
  readonly name: string;
  /** What the change was made from. */
  readonly from: Pick<CutoverState, "percentThousandths" | "state" | "pinEpoch" | "version" | "updatedAt">;
  readonly state: CutoverState;
  /** Whether the server that answers `load` told it: of what another one tells, that one may know nothing. */
  readonly isSure: boolean;
}

export interface Loaded {
  /** The accepted state of every cutover asked for, hand edits adopted, never older than the caller's own. */
  readonly states: ReadonlyMap<string, CutoverState>;
  readonly rejections: readonly Rejection[];
  /** Cutovers the store had lost and was given back from the caller's last good state. */
  readonly restored: readonly string[];
  /** Contradictions found and settled since the last load that was answered (Redis; others lose nothing). */
  readonly regressions?: readonly Regression[];
}

export interface HistoryEntry extends WrittenOrigin {
  readonly version: number;
  /** RFC 3339, the store's clock. */
  readonly at: string;
  readonly by: string;
  readonly action: HistoryAction;
  readonly from: { readonly percentThousandths: number; readonly state: StateName };
  readonly to: { readonly percentThousandths: number; readonly state: StateName };
  readonly reason: string;
  /** Oldest first; without it, none. */
  readonly annotations?: readonly Annotation[];
}

export interface Annotating extends Origin {
  /** The cutover's name. */
  readonly name: string;
  /** Of the change. */
  readonly version: number;
  readonly by: string;
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
  /** The instance's traffic figures of each cutover (telemetry/traffic/traffic.ts), merged by whoever reads them. */
  readonly traffic: Readonly<Record<string, unknown>>;
  readonly stale?: WhenStale | undefined;
}

/** What an instance does when it is cut off from the store. Without it: 30 s, and the last state stays in force. */
export interface WhenStale {
  /** How long it goes without the store before it is stale. */
  readonly afterMs: number;
  /** The cutovers of which it then starts new journeys on legacy; of the others the last state stays in force. */
  readonly legacy: readonly string[];
}

/** What the store remembers of an instance: live as long as its lease, then silent. */
export interface Member extends Omit<InstanceRecord, "traffic" | "seenAt"> {
  /** When its last record was written, ms since the epoch by the store's clock. */
  readonly seenAtMs: number;
}

export interface Roster {
  /** The store's clock at the reading, ms since the epoch. */
  readonly nowMs: number;
  /** By id. */
  readonly members: readonly Member[];
}

export interface Store {
  readonly kind: "memory" | "file" | "redis";
  /** Reads the named cutovers; adopts what was validly written by hand; gives back what the store has lost. */
  load(names: readonly string[], lastGood: LastGood): Promise<Loaded>;
  /** The one way to change a cutover: compare, judge by the rule book, write, audit, announce; atomically. */
  apply(command: Command): Promise<Applied>;
  /**
   * Calls back soon after something may have changed, with the change where that is known. A hint only: it can be lost.
   *
   * @returns the way out
   */
  subscribe(onHint: (news?: News) => void): () => void;
  /** Publishes the instance's record and renews its lease of 3 s. */
  acknowledge(record: InstanceRecord): Promise<void>;
  /** Withdraws the record at a clean stop: the instance is neither live nor silent from then on. */
  leave(id: string): Promise<void>;
  /** The records of all live instances, by id. */
  instances(): Promise<readonly InstanceRecord[]>;
  /** All instances that are live, or have fallen silent less than `rememberMs` ago. */
  roster(): Promise<Roster>;
  /** Newest first, at most `limit`, none made before `sinceMs` (since the epoch, the store's clock). */
  history(name: string, limit: number, sinceMs?: number): Promise<readonly HistoryEntry[]>;
  /** Adds a reason to a change of the history. @returns `undefined` when the history has no such version */
  annotate(annotating: Annotating): Promise<Annotation | undefined>;
  /** The value kept under a name that all instances share; the first to offer one wins. */
  shared(name: string, offer: string): Promise<string>;
  /** The open proposal of a cutover; there is one at most. */
  proposal(name: string): Promise<Proposal | undefined>;
  /** Opens a proposal for so long, in the place of the one there was. */
  propose(name: string, proposal: Proposal, forMs: number): Promise<void>;
  /** @returns false when that proposal is not open (any more) */
  withdraw(name: string, id: string): Promise<boolean>;
  close(): Promise<void>;
}

export const leaseMs = 3000;

export const defaultStaleAfterMs = 30_000;

/** How long after its last record an instance that did not leave is still known: until it is stale, and its lease. */
export function rememberMs({ stale }: Pick<InstanceRecord, "stale">): number {
  return (stale?.afterMs ?? defaultStaleAfterMs) + leaseMs;
}

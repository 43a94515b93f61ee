/**
 * The port to the truth about cutovers. Three stores stand behind it (memory, file, Redis) and one contract
 * suite (test/contract) holds them all. Every method rejects with `StoreUnavailable` (base/errors.ts)
 * when the store cannot be reached in time; `apply`, `lease` and `release` with a RangeError when what is asked is no
 * change (a percent of 101), no lease or no fence of the cutover's.
 */
import type { Proposal } from "../rules/approval.ts";
import type { InstanceRecord, Roster } from "../rules/completion.ts";
import type { RawFields, RejectedField } from "../rules/hand-edit.ts";
import type { Annotation, HistoryEntry, Origin } from "../rules/history.ts";
import type { Fence, Fenced, Leased } from "../rules/leases/lease.ts";
import type { Note, NoteName, NoteWriting } from "../rules/leases/note.ts";
import type { Actor, Applied, Change, CutoverState } from "../rules/model.ts";
import type { CohortPercents } from "../rules/percent.ts";
import type { Announcement, LastGood } from "../rules/succession.ts";

/** Where a cutover's cohorts begin that its state does not know yet, by the configuration; asked at each use. */
export type StartsOf = (name: string) => CohortPercents | undefined;

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
  /** The change's own id: one that the store finds among the last is not made again (Redis; others make it again). */
  readonly id?: string;
  /**
   * How far one person may raise alone, in how many of the last ms at once (without it, in one change), and the id of the
   * proposal that the actor approves: used up by the change.
   */
  readonly fourEyes?: {
    readonly overThousandths: number;
    readonly windowMs?: number;
    readonly proposalId?: string;
  };
  /** Only while this grant of a lease is in force (rules/leases/lease.ts); else it is refused as `fenced`, and nothing changes. */
  readonly fence?: Fence;
}

/** What stands in the store by hand and is not followed; `type` = the key is not of the kind it should be. */
export interface Rejection {
  readonly name: string;
  readonly fields: readonly (RejectedField | "type")[];
  /** Tells one rejected content from the next, so that each is logged and counted once. Holds no value. */
  readonly fingerprint: string;
  /** What stands in those fields, cut after 64 bytes; for whoever asks, never for the log. */
  readonly found?: RawFields;
}

/** The store contradicts what was accepted and followed: it has lost a change. */
export interface Regression {
  readonly name: string;
  /** The version that was followed, and the one that the store has instead. */
  readonly followed: number;
  readonly offered: number;
  /** What was done about it, for the log. */
  readonly reason: string;
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

export interface Annotating extends Origin {
  /** The cutover's name. */
  readonly name: string;
  /** The version of the change. */
  readonly version: number;
  readonly by: string;
  readonly reason: string;
}

/** Characters of a text that is kept beside a lease. */
export const longestKept = 200_000;

export interface Store {
  readonly kind: "memory" | "file" | "redis";
  /** Reads the named cutovers; adopts what was validly written by hand; gives back what the store has lost. */
  load(names: readonly string[], lastGood: LastGood): Promise<Loaded>;
  /** The one way to change a cutover: compare, judge by the rule book, write, audit, announce; atomically. */
  apply(command: Command): Promise<Applied | Fenced>;
  /**
   * Calls back soon after something may have changed, with the change where that is known. A hint only: it can be lost.
   *
   * @returns the way out
   */
  subscribe(onHint: (announced?: Announcement) => void): () => void;
  /** Publishes the instance's record and renews its lease of 3 s. */
  acknowledge(record: InstanceRecord): Promise<void>;
  /** Withdraws the record at a clean stop: the instance is neither live nor silent from then on. */
  leave(id: string): Promise<void>;
  /**
   * Those of the cutovers that somebody has written of under the key without its braces, where nobody reads it (Redis;
   * others have no keys).
   *
   * @returns their names
   */
  strays?(names: readonly string[]): Promise<readonly string[]>;
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
  /** A text of the cutover's own. */
  note(name: string, what: NoteName): Promise<Note>;
  /**
   * Writes it over the revision that was read.
   *
   * @returns `moved`: it has another revision; `fenced`: the fence is not in force; nothing is written then
   * @throws RangeError when it is no note, or the fence is none of the cutover's
   */
  writeNote(name: string, what: NoteName, writing: NoteWriting): Promise<"written" | "moved" | "fenced">;
  /**
   * Takes the lease for `ttlMs` (whole ms, above 0), or renews it for as long from now, which keeps the token. The holder
   * is an instance's id; it counts the time from before this call, by its monotonic clock, and renews well within it.
   *
   * Meant for what acts by itself and must act once in a fleet: the guard and the plan's steward take the lease named like
   * their cutover, act while it is theirs, and hand its token to each `apply` as `fence`. So a leader that was frozen while
   * another one took over changes nothing when it wakes.
   *
   * @throws RangeError when name, holder or time is none
   */
  lease(name: string, holder: string, ttlMs: number): Promise<Leased>;
  /** Gives the lease back before its time. @returns false when the token does not hold it (any more) */
  release(name: string, token: number): Promise<boolean>;
  /**
   * Keeps a text beside the lease, in the place of the one before: what its next holder goes on with. Only while this very
   * grant is in force.
   *
   * @returns false when the token does not hold the lease (any more); nothing is kept then
   * @throws RangeError when it is no lease, or the text is longer than `longestKept`
   */
  keep(fence: Fence, text: string): Promise<boolean>;
  /** What was last kept beside the lease. */
  kept(lease: string): Promise<string | undefined>;
  close(): Promise<void>;
}

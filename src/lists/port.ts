/**
 * Lists of shoppers, sellers or whatever else a cohort is told by: who is on one, asked on every request and answered out
 * of memory (`Lists`); where they are loaded from (`ListSource`); and where they are kept (`ListPlace`).
 */

/** For the request path: never waits, and never fails. */
export interface Lists {
  /** @param member a byte string, as the request has it @returns false, too, for a list that was never loaded */
  has(list: string, member: string): boolean;
}

export interface ListSource {
  /** Tells each change of a list from every other, also one of a list that was lost and made anew; 0: never changed. */
  stamps(names: readonly string[]): Promise<readonly number[]>;
  /** The stamp of the last change of each of the 256 parts (members.ts); 0: never. */
  parts(name: string): Promise<readonly number[]>;
  /** One part's digests, and their stamp. */
  part(name: string, at: number): Promise<ListPart>;
}

export interface ListPart {
  readonly stamp: number;
  readonly bytes: Buffer;
}

export interface ListHead {
  /** +1 with each write. */
  readonly version: number;
  /** How many are on it. */
  readonly members: number;
  /** RFC 3339, the store's clock; empty at version 0, as the next two. */
  readonly updatedAt: string;
  readonly updatedBy: string;
  readonly reason: string;
}

export interface ListEntry {
  readonly version: number;
  readonly at: string;
  readonly by: string;
  /** As many as were asked for: some may have been on it, or off it, before. */
  readonly added: number;
  readonly removed: number;
  readonly reason: string;
}

/** A change of more than one person may make alone: the next one who asks for the same makes it. */
export interface WaitingList {
  /** Tells its content: what was to be added and removed. */
  readonly id: string;
  readonly by: string;
  readonly reason: string;
  readonly at: string;
  readonly expiresAt: string;
}

export interface ListWrite {
  /** Each over the stamp that it was made from. */
  readonly parts: readonly {
    readonly at: number;
    readonly from: number;
    readonly bytes: Buffer;
  }[];
  /** How many more are on it then. */
  readonly more: number;
  readonly by: string;
  readonly reason: string;
  /** What the history says of it; without it, nothing: it is the rest of a change that is in it. */
  readonly entry?: Pick<ListEntry, "added" | "removed">;
}

/** All methods reject with StoreUnavailable when the place cannot be reached in time. */
export interface ListPlace extends ListSource {
  /** Several parts at once, in this order. */
  some(name: string, parts: readonly number[]): Promise<readonly ListPart[]>;
  head(name: string): Promise<ListHead>;
  /** @returns `moved` when a part is no longer of the stamp that it was changed from: nothing was written */
  write(name: string, write: ListWrite): Promise<ListHead | "moved">;
  /** Newest first. */
  history(name: string, limit: number): Promise<readonly ListEntry[]>;
  waiting(name: string, id: string): Promise<WaitingList | undefined>;
  wait(name: string, waiting: WaitingList, ttlMs: number): Promise<void>;
  /** Calls back soon after a list may have been changed. A hint only. @returns the way out */
  subscribe(onHint: () => void): () => void;
}

/** A list as a person sees it. */
export interface ListLook extends ListHead {
  readonly name: string;
  /** What the API takes of it. */
  readonly takes: "plain" | "digests";
  /** How many are on it in the process that answers. */
  readonly loaded: number;
}

/** What a person asks of a list. */
interface AskedList {
  readonly add: readonly string[];
  readonly remove: readonly string[];
  /** Whether these are digests; without it, what the list takes. */
  readonly form?: "plain" | "digests" | undefined;
  readonly by: string;
  readonly reason: string;
}

type ListOutcome =
  | {
      readonly kind: "changed";
      readonly look: ListLook;
      readonly changed: boolean;
      /** Who asked for it first, where it took two. */
      readonly proposedBy: string | undefined;
    }
  | { readonly kind: "waits"; readonly waiting: WaitingList }
  /** `why`: for a person. */
  | { readonly kind: "invalid"; readonly why: string };

/** Lists, as people see and change them. Rejects with StoreUnavailable. */
export interface ListDesk {
  /** Those of the configuration in force. */
  names(): readonly string[];
  /** @throws Error when no list of the configuration has the name, as all of these */
  look(name: string): Promise<ListLook>;
  /** By the store. @returns `undefined` when the text is no member of such a list */
  has(name: string, member: string): Promise<boolean | undefined>;
  history(name: string, limit: number): Promise<readonly ListEntry[]>;
  change(name: string, asked: AskedList): Promise<ListOutcome>;
}

export const neverChanged: ListHead = {
  version: 0,
  members: 0,
  updatedAt: "",
  updatedBy: "",
  reason: "",
};

export const entriesKept = 1000;

/** Later than before, and than any of a list that was lost. */
export function nextStamp(before: number, nowMs: number): number {
  return Math.max(before + 1, nowMs);
}

/** What a write makes of the head. */
export function headAfter(before: ListHead, { more, by, reason }: ListWrite, nowMs: number): ListHead {
  return {
    version: before.version + 1,
    members: before.members + more,
    updatedAt: new Date(nowMs).toISOString(),
    updatedBy: by,
    reason,
  };
}

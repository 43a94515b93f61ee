/** What a store of one process holds: an immutable document, and the steps from one to the next. PURE. */

import type { HistoryEntry, StoredAnnotation } from "../rules/history.ts";
import type { CutoverState, Proposal } from "../rules/model.ts";
import { isBelievable } from "../rules/written.ts";

export interface CutoverRecord {
  readonly state: CutoverState;
  /** Newest first, at most `historyLimit`. */
  readonly history: readonly HistoryEntry[];
  /** Reasons given later, oldest first; at most `historyLimit`. */
  readonly annotations?: readonly StoredAnnotation[];
}

export interface StateDocument {
  readonly cutovers: ReadonlyMap<string, CutoverRecord>;
  readonly shared: ReadonlyMap<string, string>;
  /** The open proposal of each cutover that has one; one whose time is over may still stand here. */
  readonly proposals: ReadonlyMap<string, Proposal>;
}

export const historyLimit = 1000;

export const emptyDocument: StateDocument = {
  cutovers: new Map(),
  shared: new Map(),
  proposals: new Map(),
};

/** The document with the caller's last good state where it knows a later version than the document does. */
export function giveBack(at: StateDocument, name: string, lastGood: CutoverState | undefined): StateDocument {
  const version = at.cutovers.get(name)?.state.version ?? 0;
  const isLater = lastGood !== undefined && lastGood.version > version && isBelievable(lastGood);
  return isLater ? withState(at, name, lastGood) : at;
}

export function withState(
  at: StateDocument,
  name: string,
  state: CutoverState,
  entry?: HistoryEntry,
): StateDocument {
  const { history: before = [], annotations } = at.cutovers.get(name) ?? {};
  const history = entry === undefined ? before : [entry, ...before].slice(0, historyLimit);
  const record = { state, history, ...(annotations === undefined ? {} : { annotations }) };
  return { ...at, cutovers: new Map(at.cutovers).set(name, record) };
}

export function withProposal(at: StateDocument, name: string, proposal: Proposal | undefined): StateDocument {
  const proposals = new Map(at.proposals);
  if (proposal === undefined) proposals.delete(name);
  else proposals.set(name, proposal);
  return { ...at, proposals };
}

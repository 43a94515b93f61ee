/** What a store of one process holds: an immutable document, and the steps from one to the next. PURE. */
import { approvalOf, type Proposal, raisedThousandthsBy } from "../rules/approval.ts";
import type { Annotation, HistoryEntry, StoredAnnotation } from "../rules/history.ts";
import { assertFence, type Fenced, isFenced, type Lease } from "../rules/leases/lease.ts";
import type { Note } from "../rules/leases/note.ts";
import { type Applied, type CutoverState, initialState, transition } from "../rules/model.ts";
import { type CohortPercents, withStarts } from "../rules/percent.ts";
import { cohortsIn } from "../rules/routing.ts";
import { maintenancePart } from "../rules/sides/maintenance.ts";
import type { LastGood } from "../rules/succession.ts";
import { isBelievable } from "../rules/written.ts";
import type { Annotating, Command } from "./port.ts";

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
  /** The last token of each lease, so that tokens grow over a restart, too. A lease itself ends with the process. */
  readonly leases: ReadonlyMap<string, number>;
  /** By cutover and name: `checkout/plan`. */
  readonly notes: ReadonlyMap<string, Note>;
}

/** What a change makes of the document; the same object when it makes nothing of it. */
export interface Step<T> {
  readonly document: StateDocument;
  readonly answer: T;
}

/** What a change is judged by beside the document. */
interface Surroundings {
  /** RFC 3339, the store's clock. */
  readonly at: string;
  /** The clock by which leases end. */
  readonly atMs: number;
  /** As far as its time is not over. */
  readonly openProposal: Proposal | undefined;
  readonly lease: (name: string) => Lease | undefined;
  /** Where the cutover's cohorts begin that the state does not know. */
  readonly starts: CohortPercents | undefined;
}

export const historyLimit = 1000;

export const emptyDocument: StateDocument = {
  cutovers: new Map(),
  shared: new Map(),
  proposals: new Map(),
  leases: new Map(),
  notes: new Map(),
};

export function stateOf(at: StateDocument, name: string): CutoverState {
  return at.cutovers.get(name)?.state ?? initialState();
}

/** The document with the caller's last good states where it knows later versions, and of which cutovers that is so. */
export function restored(
  before: StateDocument,
  names: readonly string[],
  lastGood: LastGood,
): Step<readonly string[]> {
  const answer = names.filter((name) => giveBack(before, name, lastGood.get(name)) !== before);
  return { document: answer.reduce((at, name) => giveBack(at, name, lastGood.get(name)), before), answer };
}

function giveBack(at: StateDocument, name: string, lastGood: CutoverState | undefined): StateDocument {
  const version = at.cutovers.get(name)?.state.version ?? 0;
  const isLater = lastGood !== undefined && lastGood.version > version && isBelievable(lastGood);
  return isLater ? withState(at, name, lastGood) : at;
}

/**
 * The change, judged by the rule book and its fence.
 *
 * @throws RangeError when it is none, or the fence is none of the cutover's
 */
export function applied(
  found: StateDocument,
  { name, change, actor, reason, origin, ifVersion, lastGood, fourEyes, fence }: Command,
  { at, atMs, openProposal, lease, starts }: Surroundings,
): Step<Applied | Fenced> {
  if (fence !== undefined) assertFence(name, fence);
  const before = giveBack(found, name, lastGood);
  const current = stateOf(before, name);
  const proposal = openProposal?.id === fourEyes?.proposalId ? openProposal : undefined;
  const { history = [] } = before.cutovers.get(name) ?? {};
  const windowMs = fourEyes?.windowMs;
  const raisedThousandths =
    windowMs === undefined
      ? 0
      : raisedThousandthsBy(
          actor.name,
          history,
          new Date(Date.parse(at) - windowMs).toISOString(),
          change.action === "set" ? change.cohort : undefined,
        );
  const request = {
    change,
    actor,
    reason,
    at,
    starts,
    ...(ifVersion === undefined ? {} : { ifVersion }),
    ...(fourEyes === undefined
      ? {}
      : { fourEyes: { overThousandths: fourEyes.overThousandths, raisedThousandths, proposal } }),
  };
  const verdict = transition(current, request);
  if (fence !== undefined && isFenced(lease(fence.lease), fence.token, atMs)) {
    return { document: before, answer: { accepted: false, code: "fenced", state: current } };
  }
  if (!verdict.accepted) {
    return { document: before, answer: { accepted: false, code: verdict.code, state: current } };
  }
  const { changed, next } = verdict;
  const answer = { accepted: true, changed, state: next } as const;
  if (!changed) return { document: before, answer };
  const from = withStarts(current, starts);
  const after = withState(before, name, next, {
    version: next.version,
    at,
    by: next.updatedBy,
    action: change.action,
    from: standing(from),
    to: { ...standing(next), ...maintenancePart(next.maintenance) },
    reason,
    ...origin,
  });
  const isApproved = typeof approvalOf(from, request) !== "string";
  return { document: isApproved ? withProposal(after, name, undefined) : after, answer };
}

function standing({ percentThousandths, cohorts, state }: CutoverState) {
  return { percentThousandths, ...cohortsIn(cohorts), state };
}

/** The reason added to a change of the history; `undefined` when it has no such version. */
export function annotated(
  before: StateDocument,
  { name, version, ...said }: Annotating,
  at: string,
): Step<Annotation | undefined> {
  const record = before.cutovers.get(name);
  if (record === undefined || !record.history.some((entry) => entry.version === version)) {
    return { document: before, answer: undefined };
  }
  const answer = { ...said, at };
  const annotations = [...(record.annotations ?? []), { ...answer, version }].slice(-historyLimit);
  const cutovers = new Map(before.cutovers).set(name, { ...record, annotations });
  return { document: { ...before, cutovers }, answer };
}

/** The value kept under the name; the offer where there was none. */
export function shared(before: StateDocument, name: string, offer: string): Step<string> {
  const kept = before.shared.get(name);
  if (kept !== undefined) return { document: before, answer: kept };
  return { document: { ...before, shared: new Map(before.shared).set(name, offer) }, answer: offer };
}

export function withProposal(at: StateDocument, name: string, proposal: Proposal | undefined): StateDocument {
  const proposals = new Map(at.proposals);
  if (proposal === undefined) proposals.delete(name);
  else proposals.set(name, proposal);
  return { ...at, proposals };
}

function withState(
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

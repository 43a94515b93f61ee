/**
 * The store of one process: an immutable document of all cutovers, changed one change at a time. The memory store
 * is this alone; the file store hands in `persist`, and a change is in force only once that has resolved: when it
 * rejects, the document is what it was and the caller is told that the store is unavailable.
 */

import type { Clock } from "../../base/clock.ts";
import { StoreUnavailable } from "../../base/errors.ts";
import { type InstanceRecord, leaseMs, type Roster, rememberMs } from "../rules/completion.ts";
import { type Annotation, type HistoryEntry, withAnnotations } from "../rules/history.ts";
import {
  type Applied,
  approvalOf,
  type CutoverState,
  initialState,
  type Proposal,
  transition,
} from "../rules/model.ts";
import type { LastGood } from "../rules/succession.ts";
import {
  emptyDocument,
  giveBack,
  historyLimit,
  type StateDocument,
  withProposal,
  withState,
} from "./document.ts";
import type { Annotating, Command, Loaded, Store } from "./port.ts";

interface InProcessOptions {
  readonly kind: "memory" | "file";
  readonly clock: Clock;
  readonly document: StateDocument;
  /** Makes the document durable before it comes into force. */
  readonly persist?: (document: StateDocument) => Promise<void>;
  readonly onClose?: () => Promise<void>;
}

/** What a change makes of the document; the same object when it makes nothing of it. */
interface Outcome<T> {
  readonly document: StateDocument;
  readonly answer: T;
}

export function createInProcessStore(options: InProcessOptions): Store {
  const { clock } = options;
  const listeners = new Set<() => void>();
  const records = new Map<string, { readonly record: InstanceRecord; readonly writtenMs: number }>();
  let document = options.document;
  /** When the open proposals end, by their ids; a clock that is set meanwhile does not move it. */
  const endsAtMs = new Map<string, number>();
  for (const { id, expiresAt } of document.proposals.values()) {
    endsAtMs.set(id, clock.monotonic() + Date.parse(expiresAt) - clock.now());
  }
  let queue: Promise<unknown> = Promise.resolve();
  let closed = false;

  function assertOpen(): void {
    if (closed) throw new StoreUnavailable("the store is closed");
  }

  /** By id, those that fell silent too long ago dropped. */
  function known(): { readonly record: InstanceRecord; readonly agoMs: number }[] {
    for (const [id, { record, writtenMs }] of records) {
      if (clock.monotonic() - writtenMs >= rememberMs(record)) records.delete(id);
    }
    return [...records.values()]
      .map(({ record, writtenMs }) => ({ record, agoMs: clock.monotonic() - writtenMs }))
      .sort((one, other) => byId(one.record, other.record));
  }

  /** Runs one change after all those before it. */
  function change<T>(work: (before: StateDocument) => Outcome<T>): Promise<T> {
    const turn = queue.then(async () => {
      assertOpen();
      const outcome = work(document);
      if (outcome.document !== document) {
        await persist(outcome.document);
        document = outcome.document;
        for (const listener of listeners) queueMicrotask(listener);
      }
      return outcome.answer;
    });
    queue = turn.catch(() => undefined);
    return turn;
  }

  async function persist(next: StateDocument): Promise<void> {
    try {
      await options.persist?.(next);
    } catch (cause) {
      throw new StoreUnavailable("the change could not be made durable", { cause });
    }
  }

  function openProposal({ proposals }: StateDocument, name: string): Proposal | undefined {
    const found = proposals.get(name);
    const isOpen = found !== undefined && clock.monotonic() < (endsAtMs.get(found.id) ?? 0);
    return isOpen ? found : undefined;
  }

  function stateOf(at: StateDocument, name: string): CutoverState {
    return at.cutovers.get(name)?.state ?? initialState();
  }

  return {
    kind: options.kind,

    async load(names: readonly string[], lastGood: LastGood): Promise<Loaded> {
      assertOpen();
      const lost = (at: StateDocument) =>
        names.filter((name) => giveBack(at, name, lastGood.get(name)) !== at);
      const restored =
        lost(document).length === 0
          ? []
          : await change((before) => {
              const answer = lost(before);
              const after = answer.reduce((at, name) => giveBack(at, name, lastGood.get(name)), before);
              return { document: after, answer };
            });
      return {
        states: new Map(names.map((name) => [name, stateOf(document, name)])),
        rejections: [],
        restored,
      };
    },

    apply(command: Command): Promise<Applied> {
      const { name, change: asked, actor, reason, origin, ifVersion, lastGood, fourEyes } = command;
      return change<Applied>((found) => {
        const before = giveBack(found, name, lastGood);
        const current = stateOf(before, name);
        const at = new Date(clock.now()).toISOString();
        const open = fourEyes?.proposalId === undefined ? undefined : openProposal(before, name);
        const proposal = open?.id === fourEyes?.proposalId ? open : undefined;
        const request = {
          change: asked,
          actor,
          reason,
          at,
          ...(ifVersion === undefined ? {} : { ifVersion }),
          ...(fourEyes === undefined
            ? {}
            : { fourEyes: { overThousandths: fourEyes.overThousandths, proposal } }),
        };
        const verdict = transition(current, request);
        if (!verdict.accepted) {
          return { document: before, answer: { accepted: false, code: verdict.code, state: current } };
        }
        const { changed, next } = verdict;
        const answer = { accepted: true, changed, state: next } as const;
        if (!changed) return { document: before, answer };
        const entry: HistoryEntry = {
          version: next.version,
          at,
          by: next.updatedBy,
          action: asked.action,
          from: { percentThousandths: current.percentThousandths, state: current.state },
          to: { percentThousandths: next.percentThousandths, state: next.state },
          reason,
          ...origin,
        };
        const after = withState(before, name, next, entry);
        const isApproved = typeof approvalOf(current, request) !== "string";
        return { document: isApproved ? withProposal(after, name, undefined) : after, answer };
      });
    },

    subscribe(onHint: () => void): () => void {
      // Its own function, so that one listener subscribed twice is two subscriptions.
      const listener = () => {
        if (listeners.has(listener)) onHint();
      };
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    async acknowledge(record: InstanceRecord): Promise<void> {
      assertOpen();
      records.set(record.id, { record, writtenMs: clock.monotonic() });
    },

    async leave(id: string): Promise<void> {
      assertOpen();
      records.delete(id);
    },

    async instances(): Promise<readonly InstanceRecord[]> {
      assertOpen();
      return known()
        .filter(({ agoMs }) => agoMs < leaseMs)
        .map(({ record }) => record);
    },

    async roster(): Promise<Roster> {
      assertOpen();
      const nowMs = clock.now();
      const members = known().map(({ record: { traffic: _, seenAt: __, ...record }, agoMs }) => ({
        ...record,
        seenAtMs: nowMs - agoMs,
      }));
      return { nowMs, members };
    },

    async history(name: string, limit: number, sinceMs?: number): Promise<readonly HistoryEntry[]> {
      assertOpen();
      const { history = [], annotations = [] } = document.cutovers.get(name) ?? {};
      const recent = sinceMs === undefined ? history : history.filter(({ at }) => Date.parse(at) >= sinceMs);
      return withAnnotations(recent.slice(0, limit), annotations);
    },

    annotate({ name, version, ...said }: Annotating): Promise<Annotation | undefined> {
      return change<Annotation | undefined>((before) => {
        const record = before.cutovers.get(name);
        if (record === undefined || !record.history.some((entry) => entry.version === version)) {
          return { document: before, answer: undefined };
        }
        const annotation = { ...said, at: new Date(clock.now()).toISOString() };
        const annotations = [...(record.annotations ?? []), { ...annotation, version }].slice(-historyLimit);
        const cutovers = new Map(before.cutovers).set(name, { ...record, annotations });
        return { document: { ...before, cutovers }, answer: annotation };
      });
    },

    shared(name: string, offer: string): Promise<string> {
      return change((before) => {
        const kept = before.shared.get(name);
        if (kept !== undefined) return { document: before, answer: kept };
        return { document: { ...before, shared: new Map(before.shared).set(name, offer) }, answer: offer };
      });
    },

    async proposal(name: string): Promise<Proposal | undefined> {
      assertOpen();
      return openProposal(document, name);
    },

    propose(name: string, proposal: Proposal, forMs: number): Promise<void> {
      return change((before) => {
        const known = new Set([...before.proposals.values()].map(({ id }) => id));
        for (const id of endsAtMs.keys()) if (!known.has(id)) endsAtMs.delete(id);
        endsAtMs.set(proposal.id, clock.monotonic() + forMs);
        return { document: withProposal(before, name, proposal), answer: undefined };
      });
    },

    withdraw(name: string, id: string): Promise<boolean> {
      return change<boolean>((before) => {
        if (openProposal(before, name)?.id !== id) return { document: before, answer: false };
        return { document: withProposal(before, name, undefined), answer: true };
      });
    },

    async close(): Promise<void> {
      if (closed) return;
      closed = true;
      listeners.clear();
      await queue;
      await options.onClose?.();
    },
  };
}

/** The store for tests and trials: holds everything in this process and forgets it at the end. */
export function createMemoryStore(options: { readonly clock: Clock }): Store {
  return createInProcessStore({ kind: "memory", clock: options.clock, document: emptyDocument });
}

/** By UTF-16 code unit, as Redis sorts plain ids: the same order wherever it is read. */
export function byId(one: { readonly id: string }, other: { readonly id: string }): number {
  return one.id < other.id ? -1 : one.id > other.id ? 1 : 0;
}

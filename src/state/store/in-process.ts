/**
 * The store of one process: an immutable document of all cutovers, changed one change at a time. The memory store
 * is this alone; the file store hands in `persist`, and a change is in force only once that has resolved: when it
 * rejects, the document is what it was and the caller is told that the store is unavailable.
 *
 * Instances, and who holds which lease, are of the process and never written down.
 */
import type { Clock } from "../../base/clock.ts";
import type { Proposal } from "../rules/approval.ts";
import { byId, type InstanceRecord, leaseMs, rememberMs } from "../rules/completion.ts";
import { withAnnotations } from "../rules/history.ts";
import { isFenced, type Lease } from "../rules/leases/lease.ts";
import { assertNote } from "../rules/leases/note.ts";
import {
  annotated,
  applied,
  emptyDocument,
  restored,
  type StateDocument,
  type Step,
  shared,
  stateOf,
  withProposal,
} from "./document.ts";
import { createDocumentInForce, type DocumentInForce } from "./document-in-force.ts";
import { createLeases, type KeptBeside } from "./leases.ts";
import type { StartsOf, Store } from "./port.ts";

interface InProcessOptions {
  readonly kind: "memory" | "file";
  readonly clock: Clock;
  readonly starts?: StartsOf | undefined;
  readonly document: StateDocument;
  /** Makes the document durable before it comes into force. */
  readonly persist?: (document: StateDocument) => Promise<void>;
  readonly kept?: KeptBeside;
  readonly onClose?: () => Promise<void>;
}

/** The store for tests and trials: holds everything in this process and forgets it at the end. */
export function createMemoryStore(options: Pick<InProcessOptions, "clock" | "starts">): Store {
  return createInProcessStore({ kind: "memory", ...options, document: emptyDocument });
}

export function createInProcessStore(options: InProcessOptions): Store {
  const { clock, starts } = options;
  const documents = createDocumentInForce(options);
  const proposals = createProposals(documents, clock);
  const leases = createLeases(documents, clock, options.kept);
  const now = () => new Date(clock.now()).toISOString();

  return {
    kind: options.kind,
    ...createInstances(documents, clock),
    ...createNotes({ documents, lease: leases.known, monotonic: () => clock.monotonic() }),

    async load(names, lastGood) {
      const given = (before: StateDocument) => restored(before, names, lastGood);
      const isGiven = given(documents.current()).answer.length > 0;
      const restoredNames = isGiven ? await documents.change(given) : [];
      const document = documents.current();
      const states = new Map(names.map((name) => [name, stateOf(document, name)]));
      return { states, rejections: [], restored: restoredNames };
    },

    apply: (command) =>
      documents.change((before) => {
        return applied(before, command, {
          at: now(),
          atMs: clock.monotonic(),
          openProposal: proposals.open(before, command.name),
          lease: (name) => leases.known(before, name),
          starts: starts?.(command.name),
        });
      }),

    subscribe: documents.subscribe,

    async history(name, limit, sinceMs) {
      const { history = [], annotations = [] } = documents.current().cutovers.get(name) ?? {};
      const recent = sinceMs === undefined ? history : history.filter(({ at }) => Date.parse(at) >= sinceMs);
      return withAnnotations(recent.slice(0, limit), annotations);
    },
    annotate: (annotating) => documents.change((before) => annotated(before, annotating, now())),
    shared: (name, offer) => documents.change((before) => shared(before, name, offer)),

    proposal: proposals.proposal,
    propose: proposals.propose,
    withdraw: proposals.withdraw,
    lease: leases.lease,
    release: leases.release,
    keep: leases.keep,
    kept: leases.kept,
    async close() {
      await leases.settled();
      await documents.close();
    },
  };
}

type InstancesPart = Pick<Store, "acknowledge" | "leave" | "instances" | "roster">;

function createInstances(documents: DocumentInForce, clock: Clock): InstancesPart {
  const records = new Map<string, { readonly record: InstanceRecord; readonly writtenMs: number }>();

  /** By id, those that fell silent too long ago dropped. */
  function known(): { readonly record: InstanceRecord; readonly agoMs: number }[] {
    for (const [id, { record, writtenMs }] of records) {
      if (clock.monotonic() - writtenMs >= rememberMs(record)) records.delete(id);
    }
    return [...records.values()]
      .map(({ record, writtenMs }) => ({ record, agoMs: clock.monotonic() - writtenMs }))
      .sort((one, other) => byId(one.record, other.record));
  }

  return {
    async acknowledge(record) {
      documents.current();
      records.set(record.id, { record, writtenMs: clock.monotonic() });
    },
    async leave(id) {
      documents.current();
      records.delete(id);
    },
    async instances() {
      documents.current();
      return known()
        .filter(({ agoMs }) => agoMs < leaseMs)
        .map(({ record }) => record);
    },
    async roster() {
      documents.current();
      const nowMs = clock.now();
      const members = known().map(({ record: { traffic: _, guard: __, seenAt: ___, ...record }, agoMs }) => ({
        ...record,
        seenAtMs: nowMs - agoMs,
      }));
      return { nowMs, members };
    },
  };
}

interface Proposals extends Pick<Store, "proposal" | "propose" | "withdraw"> {
  open(at: StateDocument, name: string): Proposal | undefined;
}

function createProposals(documents: DocumentInForce, clock: Clock): Proposals {
  /** When each ends, by its id; a clock that is set meanwhile does not move it. */
  const endsAtMs = new Map<string, number>();
  for (const { id, expiresAt } of documents.current().proposals.values()) {
    endsAtMs.set(id, clock.monotonic() + Date.parse(expiresAt) - clock.now());
  }

  function open({ proposals }: StateDocument, name: string): Proposal | undefined {
    const found = proposals.get(name);
    return found !== undefined && clock.monotonic() < (endsAtMs.get(found.id) ?? 0) ? found : undefined;
  }

  return {
    open,
    async proposal(name) {
      return open(documents.current(), name);
    },
    propose: (name, proposal, forMs) =>
      documents.change((before) => {
        const known = new Set([...before.proposals.values()].map(({ id }) => id));
        for (const id of endsAtMs.keys()) if (!known.has(id)) endsAtMs.delete(id);
        endsAtMs.set(proposal.id, clock.monotonic() + forMs);
        return { document: withProposal(before, name, proposal), answer: undefined };
      }),
    withdraw: (name, id) =>
      documents.change((before) => {
        const isOpen = open(before, name)?.id === id;
        return { document: isOpen ? withProposal(before, name, undefined) : before, answer: isOpen };
      }),
  };
}

/** They are part of the document, and as durable. */
interface AroundNotes {
  readonly documents: Pick<DocumentInForce, "current" | "change">;
  lease(at: StateDocument, name: string): Lease | undefined;
  /** The clock by which leases end. */
  monotonic(): number;
}

function createNotes(around: AroundNotes): Pick<Store, "note" | "writeNote"> {
  return {
    async note(name, what) {
      return around.documents.current().notes.get(`${name}/${what}`) ?? noNote;
    },
    async writeNote(name, what, writing) {
      assertNote(name, writing);
      const { text, ifRevision, fence } = writing;
      return await around.documents.change((before): Step<"written" | "moved" | "fenced"> => {
        const found = before.notes.get(`${name}/${what}`) ?? noNote;
        if (
          fence !== undefined &&
          isFenced(around.lease(before, fence.lease), fence.token, around.monotonic())
        ) {
          return { document: before, answer: "fenced" };
        }
        if (found.revision !== ifRevision) return { document: before, answer: "moved" };
        const notes = new Map(before.notes).set(`${name}/${what}`, { revision: ifRevision + 1, text });
        return { document: { ...before, notes }, answer: "written" };
      });
    },
  };
}

const noNote = { revision: 0, text: "" } as const;

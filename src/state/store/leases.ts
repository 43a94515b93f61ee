/** The leases of a store of one process: none of them outlives it, but for their last tokens and what is kept beside them. */
import type { Clock } from "../../base/clock.ts";
import { StoreUnavailable } from "../../base/errors.ts";
import {
  assertKept,
  assertLease,
  assertLeaseName,
  isFenced,
  type Lease,
  leased,
  released,
} from "../rules/leases/lease.ts";
import type { StateDocument } from "./document.ts";
import type { DocumentInForce } from "./document-in-force.ts";
import { longestKept, type Store } from "./port.ts";

/** What was kept beside leases, by their names, and what makes it durable. */
export interface KeptBeside {
  readonly found: ReadonlyMap<string, string>;
  readonly persist: (kept: ReadonlyMap<string, string>) => Promise<void>;
}

interface Leases extends Pick<Store, "lease" | "release" | "keep" | "kept"> {
  known(at: StateDocument, name: string): Lease | undefined;
  /** What is being kept is written down, or is not. Never rejects. */
  settled(): Promise<unknown>;
}

export function createLeases(
  documents: DocumentInForce,
  clock: Clock,
  durable: KeptBeside | undefined,
): Leases {
  const leases = new Map<string, Lease>();
  const kept = new Map(durable?.found);
  let keeping: Promise<unknown> = Promise.resolve();

  function known(at: StateDocument, name: string): Lease | undefined {
    const token = at.leases.get(name);
    const before = token === undefined ? undefined : { token, holder: "", ttlMs: 0, endsAtMs: 0 };
    return leases.get(name) ?? before;
  }

  return {
    known,
    async lease(name, holder, ttlMs) {
      assertLease(name, holder, ttlMs);
      return await documents.change((before) => {
        const moment = { atMs: clock.monotonic(), epochMs: clock.now() };
        const { answer, lease } = leased(known(before, name), { holder, ttlMs }, moment);
        const isNew = before.leases.get(name) !== lease.token;
        return {
          document: isNew ? { ...before, leases: new Map(before.leases).set(name, lease.token) } : before,
          answer,
          inForce: () => leases.set(name, lease),
        };
      });
    },
    async release(name, token) {
      assertLeaseName(name);
      return await documents.change((before) => {
        const lease = released(known(before, name), token, clock.monotonic());
        if (lease !== undefined) leases.set(name, lease);
        return { document: before, answer: lease !== undefined };
      });
    },
    async keep(fence, text) {
      assertKept(fence, text, longestKept);
      const { lease, token } = fence;
      if (isFenced(known(documents.current(), lease), token, clock.monotonic())) return false;
      kept.set(lease, text);
      const written = keeping.then(() => durable?.persist(kept));
      keeping = written.catch(() => undefined);
      try {
        await written;
      } catch (cause) {
        throw new StoreUnavailable("what is to be kept could not be written down", { cause });
      }
      return true;
    },
    settled: () => keeping,
    async kept(lease) {
      assertLeaseName(lease);
      documents.current();
      return kept.get(lease);
    },
  };
}

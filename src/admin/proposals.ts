/**
 * Raises and closes that wait for another person. They are kept in the store, one a cutover, so every instance shows and approves
 * them; what a page shows is as of the last reading. A proposal on another version than the one in force is worth
 * nothing and is not shown.
 *
 * What becomes of them goes into the audit file: into that of the instance that is asked when one is proposed, approved
 * or withdrawn; into that of the instance it was proposed to when its time ran out, which looks at it shortly before.
 */
import { randomBytes } from "node:crypto";
import { systemTimers, within } from "../base/clock.ts";
import { StoreUnavailable } from "../base/errors.ts";
import type { Proposal } from "../state/rules/approval.ts";
import type { Origin } from "../state/rules/history.ts";
import type { Actor } from "../state/rules/model.ts";
import { percentFromNumber, percentToNumber } from "../state/rules/percent.ts";
import type { Command } from "../state/store/port.ts";
import type { ProposalView } from "./api/write.ts";
import type { AdminContext } from "./context.ts";

/** A page or a status call does not wait longer than this for the store. */
const patienceMs = 1000;
/** How long before a proposal's end it is seen whether it still waits. */
const lookBeforeMs = 250;

export type AskedProposal = Pick<
  ProposalView,
  "action" | "plan" | "cohort" | "percent" | "version" | "reason"
> &
  Partial<Pick<ProposalView, "force" | "override" | "dueAt">>;

export interface Proposals {
  /** Goes by these limits from now on. */
  reconfigure(cutovers: AdminContext["cutovers"]): void;
  /** How far one person may raise alone; undefined: all the way, and close. */
  limitOf(name: string): Command["fourEyes"];
  /** How long a proposal waits, in ms; undefined where nothing needs a second person. */
  ttlOf(name: string): number | undefined;
  /** Reads what waits. Never rejects for want of the store. */
  read(): Promise<void>;
  /** What waits as of the last reading. @param version of the state in force */
  known(name: string, version: number): ProposalView | undefined;
  /** What waits now. @throws StoreUnavailable */
  waiting(name: string, version: number): Promise<ProposalView | undefined>;
  /** @throws StoreUnavailable */
  propose(
    name: string,
    asked: AskedProposal,
    by: { readonly actor: Actor; readonly origin: Origin },
  ): Promise<ProposalView>;
  /** Looks at nothing any more. */
  close(): void;
}

export function createProposals(context: AdminContext): Proposals {
  const { store, follower, clock, audit } = context;
  const ends = watchEnds(context);
  let limits = limitsOf(context.cutovers);
  let known: ReadonlyMap<string, Proposal> = new Map();

  const valid = (name: string, proposal: Proposal | undefined, version: number) => {
    const isWaiting = proposal?.version === version && clock.now() < Date.parse(proposal.expiresAt);
    return isWaiting ? viewOf(name, proposal) : undefined;
  };

  async function readAll(): Promise<ReadonlyMap<string, Proposal>> {
    if (limits.size === 0 || !follower.contact().up) return new Map();
    const names = [...limits.keys()];
    const reading = Promise.all(names.map(async (name) => [name, await store.proposal(name)] as const));
    try {
      const found = await within(patienceMs, systemTimers, reading);
      return new Map(found.flatMap(([name, proposal]) => (proposal === undefined ? [] : [[name, proposal]])));
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      return new Map();
    }
  }

  return {
    reconfigure(next) {
      limits = limitsOf(next);
    },

    limitOf(name) {
      const limit = limits.get(name);
      if (limit === undefined) return undefined;
      const { overThousandths, windowMs } = limit;
      return windowMs === undefined ? { overThousandths } : { overThousandths, windowMs };
    },

    ttlOf: (name) => limits.get(name)?.ttl,

    async read() {
      known = await readAll();
    },

    known: (name, version) => valid(name, known.get(name), version),
    waiting: async (name, version) => valid(name, await store.proposal(name), version),

    async propose(
      name,
      { action, plan, cohort, force, override, dueAt, percent, version, reason },
      { actor, origin },
    ) {
      const ttl = limits.get(name)?.ttl ?? 0;
      const now = clock.now();
      const proposal: Proposal = {
        id: randomBytes(4).toString("hex"),
        ...(action === "set" ? {} : { action }),
        ...(plan === undefined ? {} : { plan }),
        // Programs that know of no cohorts must not take it for the cutover's own.
        ...(cohort === undefined ? {} : { ...(action === "set" ? { action: "set_cohort" } : {}), cohort }),
        ...(force ? { force } : {}),
        ...(override ? { override } : {}),
        ...(dueAt === undefined ? {} : { dueAt }),
        percentThousandths: percentFromNumber(percent) ?? 0,
        version,
        by: actor.name,
        reason,
        at: new Date(now).toISOString(),
        expiresAt: new Date(now + ttl).toISOString(),
      };
      const before = valid(name, await store.proposal(name), version);
      await store.propose(name, proposal, ttl);
      audit.proposal({ event: "proposed", name, proposal, actor, origin, replaces: before?.id });
      ends.watch(name, proposal, ttl);
      context.onProposed?.(name, proposal);
      return viewOf(name, proposal);
    },

    close: ends.forget,
  };
}

/** Sees whether a proposal of this instance still waits when its time runs out, and then tells the audit file so. */
function watchEnds({ store, follower, clock, audit, timers }: AdminContext) {
  /** What takes back the looks still to come. */
  const looks = new Set<() => void>();

  function later(ms: number, look: () => void): void {
    const cancel = timers.after(Math.max(0, ms), () => {
      looks.delete(cancel);
      look();
    });
    looks.add(cancel);
  }

  function tell(name: string, proposal: Proposal): void {
    const version = follower.current().states.get(name)?.version ?? 0;
    if (version !== proposal.version) return;
    audit.proposal({ event: "expired", name, proposal, actor: null, origin: null });
  }

  return {
    watch(name: string, proposal: Proposal, ttlMs: number) {
      later(ttlMs - lookBeforeMs, () => {
        void store.proposal(name).then(
          (found) => {
            if (found?.id !== proposal.id) return;
            later(Date.parse(proposal.expiresAt) - clock.now(), () => tell(name, proposal));
          },
          // Out of reach, nobody can approve it; that it ended is then in no file.
          () => undefined,
        );
      });
    },

    forget() {
      for (const cancel of looks) cancel();
      looks.clear();
    },
  };
}

function limitsOf(cutovers: AdminContext["cutovers"]) {
  const limited = Object.entries(cutovers).flatMap(([name, { approval }]) => {
    if (approval === undefined) return [];
    const overThousandths = percentFromNumber(approval.over) ?? 0;
    return [[name, { overThousandths, ttl: approval.ttl, windowMs: approval.window }] as const];
  });
  return new Map(limited);
}

function viewOf(name: string, { percentThousandths, ...rest }: Proposal): ProposalView {
  const {
    id,
    action = "set",
    plan,
    cohort,
    force = false,
    override = false,
    dueAt,
    version,
    by,
    reason,
    at,
    expiresAt,
  } = rest;
  const percent = percentToNumber(percentThousandths);
  const what = {
    action: action === "set_cohort" ? "set" : action,
    ...(cohort === undefined ? {} : { cohort }),
    ...(plan === undefined ? {} : { plan }),
  };
  return {
    id,
    name,
    ...what,
    force,
    ...(override ? { override } : {}),
    ...(dueAt === undefined ? {} : { dueAt }),
    percent,
    version,
    by,
    reason,
    at,
    expiresAt,
  };
}

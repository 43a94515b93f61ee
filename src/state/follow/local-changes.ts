/**
 * The changes made on this instance alone (ceiling.ts) that the store has not accepted yet: kept in memory and in the
 * snapshot file, offered to the store as soon as it answers, given up only when it has accepted them or has closed the
 * cutover.
 */
import { randomUUID } from "node:crypto";
import { type Clock, type Timers, within } from "../../base/clock.ts";
import { coalesce } from "../../base/coalesce.ts";
import { errorText, type Log } from "../../base/log.ts";
import {
  covers,
  type Judged,
  judgeLocally,
  type LocalChange,
  type LocalRequest,
  reconciledReason,
} from "../rules/ceiling.ts";
import { type Applied, initialState } from "../rules/model.ts";
import { withStarts } from "../rules/percent.ts";
import type { StartsOf, Store } from "../store/port.ts";
import type { Basis } from "./snapshot.ts";
import type { SnapshotFile } from "./snapshot-file.ts";

/** How long the answer to a local change waits for the disk; the change is in force before. */
const keepBoundMs = 50;

/** Rolling back and holding on this instance while the store is out of reach. */
export interface LocalWrites {
  /**
   * Judges the change by the rule book over what is in force here; in force here when this returns. Whether the store
   * can be reached is not asked: that is the caller's to know.
   */
  makeLocally(asked: Omit<LocalRequest, "at">): Applied;
  /** Resolves when what was made is in the snapshot file, after 50 ms at the latest. Never rejects. */
  keptLocally(): Promise<void>;
  /** The changes of the cutover that the store has not accepted yet, oldest first. */
  pendingLocally(name: string): readonly LocalChange[];
}

export interface LocalChanges extends LocalWrites {
  /** The pending changes with those that the snapshot file held: to be taken back into force. */
  recalled(kept: readonly LocalChange[]): readonly LocalChange[];
  /** Offers all to the store; free when there are none. Never rejects. */
  offer(): Promise<void>;
}

interface LocalChangesOptions {
  readonly store: Pick<Store, "apply">;
  readonly instance: string;
  /** What a person finds it by. */
  readonly called: () => string | undefined;
  readonly starts: StartsOf;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly snapshotFile: Pick<SnapshotFile, "keepLocal" | "dropLocal" | "settled"> | undefined;
  readonly basis: () => Basis;
  /** Brings into force what has become of the changes, and of the state that the store has accepted. */
  readonly take: (next: Partial<Basis>) => void;
}

export function createLocalChanges(options: LocalChangesOptions): LocalChanges {
  const { timers, log, snapshotFile, basis, take } = options;
  let failing = false;

  const offer = coalesce(async () => {
    for (const change of basis().local) {
      try {
        await reconcile(options, change);
        failing = false;
      } catch (error) {
        const text = "a local change could not be reconciled yet: it stays in force";
        if (!failing) log.warn({ error: errorText(error) }, text);
        failing = true;
        return;
      }
    }
  });

  return {
    pendingLocally: (name) => basis().local.filter((change) => change.name === name),
    keptLocally: () =>
      within(keepBoundMs, timers, snapshotFile?.settled() ?? Promise.resolve()).catch(() => {}),
    makeLocally(asked) {
      const { applied, made } = judged(options, asked);
      if (made !== undefined) take({ local: [...basis().local, made] });
      return applied;
    },
    recalled(kept) {
      const { local } = basis();
      const ids = new Set(local.map(({ id }) => id));
      for (const { name, action, by, at } of kept) {
        log.warn({ cutover: name, action, by, at }, "a local change of before is in force again");
      }
      return [...kept.filter(({ id }) => !ids.has(id)), ...local];
    },
    offer: async () => {
      if (basis().local.length > 0) await offer();
    },
  };
}

/** Judges the change over what is in force here, and has it kept and logged when it is made. */
function judged(
  { instance, called, starts, clock, log, snapshotFile, basis }: LocalChangesOptions,
  asked: Omit<LocalRequest, "at">,
): Judged {
  const { name, action, actor } = asked;
  const { lastGood, local } = basis();
  const known = withStarts(lastGood.get(name) ?? initialState(), starts(name));
  const pending = local.filter((change) => change.name === name);
  const request = { ...asked, at: new Date(clock.now()).toISOString() };
  const person = called();
  const where = person === undefined ? instance : `${person} (${instance})`;
  const found = judgeLocally(known, pending, request, { id: randomUUID(), instance: where });
  if (found.made !== undefined) {
    snapshotFile?.keepLocal(found.made);
    const kept = snapshotFile === undefined ? "in memory only: there is no snapshot file" : "snapshot file";
    log.warn(
      { cutover: name, action, by: actor.name, version: known.version, kept },
      "changed on this instance alone, until the store accepts it",
    );
  }
  return found;
}

/** Offers one to the store; gives it up in the same turn in which the state that the store accepted is followed. */
async function reconcile(
  { store, log, snapshotFile, basis, take }: LocalChangesOptions,
  change: LocalChange,
): Promise<void> {
  const { id, name, ceiling, by, requestId } = change;
  const asked = basis().lastGood.get(name);
  const applied = await store.apply({
    id,
    name,
    change: { action: "reconciled", ceiling },
    actor: { name: by, role: "responder" },
    reason: reconciledReason(change),
    origin: { via: "reconciled", requestId },
    ...(asked === undefined ? {} : { lastGood: asked }),
  });
  const { state } = applied;
  const said = { cutover: name, action: change.action, by, at: change.at, version: state.version };
  if (applied.accepted && !covers(state, change)) {
    log.error(said, "the store accepted a local change and stands above it: the change stays in force here");
    return;
  }
  if (!applied.accepted && applied.code !== "closed") throw new Error(`refused: ${applied.code}`);
  snapshotFile?.dropLocal(id);
  if (applied.accepted) log.warn({ ...said, changed: applied.changed }, "a local change was reconciled");
  else log.error(said, "a local change was dropped: legacy has been closed for good meanwhile");
  const { names, lastGood, local } = basis();
  const kept = lastGood.get(name);
  const isLater = names.includes(name) && (kept === undefined || state.version >= kept.version);
  take({
    local: local.filter((each) => each !== change),
    ...(isLater ? { lastGood: new Map(lastGood).set(name, state) } : {}),
  });
}

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
  inForce,
  judgeLocally,
  type LocalChange,
  type LocalRequest,
  reconciledReason,
} from "../rules/ceiling.ts";
import { type Applied, type CutoverState, initialState } from "../rules/model.ts";
import type { LastGood } from "../rules/succession.ts";
import type { Store } from "../store/port.ts";
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

interface LocalChanges {
  make(asked: Omit<LocalRequest, "at">, lastGood: LastGood): Applied;
  pending(name: string): readonly LocalChange[];
  kept(): Promise<void>;
  /** The names of the cutovers with such changes. */
  names(): ReadonlySet<string>;
  /** Takes back into force what the snapshot file held. */
  recall(changes: readonly LocalChange[]): void;
  /** The states of the store, each lowered to the changes made here. */
  over(lastGood: LastGood): LastGood;
  /** Offers all to the store; free when there are none. Never rejects. */
  offer(): Promise<void>;
}

interface LocalChangesOptions {
  readonly store: Pick<Store, "apply">;
  readonly instance: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly snapshotFile: Pick<SnapshotFile, "keepLocal" | "dropLocal" | "settled"> | undefined;
  readonly lastGood: () => LastGood;
  /** The store has accepted one: its state must be followed in the same turn, since the change itself is given up. */
  readonly onAccepted: (name: string, state: CutoverState) => void;
}

export function createLocalChanges(options: LocalChangesOptions): LocalChanges {
  const { store, instance, clock, timers, log, snapshotFile } = options;
  let changes: readonly LocalChange[] = [];
  let failing = false;

  const pending = (name: string) => changes.filter((change) => change.name === name);

  const offer = coalesce(async () => {
    for (const change of changes) {
      try {
        await reconcile(change);
        failing = false;
      } catch (error) {
        if (!failing) {
          log.warn(
            { error: errorText(error) },
            "a local change could not be reconciled yet: it stays in force",
          );
        }
        failing = true;
        return;
      }
    }
  });

  async function reconcile(change: LocalChange): Promise<void> {
    const { id, name, ceiling, by, requestId } = change;
    const lastGood = options.lastGood().get(name);
    const applied = await store.apply({
      id,
      name,
      change: { action: "reconciled", ceiling },
      actor: { name: by, role: "responder" },
      reason: reconciledReason(change),
      origin: { via: "reconciled", requestId },
      ...(lastGood === undefined ? {} : { lastGood }),
    });
    const { state } = applied;
    const said = { cutover: name, action: change.action, by, at: change.at, version: state.version };
    if (applied.accepted && !covers(state, change)) {
      log.error(
        said,
        "the store accepted a local change and stands above it: the change stays in force here",
      );
      return;
    }
    if (!applied.accepted && applied.code !== "closed") throw new Error(`refused: ${applied.code}`);
    changes = changes.filter((each) => each !== change);
    snapshotFile?.dropLocal(id);
    if (applied.accepted) log.warn({ ...said, changed: applied.changed }, "a local change was reconciled");
    else log.error(said, "a local change was dropped: legacy has been closed for good meanwhile");
    options.onAccepted(name, state);
  }

  return {
    pending,
    kept: () => within(keepBoundMs, timers, snapshotFile?.settled() ?? Promise.resolve()).catch(() => {}),
    names: () => new Set(changes.map(({ name }) => name)),

    make(asked, lastGood) {
      const { name, action, actor } = asked;
      const known = lastGood.get(name) ?? initialState();
      const request = { ...asked, at: new Date(clock.now()).toISOString() };
      const origin = { id: randomUUID(), instance };
      const { applied, made } = judgeLocally(known, pending(name), request, origin);
      if (made !== undefined) {
        changes = [...changes, made];
        snapshotFile?.keepLocal(made);
        const kept =
          snapshotFile === undefined ? "in memory only: there is no snapshot file" : "snapshot file";
        log.warn(
          { cutover: name, action, by: actor.name, version: known.version, kept },
          "changed on this instance alone, until the store accepts it",
        );
      }
      return applied;
    },

    recall(kept) {
      const ids = new Set(changes.map(({ id }) => id));
      changes = [...kept.filter(({ id }) => !ids.has(id)), ...changes];
      for (const { name, action, by, at } of kept) {
        log.warn({ cutover: name, action, by, at }, "a local change of before is in force again");
      }
    },

    over(lastGood) {
      if (changes.length === 0) return lastGood;
      const lowered = new Map(lastGood);
      for (const name of new Set(changes.map((change) => change.name))) {
        lowered.set(name, inForce(lastGood.get(name) ?? initialState(), pending(name)));
      }
      return lowered;
    },

    offer: async () => {
      if (changes.length > 0) await offer();
    },
  };
}

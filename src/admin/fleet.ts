/**
 * Who runs and by which versions. This instance's own record is always told first-hand; the others' come from the
 * store. While the store is out of reach only this instance is known, and only it is told: live 1.
 */
import { systemTimers, within } from "../state/clock.ts";
import { type InstanceRecord, StoreUnavailable } from "../state/store.ts";
import type { AdminOptions } from "./context.ts";

/** A page or a status call does not wait longer than this for the store. */
const patienceMs = 1000;

export interface Fleet {
  /** The records of all known instances by id. Never rejects for want of the store. */
  read(): Promise<readonly InstanceRecord[]>;
  /** The records of the other instances when the store was last asked. */
  lastOthers(): readonly InstanceRecord[];
  /** This instance's record as of now. */
  own(): InstanceRecord;
}

type Needs = Pick<AdminOptions, "store" | "follower" | "instance" | "versions" | "traffic" | "clock">;

export function createFleet(needs: Needs): Fleet {
  const { store, follower, instance, traffic, clock } = needs;
  let known: readonly InstanceRecord[] = [];
  let reading: Promise<readonly InstanceRecord[]> | undefined;

  function own(): InstanceRecord {
    const followed = [...follower.current().states].map(([name, state]) => [name, state.version] as const);
    return {
      id: instance.id,
      startedAt: instance.startedAt,
      seenAt: new Date(clock.now()).toISOString(),
      versions: needs.versions?.() ?? Object.fromEntries(followed),
      traffic: traffic(),
    };
  }

  async function others(): Promise<readonly InstanceRecord[]> {
    if (!follower.contact().up) return [];
    try {
      const records = await within(patienceMs, systemTimers, store.instances());
      known = records.filter((record) => record.id !== instance.id);
      return known;
    } catch (error) {
      if (error instanceof StoreUnavailable) return [];
      throw error;
    }
  }

  async function readOnce(): Promise<readonly InstanceRecord[]> {
    return [...(await others()), own()].sort((one, other) => (one.id < other.id ? -1 : 1));
  }

  return {
    own,
    lastOthers: () => known,
    read() {
      // Calls that come while one is under way share its answer.
      reading ??= readOnce().finally(() => {
        reading = undefined;
      });
      return reading;
    },
  };
}

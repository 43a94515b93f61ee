/**
 * Who runs and by which versions, and what is under way. This instance's own record is always told first-hand; the
 * others' come from the store. While the store is out of reach only this instance is known, and only it is told: live 1.
 * What is under way is told as of the last reading, and not at all when that is not of these seconds.
 */
import { systemTimers, within } from "../base/clock.ts";
import { StoreUnavailable } from "../base/errors.ts";
import type { FiguresUnderWay } from "../ownership/under-way/figures.ts";
import type { UnderWayCount, UnderWayCounts } from "../ownership/under-way/port.ts";
import { byId, type InstanceRecord, type RosterMember } from "../state/rules/completion.ts";
import type { KnownOther } from "./api/applied-view.ts";
import type { CutoverView, SidesUnderWay } from "./api/cutover-view.ts";
import type { AdminContext } from "./context.ts";

/** A page or a status call does not wait longer than this for the store. */
const patienceMs = 1000;
/** Longer than between two events of a stream. */
const freshForMs = 2500;

export interface Fleet {
  /** The records of all known instances by id, and what is told beside them is as of then. Never rejects for want of the store. */
  read(): Promise<readonly InstanceRecord[]>;
  /** The same records, and nothing beside. */
  records(): Promise<readonly InstanceRecord[]>;
  /** The other instances, as they were when the store was last heard of. */
  lastOthers(): readonly KnownOther[];
  /** Who is known and not among the records of `read`: fallen silent; all others while the store is out of reach. */
  unheard(records: readonly InstanceRecord[]): readonly RosterMember[];
  /** The cutovers that somebody has written of where nobody reads it, as of the last reading. */
  strays(): readonly string[];
  /** What is under way of the cutover, as of the last reading. */
  underWay(name: string): Pick<CutoverView, "journeys" | "unfinished">;
  /** This instance's record as of now. */
  own(): InstanceRecord;
}

/** @param also what is read beside; never rejects for want of the store */
export function createFleet(context: AdminContext, also: () => Promise<void> = async () => {}): Fleet {
  const { store, follower, instance, clock, roll } = context;
  let strays: readonly string[] = [];
  let known: readonly InstanceRecord[] = [];
  let figures: FiguresUnderWay = new Map();
  let figuresAtMs = Number.NEGATIVE_INFINITY;

  function own(): InstanceRecord {
    return {
      ...instance,
      ...context.profile(),
      seenAt: new Date(clock.now()).toISOString(),
      versions: context.versions(),
      traffic: context.traffic(),
    };
  }

  // Calls that come while one is under way share its answer.
  const others = shared(readOthers);
  const read = shared(readOnce);

  async function readOthers(): Promise<readonly InstanceRecord[]> {
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

  /** Who has fallen silent, and what nobody reads: not told anew while the store does not. */
  async function readBeside(): Promise<void> {
    if (!follower.contact().up) return;
    const names = [...follower.current().states.keys()];
    const reading = Promise.all([store.roster(), store.strays?.(names) ?? []]);
    try {
      const [roster, found] = await within(patienceMs, systemTimers, reading);
      roll.saw(roster);
      strays = found;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }

  async function readFigures(): Promise<void> {
    figures = await context.underWay();
    figuresAtMs = clock.monotonic();
  }

  async function records(): Promise<readonly InstanceRecord[]> {
    return [...(await others()), own()].sort(byId);
  }

  async function readOnce(): Promise<readonly InstanceRecord[]> {
    const [found] = await Promise.all([records(), readBeside(), readFigures(), also()]);
    return found;
  }

  return {
    own,
    read,
    records,
    lastOthers() {
      const read = new Map<string, KnownOther>(known.map((record) => [record.id, record]));
      for (const { seenAtMs, ...member } of roll.members()) {
        if (member.id === instance.id) continue;
        read.set(member.id, { ...member, seenAt: new Date(seenAtMs).toISOString() });
      }
      return [...read.values()];
    },
    strays: () => strays,
    unheard(records) {
      const heard = new Set([instance.id, ...records.map(({ id }) => id)]);
      const isUp = follower.contact().up;
      return roll.members().filter(({ id, isLapsed }) => !heard.has(id) && (isLapsed || !isUp));
    },
    underWay(name) {
      const isFresh = clock.monotonic() - figuresAtMs <= freshForMs;
      const { journeys, orders } = (isFresh ? figures.get(name) : undefined) ?? {};
      return { journeys: sidesView(journeys), unfinished: sidesView(orders) };
    },
  };
}

function shared<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined;
  return () => {
    asked ??= ask().finally(() => {
      asked = undefined;
    });
    return asked;
  };
}

export function sidesView(counts: UnderWayCounts | undefined): SidesUnderWay {
  return counts === undefined ? null : { legacy: legacyView(counts.legacy), new: sideView(counts.new) };
}

function sideView({ count, atLeast, oldestStartedAt }: UnderWayCount): NonNullable<SidesUnderWay>["legacy"] {
  const oldest = oldestStartedAt === undefined ? null : isoOf(oldestStartedAt);
  return { open: count, atLeast, oldestStartedAt: oldest };
}

/** What is named of it, too: whoever closes legacy asks which ones are given up. */
function legacyView(count: UnderWayCount): NonNullable<SidesUnderWay>["legacy"] {
  const oldest = count.oldest?.map(({ id, startedAt }) => ({ id, startedAt: isoOf(startedAt) }));
  return { ...sideView(count), ...(oldest === undefined ? {} : { oldest }) };
}

function isoOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

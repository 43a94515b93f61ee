/** Past requests over records in the memory of one process, or in a file beside the embedded store (stores/records.ts). */
import type { Clock } from "../../base/clock.ts";
import { type Side, sides } from "../../state/rules/model.ts";
import type { Records } from "../stores/records.ts";
import {
  type DoubtNote,
  type InDoubt,
  type KeyNote,
  type KeyPast,
  mostInDoubt,
  type PastStore,
  settledMs,
} from "./port.ts";
import {
  doubtText,
  hasAnswered,
  isWithdrawn,
  merged,
  noted,
  readDoubt,
  readRecord,
  recordText,
} from "./record.ts";

/** They do not end by themselves. */
const foreverMs = 100 * 365 * 24 * 3_600_000;

/** @param most in doubt of each cutover and side */
export function createPastInProcess(
  records: Records,
  clock: Pick<Clock, "now">,
  most = mostInDoubt,
): PastStore {
  const shelves = createShelves(records);
  const drop = (id: string) =>
    // What is over at once is gone.
    records.change(id, (kept) => (kept === undefined ? undefined : { value: kept, ttlMs: 0 }));

  async function of(cutover: string, digest: string): Promise<KeyPast | undefined> {
    return readRecord(await records.get(pastId(cutover, digest)));
  }

  async function remove(cutover: string, found: readonly InDoubt[]): Promise<number> {
    for (const each of found) shelves.of(cutover, each.side).remove(each);
    await Promise.all(found.map(({ side, digest }) => drop(doubtId(cutover, side, digest))));
    return found.length;
  }

  async function take(note: KeyNote): Promise<number> {
    const { cutover, digest, ttlMs } = note;
    await records.change(pastId(cutover, digest), (kept) => {
      const before = readRecord(kept);
      if (before === undefined && ttlMs === 0) return undefined;
      return { value: recordText(noted(before, note)), ttlMs: before === undefined ? ttlMs : "kept" };
    });
    let ended = 0;
    for (const side of sides) {
      const atMs = note.answered[side];
      if (atMs === undefined) continue;
      const found = shelves.of(cutover, side).with(digest);
      ended += await remove(
        cutover,
        found.filter(({ lastSentAtMs }) => lastSentAtMs <= atMs),
      );
    }
    return ended;
  }

  /** @returns once it is durable, whether there was no room for it */
  async function doubt(note: DoubtNote, pasts: readonly (KeyPast | undefined)[]): Promise<boolean> {
    const { cutover, side, digest, outcome } = note;
    const shelf = shelves.of(cutover, side);
    const known = shelf.get(digest);
    if (outcome === null) {
      if (known !== undefined && isWithdrawn(known, note)) await remove(cutover, [known]);
      return false;
    }
    if (hasAnswered(note, pasts)) return false;
    if (known === undefined && shelf.size() >= most) return true;
    const next = merged(known, { ...note, outcome });
    shelf.put(next);
    const value = doubtText(next);
    await records.change(doubtId(cutover, side, digest), () => ({ value, ttlMs: foreverMs }));
    return false;
  }

  const isInDoubt = ({ sinceMs }: InDoubt) => sinceMs <= clock.now();
  return {
    async note({ keys, doubts }) {
      await Promise.all(keys.map(take));
      const pasts = await Promise.all(
        doubts.map(({ cutover, digest, others }) =>
          Promise.all([digest, ...others].map((one) => of(cutover, one))),
        ),
      );
      const lost = await Promise.all(doubts.map((each, i) => doubt(each, pasts[i] ?? [])));
      return lost.filter((isLost) => isLost).length;
    },
    of,
    inDoubt: async (cutover, count) =>
      sides.flatMap((side) => {
        const found = shelves.of(cutover, side).all().filter(isInDoubt);
        return found.sort((one, other) => one.sinceMs - other.sinceMs).slice(0, count);
      }),
    counts: async (cutovers) =>
      cutovers.map((cutover) => {
        const countOf = (side: Side) => {
          const since = shelves
            .of(cutover, side)
            .all()
            .filter(isInDoubt)
            .map(({ sinceMs }) => sinceMs);
          const oldest = since.reduce((least, one) => Math.min(least, one), Number.POSITIVE_INFINITY);
          return { count: since.length, oldestSinceMs: since.length === 0 ? undefined : oldest };
        };
        return { legacy: countOf("legacy"), new: countOf("new") };
      }),
    settle: (cutover, digest, atMs) =>
      take({ cutover, digest, ttlMs: settledMs, decisions: [], answered: { legacy: atMs, new: atMs } }),
  };
}

/** What is in doubt of one cutover and side. */
interface Shelf {
  get(digest: string): InDoubt | undefined;
  /** Those that have the key. */
  with(digest: string): InDoubt[];
  put(request: InDoubt): void;
  remove(request: InDoubt): void;
  all(): InDoubt[];
  size(): number;
}

/** Begins with what the records say. */
function createShelves(records: Pick<Records, "all">) {
  const shelves = new Map<string, Shelf>();
  const of = (cutover: string, side: Side): Shelf => {
    const name = `${cutover}:${side}`;
    const shelf = shelves.get(name) ?? createShelf();
    shelves.set(name, shelf);
    return shelf;
  };
  for (const { id, value } of records.all()) {
    const [, cutover, side, digest] = doubtForm.exec(id) ?? [];
    if (cutover === undefined || digest === undefined || (side !== "legacy" && side !== "new")) continue;
    const request = readDoubt({ side, digest }, value);
    if (request !== undefined) of(cutover, side).put(request);
  }
  return { of };
}

function createShelf(): Shelf {
  const requests = new Map<string, InDoubt>();
  /** By other key: the first keys of those that have it. */
  const leads = new Map<string, Set<string>>();
  return {
    get: (digest) => requests.get(digest),
    with: (digest) =>
      [...new Set([digest, ...(leads.get(digest) ?? [])])].flatMap((one) => requests.get(one) ?? []),
    put(request) {
      requests.set(request.digest, request);
      for (const other of request.others) {
        const led = leads.get(other) ?? new Set<string>();
        leads.set(other, led.add(request.digest));
      }
    },
    remove({ digest, others }) {
      requests.delete(digest);
      for (const other of others) {
        const led = leads.get(other);
        led?.delete(digest);
        if (led?.size === 0) leads.delete(other);
      }
    },
    all: () => [...requests.values()],
    size: () => requests.size,
  };
}

const doubtForm = /^doubt:([^:]+):(legacy|new):([0-9a-f]{32})$/;

/** A cutover's name has no colon in it. */
function doubtId(cutover: string, side: Side, digest: string): string {
  return `doubt:${cutover}:${side}:${digest}`;
}

function pastId(cutover: string, digest: string): string {
  return `past:${cutover}:${digest}`;
}

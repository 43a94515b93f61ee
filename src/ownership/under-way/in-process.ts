/** What is under way, as one process knows it: begun anew with each start of the process. */
import type { Clock } from "../../base/clock.ts";
import { type Side, sides } from "../../state/rules/model.ts";
import {
  beginsAgain,
  mostListed,
  rememberOverMs,
  type UnderWayCount,
  type UnderWayItem,
  type UnderWayNote,
  type UnderWayQuestion,
  type UnderWayStore,
  underWayCount,
} from "./port.ts";

interface Times {
  readonly startedAt: number;
  readonly expiresAt: number;
}

/** What is known of one kind and cutover. */
interface Shelf {
  /** How many of each have expired that nobody was told of yet; by the name of their set. */
  readonly expired: Map<string, number>;
  /** By side and epoch, then by id. */
  readonly sets: Map<string, Map<string, Times>>;
  /** When each id ended, ms since the epoch. */
  readonly over: Map<string, number>;
}

/** @param most kept of each kind, cutover and side; 100,000 without it */
export function createUnderWayInProcess(clock: Pick<Clock, "now">, most = 100_000): UnderWayStore {
  const shelves = new Map<string, Shelf>();

  function shelfOf({ kind, cutover }: Pick<UnderWayQuestion, "kind" | "cutover">): Shelf {
    const name = `${kind}:${cutover}`;
    const shelf = shelves.get(name) ?? { sets: new Map(), over: new Map(), expired: new Map() };
    shelves.set(name, shelf);
    return shelf;
  }

  function take(note: UnderWayNote): void {
    const { sets, over } = shelfOf(note);
    const { kind, id, atMs, epoch, underWay } = note;
    const overAtMs = over.get(id);
    if (underWay === undefined) {
      for (const side of sides) sets.get(setName(side, epoch))?.delete(id);
      // The latest end stands last, so that the oldest are found first.
      if (over.delete(id) || over.size < most) over.set(id, Math.max(atMs, overAtMs ?? 0));
      return;
    }
    const { side, startedAt, expiresAt } = underWay;
    if (expiresAt * 1000 <= clock.now()) return;
    if (overAtMs !== undefined && !beginsAgain(note, overAtMs)) return;
    const set = sets.get(setName(side, epoch)) ?? new Map<string, Times>();
    sets.set(setName(side, epoch), set);
    const before = set.get(id);
    if (before === undefined ? set.size >= most : kind === "orders" || startedAt < before.startedAt) return;
    set.set(id, { startedAt, expiresAt });
  }

  function purge({ sets, over, expired }: Shelf): void {
    const now = clock.now();
    for (const [name, set] of sets) {
      const before = set.size;
      for (const [id, { expiresAt }] of set) if (expiresAt * 1000 <= now) set.delete(id);
      if (set.size < before) expired.set(name, (expired.get(name) ?? 0) + before - set.size);
      if (set.size === 0) sets.delete(name);
    }
    for (const [id, atMs] of over) {
      if (atMs > now - rememberOverMs) break;
      over.delete(id);
    }
  }

  function countOf(set: ReadonlyMap<string, Times> | undefined): UnderWayCount {
    const oldest: UnderWayItem[] = [];
    for (const [id, { startedAt }] of set ?? []) {
      if (oldest.length === mostListed && startedAt >= (oldest.at(-1)?.startedAt ?? 0)) continue;
      const at = oldest.findIndex((other) => startedAt < other.startedAt);
      oldest.splice(at === -1 ? oldest.length : at, 0, { id, startedAt });
      oldest.length = Math.min(oldest.length, mostListed);
    }
    const count = set?.size ?? 0;
    return underWayCount(count, count >= most, oldest);
  }

  return {
    async note(notes) {
      for (const note of notes) take(note);
      for (const shelf of shelves.values()) purge(shelf);
      return 0;
    },
    async count(questions, onExpired) {
      return questions.map((question) => {
        const shelf = shelfOf(question);
        purge(shelf);
        const gone = (side: Side) => {
          const name = setName(side, question.epoch);
          const count = shelf.expired.get(name) ?? 0;
          if (onExpired !== undefined) shelf.expired.delete(name);
          return count;
        };
        onExpired?.(question, { legacy: gone("legacy"), new: gone("new") });
        const of = (side: Side) => countOf(shelf.sets.get(setName(side, question.epoch)));
        return { legacy: of("legacy"), new: of("new") };
      });
    },
  };
}

/** What is on legacy is void under no epoch. */
function setName(side: Side, epoch: number): string {
  return side === "legacy" ? side : `${side}:${epoch}`;
}

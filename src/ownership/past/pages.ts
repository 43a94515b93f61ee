/**
 * What a process has noted of past requests and not handed over: of each key one note, of each request in doubt one. Keys
 * become digests when they are handed over.
 */
import { createBoundedMap } from "../../base/bounded-map.ts";
import type { Side } from "../../state/rules/model.ts";
import { type Answered, type DoubtNote, keyDigest, type PastDecision, type PastNotes } from "./port.ts";
import { isAlike, mostDecisions } from "./record.ts";

/** As `DoubtNote`, with the keys themselves, byte strings; the first is the one it goes by. */
export interface NotedDoubt extends Omit<DoubtNote, "digest" | "others"> {
  readonly keys: readonly string[];
}

interface SeenKey {
  readonly cutover: string;
  readonly key: string;
  readonly ttlMs: number;
  readonly decision: PastDecision;
  /** When the side of the decision has answered it, if it has. */
  readonly answeredAtMs: number | undefined;
}

interface NotedKey {
  readonly cutover: string;
  readonly key: string;
  readonly ttlMs: number;
  readonly decisions: readonly PastDecision[];
  readonly answered: Answered;
}

/** What is handed over at once. */
interface TakenPages {
  readonly keys: ReadonlyMap<string, NotedKey>;
  readonly doubts: ReadonlyMap<string, NotedDoubt>;
  /** Ids of those that were noted, or noted anew, since they were last taken. */
  readonly fresh: ReadonlySet<string>;
}

interface Pages {
  seen(seen: SeenKey): void;
  doubt(doubt: NotedDoubt): void;
  count(): number;
  /** All that is noted, as it stands; it stays. */
  all(): PastNotes;
  /** From here on they are the caller's. */
  take(): TakenPages;
  /** They were not taken: they are older than what was noted meanwhile. @param isKept whether they are kept elsewhere, too */
  giveBack(taken: TakenPages, isKept: boolean): void;
}

/** @param most keys, and requests in doubt @param onLost hears of what found no room */
export function createPages(most: number, onLost: (notes: number) => void): Pages {
  let keys = new Map<string, NotedKey>();
  let doubts = new Map<string, NotedDoubt>();
  let fresh = new Set<string>();
  /** By cutover and key, the last decision that was noted: most requests with a key are decided as the one before. */
  const decided = createBoundedMap<PastDecision>(most);
  /** By cutover, side and key, when a request with it was last answered. */
  const answers = createBoundedMap<number>(most);

  function put(id: string, note: NotedKey): void {
    if (!keys.has(id) && keys.size >= most) {
      onLost(1);
      const oldest = keys.keys().next();
      if (!oldest.done) keys.delete(oldest.value);
    }
    keys.set(id, note);
  }

  const isUnanswered = ({ cutover, side, sentAtMs, keys: names, outcome }: NotedDoubt) =>
    outcome === null ||
    names.every((key) => (answers.get(answerId(cutover, side, key)) ?? Number.NEGATIVE_INFINITY) < sentAtMs);

  /** @returns its id; `undefined`: it is not put there */
  function putDoubt(note: NotedDoubt): string | undefined {
    const [first] = note.keys;
    if (first === undefined || !isUnanswered(note)) return undefined;
    const id = `${note.cutover}:${note.side}:${note.sentAtMs}:${first}`;
    if (doubts.has(id) || doubts.size < most) {
      doubts.set(id, note);
      return id;
    }
    onLost(1);
    return undefined;
  }

  return {
    seen({ cutover, key, ttlMs, decision, answeredAtMs }) {
      const id = `${cutover}:${key}`;
      if (answeredAtMs !== undefined) answers.set(answerId(cutover, decision.side, key), answeredAtMs);
      const last = decided.get(id);
      const isNew = ttlMs > 0 && (last === undefined || !isAlike(last, decision));
      if (isNew) decided.set(id, decision);
      if (!isNew && answeredAtMs === undefined) return;
      const before = keys.get(id) ?? { cutover, key, ttlMs, decisions: [], answered: {} };
      const answered = answeredAtMs === undefined ? {} : { [decision.side]: answeredAtMs };
      const decisions = isNew ? [...before.decisions, decision].slice(-mostDecisions) : before.decisions;
      const note = { cutover, key, decisions, answered: { ...before.answered, ...answered } };
      put(id, { ...note, ttlMs: Math.max(before.ttlMs, ttlMs) });
      fresh.add(id);
    },
    doubt(note) {
      const id = putDoubt(note);
      if (id !== undefined) fresh.add(id);
    },
    count: () => keys.size + doubts.size,
    all: () => notesOf({ keys, doubts }),
    take() {
      // Of a key that nobody owns the store does not know that it was answered.
      const taken = { keys, doubts: new Map([...doubts].filter(([, note]) => isUnanswered(note))), fresh };
      keys = new Map();
      doubts = new Map();
      fresh = new Set();
      return taken;
    },
    giveBack(taken, isKept) {
      if (!isKept) fresh = new Set([...taken.fresh, ...fresh]);
      const since = { keys, doubts };
      keys = new Map(taken.keys);
      doubts = new Map();
      for (const note of [...taken.doubts.values(), ...since.doubts.values()]) putDoubt(note);
      for (const [id, note] of since.keys) {
        const before = keys.get(id);
        if (before === undefined) put(id, note);
        else {
          const decisions = [...before.decisions, ...note.decisions].slice(-mostDecisions);
          const answered = { ...before.answered, ...note.answered };
          put(id, { ...note, decisions, answered, ttlMs: Math.max(before.ttlMs, note.ttlMs) });
        }
      }
    },
  };
}

/** Those of them that were noted, or noted anew, since they were last taken. */
export function freshIn({ keys, doubts, fresh }: TakenPages): PastNotes {
  const isFresh = ([id]: readonly [string, unknown]) => fresh.has(id);
  return notesOf({ keys: new Map([...keys].filter(isFresh)), doubts: new Map([...doubts].filter(isFresh)) });
}

/** What is in doubt and was answered meanwhile stands in both: the store takes what was answered first. */
export function notesOf({ keys, doubts }: Pick<TakenPages, "keys" | "doubts">): PastNotes {
  return {
    keys: [...keys.values()].map(({ key, ...note }) => ({ ...note, digest: keyDigest(key) })),
    doubts: [...doubts.values()].map(({ keys: names, ...note }) => {
      const [digest = "", ...others] = names.map(keyDigest);
      return { ...note, digest, others };
    }),
  };
}

function answerId(cutover: string, side: Side, key: string): string {
  return `${cutover}:${side}:${key}`;
}

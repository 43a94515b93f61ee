/**
 * The lists of one process: loaded beside the requests, a part at a time, and kept when the store is away. What is asked
 * on the way of a request is answered out of what is loaded.
 */
import type { Clock, Timers } from "../base/clock.ts";
import { coalesce } from "../base/coalesce.ts";
import { errorText, type Log } from "../base/log.ts";
import { digestOf, highOf, lowOf } from "./digest.ts";
import { bytesOfWords, isIn, partCount, wordsOf } from "./members.ts";
import type { ListPart, ListSource, Lists } from "./port.ts";

interface KeptPart {
  readonly stamp: number;
  readonly words: Uint32Array;
}

interface KeptList {
  /** Up to which all parts are loaded. */
  stamp: number;
  /** When it was last as the source had it, by the monotonic clock. */
  knownAtMs: number;
  failures: number;
  readonly parts: KeptPart[];
}

/** `unfinished`: the source answered, and not all of it could be loaded. */
type Refreshed = "loaded" | "unfinished" | "silent";

export interface ListKeeper extends Lists, ListSource {
  /** Loads what is new now; resolves when that is in force, or the source does not answer. Never rejects. */
  refresh(): Promise<Refreshed>;
  /** Whether it has tried to load them: before that it cannot tell what is on them. */
  hasTried(): boolean;
  /** The lists of a configuration that came into force. */
  follow(names: readonly string[]): void;
  /** How many are on the list here; `undefined`: nobody follows it. */
  loaded(name: string): number | undefined;
  /** How each list that is followed stands here. */
  standings(): readonly ListStanding[];
  /** Resolves when nothing is loaded or copied any more. */
  stop(): Promise<void>;
}

interface ListStanding {
  readonly name: string;
  readonly members: number;
  /** Since it was last known to be as the source has it; before that, since it is followed. In ms. */
  readonly ageMs: number;
  /** How often it could not be loaded, or be compared with what the source has. */
  readonly failures: number;
}

interface KeeperOptions {
  readonly source: ListSource;
  /** Where what is loaded is kept for a start without the source; without it, nowhere. */
  readonly cache?: ListCache | undefined;
  readonly subscribe?: ((onHint: () => void) => () => void) | undefined;
  readonly timers: Timers;
  readonly clock: Pick<Clock, "monotonic">;
  readonly log: Log;
}

/** Kept lists, for a cold start. */
interface ListCache extends ListSource {
  /** @param parts those that are of another stamp there */
  keep(name: string, stamp: number, parts: ReadonlyMap<number, ListPart>): Promise<void>;
}

const pollMs = 700;
/** Parts that are copied in one go: a large list is not in memory twice. */
const copiesAtOnce = 16;
const none: KeptPart = { stamp: 0, words: new Uint32Array(0) };

export function createListKeeper(options: KeeperOptions): ListKeeper {
  const { source, cache, subscribe, timers, clock, log } = options;
  let lists = new Map<string, KeptList>();
  const load = createLoading(() => lists, options);
  let isUp = true;
  let isFirst = true;
  let isStopped = false;
  let cancel = () => {};
  let leave: (() => void) | undefined;
  let loading: Promise<void> = Promise.resolve();
  let standing: Refreshed = "silent";
  let hasTried = false;

  const refreshed = coalesce(async () => {
    standing = "silent";
    try {
      if (isFirst && cache !== undefined) await load(cache, true).catch(() => undefined);
      isFirst = false;
      await load(source, false, () => {
        standing = "unfinished";
      });
      standing = "loaded";
      if (!isUp) log.info({}, "lists are loaded again");
      isUp = true;
    } catch (error) {
      if (isUp) log.warn({ error: errorText(error) }, "lists cannot be loaded: those loaded stay in force");
      isUp = false;
    }
    hasTried = true;
  });

  async function refresh(): Promise<Refreshed> {
    loading = isStopped ? loading : refreshed();
    await loading;
    return standing;
  }

  function poll(): void {
    cancel = timers.after(pollMs, () => {
      void refresh().then(() => {
        if (!isStopped) poll();
      });
    });
  }

  return {
    refresh,
    hasTried: () => hasTried,
    has(name, member) {
      const list = lists.get(name);
      if (list === undefined) return false;
      const digest = digestOf(member);
      const high = highOf(digest);
      const { words } = list.parts[high >>> 24] ?? none;
      return isIn(words, high, lowOf(digest));
    },
    follow(names) {
      const begun = clock.monotonic();
      lists = new Map(names.map((name) => [name, lists.get(name) ?? emptyList(begun)]));
      // What nobody follows is not asked for.
      if (names.length === 0 || leave !== undefined) return;
      leave = subscribe?.(() => void refresh()) ?? (() => {});
      poll();
    },
    loaded(name) {
      const list = lists.get(name);
      return list && membersOf(list);
    },
    standings: () =>
      [...lists].map(([name, list]) => ({
        name,
        members: membersOf(list),
        ageMs: clock.monotonic() - list.knownAtMs,
        failures: list.failures,
      })),
    stamps: async (names) => names.map((name) => lists.get(name)?.stamp ?? 0),
    parts: async (name) => (lists.get(name)?.parts ?? []).map(({ stamp }) => stamp),
    async part(name, at) {
      const { stamp, words } = lists.get(name)?.parts[at] ?? none;
      return { stamp, bytes: bytesOfWords(words) };
    },
    async stop() {
      isStopped = true;
      cancel();
      leave?.();
      await loading;
    },
  };
}

function emptyList(knownAtMs: number): KeptList {
  return { stamp: 0, knownAtMs, failures: 0, parts: Array.from({ length: partCount }, () => none) };
}

function membersOf({ parts }: KeptList): number {
  return parts.reduce((sum, { words }) => sum + words.length / 2, 0);
}

/** @returns loads what has another stamp there; rejects when some of it could not be loaded */
function createLoading(
  lists: () => ReadonlyMap<string, KeptList>,
  { cache, clock, log }: KeeperOptions,
): (from: ListSource, isCached: boolean, onAnswer?: () => void) => Promise<void> {
  const lost = createLost(log);

  async function loadList(from: ListSource, name: string, list: KeptList, stamp: number): Promise<void> {
    const wanted = await from.parts(name);
    if (wanted.every((each) => each === 0)) throw new Error(`list ${name} was lost while it was loaded`);
    for (let at = 0; at < partCount; at += 1) {
      const stampThere = wanted[at] ?? 0;
      if (stampThere === (list.parts[at] ?? none).stamp) continue;
      if (stampThere === 0) {
        // The list was made anew, and has nobody there.
        list.parts[at] = none;
        continue;
      }
      const { stamp: found, bytes } = await from.part(name, at);
      if (found === 0) throw new Error(`list ${name} was lost while it was loaded`);
      const words = wordsOf(bytes, at);
      if (words === undefined) throw new Error(`part ${at} of list ${name} does not read`);
      list.parts[at] = { stamp: found, words };
      // Requests come in between.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    list.stamp = stamp;
  }

  /** What the copies say is as old as they are, and no failure where there are none. */
  const known = (list: KeptList, isCached: boolean) => {
    if (!isCached) list.knownAtMs = clock.monotonic();
  };
  const failed = (list: KeptList, isCached: boolean) => {
    if (!isCached) list.failures += 1;
  };

  return async (from, isCached, onAnswer) => {
    const names = [...lists().keys()];
    if (names.length === 0) return;
    const stamps = await from.stamps(names).catch((error: unknown) => {
      for (const list of lists().values()) failed(list, isCached);
      throw error;
    });
    onAnswer?.();
    const failures: unknown[] = [];
    for (const [at, name] of names.entries()) {
      const list = lists().get(name);
      const stamp = stamps[at] ?? 0;
      if (list === undefined) continue;
      if (stamp === list.stamp) {
        known(list, isCached);
        continue;
      }
      if (stamp === 0) {
        failed(list, isCached);
        lost.tell(name);
        continue;
      }
      try {
        await loadList(from, name, list, stamp);
        known(list, isCached);
        lost.found(name);
        if (!isCached && cache !== undefined) await keepCopy(cache, name, list, log);
      } catch (error) {
        failed(list, isCached);
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  };
}

/** A copy that is written in part has no list's stamp: it is loaded, and then asked for again. */
const unfinished = 1;

/** Keeps what is loaded for a start without the source. Never rejects. */
async function keepCopy(to: ListCache, name: string, list: KeptList, log: Log): Promise<void> {
  try {
    const there = await to.parts(name);
    let some = new Map<number, ListPart>();
    for (const [at, { stamp, words }] of list.parts.entries()) {
      if (there[at] === stamp) continue;
      some.set(at, { stamp, bytes: bytesOfWords(words) });
      if (some.size < copiesAtOnce) continue;
      await to.keep(name, unfinished, some);
      some = new Map();
    }
    await to.keep(name, list.stamp, some);
  } catch (error) {
    log.warn(
      { list: name, error: errorText(error) },
      "a list's copy could not be kept: a start without the store lacks it",
    );
  }
}

/** A store that knows nothing of a list has lost it: who is loaded stays on it, as is said once. */
function createLost(log: Log) {
  const said = new Set<string>();
  return {
    tell(list: string): void {
      if (!said.has(list)) log.error({ list }, "the store has lost the list: what is loaded stays in force");
      said.add(list);
    },
    found: (list: string) => said.delete(list),
  };
}

/**
 * Several stores as one: what a cutover's requests make goes to the store of its owners, where it has one of its own. Each
 * is a place by itself: one that is out of reach leaves the others as they are.
 */
import { StoreUnavailable } from "../base/errors.ts";
import type { DoubtCounts, PastStore } from "./past/port.ts";
import type { OwnersByHand } from "./stores/by-hand.ts";
import type { OwnershipStores, PinNews, PinStore } from "./stores/port.ts";
import type { UnderWayCounts, UnderWayStore } from "./under-way/port.ts";

interface Places {
  /** The store of the states. */
  readonly main: OwnershipStores;
  /** Every other one. */
  readonly own: readonly OwnershipStores[];
  /** @returns that of the cutover's owners; `undefined`: it has none of its own */
  placeOf(cutover: string): OwnershipStores | undefined;
}

export function routedStores({ main, own, placeOf }: Places): OwnershipStores {
  const all = [main, ...own];
  const of = (cutover: string) => placeOf(cutover) ?? main;
  return {
    ...main,
    placeOf,
    owners: {
      lookup: (cutover, keys) => of(cutover).owners.lookup(cutover, keys),
      record: (cutover, ...rest) => of(cutover).owners.record(cutover, ...rest),
      settle: (cutover, ...rest) => of(cutover).owners.settle(cutover, ...rest),
      release: (cutover, ...rest) => of(cutover).owners.release(cutover, ...rest),
      async announce(cutover, key, side) {
        await of(cutover).owners.announce?.(cutover, key, side);
      },
      memoryInUse: async (cutover) => of(cutover).owners.memoryInUse?.(cutover),
    },
    pins: pinsIn((cutover) => of(cutover).pins),
    pinNews: pinNewsIn(all, of),
    past: pastIn((cutover) => of(cutover).past),
    underWay: underWayIn((cutover) => of(cutover).underWay),
    exposure: { note: (cutover, ...rest) => of(cutover).exposure.note(cutover, ...rest) },
    byHand: all.every(({ byHand }) => byHand === undefined) ? undefined : byHandIn(all, of),
    watch(onOwner, news) {
      const leave = all.map((stores) =>
        stores.watch?.(onOwner, {
          ...news,
          doubt: (forMs) => news?.doubt?.(forMs, stores === main ? undefined : stores),
        }),
      );
      return () => {
        for (const each of leave) each?.();
      };
    },
    async close() {
      await Promise.all(all.map((stores) => stores.close()));
    },
  };
}

function pinsIn(of: (cutover: string) => PinStore): PinStore {
  return {
    find: (cutover, ...rest) => of(cutover).find(cutover, ...rest),
    reserve: (cutover, ...rest) => of(cutover).reserve(cutover, ...rest),
    release: (cutover, ...rest) => of(cutover).release(cutover, ...rest),
    start: (cutover, ...rest) => of(cutover).start(cutover, ...rest),
    keep: (cutover, ...rest) => of(cutover).keep(cutover, ...rest),
    tie: (cutover, ...rest) => of(cutover).tie(cutover, ...rest),
    end: (cutover, ...rest) => of(cutover).end(cutover, ...rest),
  };
}

/** All pins are heard of while every store's are; whichever may have been missed, they are all asked for again. */
function pinNewsIn(all: readonly OwnershipStores[], of: (cutover: string) => OwnershipStores): PinNews {
  return {
    list: (cutover, ...rest) => of(cutover).pinNews.list(cutover, ...rest),
    watch(onPin, onHearing) {
      const heard = new Set<OwnershipStores>();
      const leave = all.map((stores) =>
        stores.pinNews.watch(onPin, (isHearing) => {
          if (isHearing) heard.add(stores);
          else heard.delete(stores);
          onHearing(heard.size === all.length);
        }),
      );
      return () => {
        for (const each of leave) each();
      };
    },
  };
}

function underWayIn(of: (cutover: string) => UnderWayStore): UnderWayStore {
  return {
    async note(notes) {
      const parts = grouped(notes, ({ cutover }) => of(cutover));
      const noted = await Promise.allSettled([...parts].map(([store, part]) => store.note(part)));
      return noted.reduce((refused, part) => {
        // They may be noted again, those that were taken too.
        if (part.status === "rejected") throw part.reason;
        return refused + part.value;
      }, 0);
    },
    async count(questions, onExpired) {
      const parts = grouped([...questions.entries()], ([, { cutover }]) => of(cutover));
      const counts: (UnderWayCounts | undefined)[] = questions.map(() => undefined);
      await Promise.all(
        [...parts].map(async ([store, part]) => {
          const asked = part.map(([, question]) => question);
          const counted = await store.count(asked, onExpired).catch(() => []);
          for (const [i, [at]] of part.entries()) counts[at] = counted[i];
        }),
      );
      return counts;
    },
  };
}

function pastIn(of: (cutover: string) => PastStore): PastStore {
  return {
    async note({ keys, doubts }) {
      const ofKeys = grouped(keys, ({ cutover }) => of(cutover));
      const ofDoubts = grouped(doubts, ({ cutover }) => of(cutover));
      const stores = [...new Set([...ofKeys.keys(), ...ofDoubts.keys()])];
      const lost = await Promise.all(
        stores.map((store) =>
          store.note({ keys: ofKeys.get(store) ?? [], doubts: ofDoubts.get(store) ?? [] }),
        ),
      );
      return lost.reduce((sum, one) => sum + one, 0);
    },
    of: (cutover, digest) => of(cutover).of(cutover, digest),
    inDoubt: (cutover, most) => of(cutover).inDoubt(cutover, most),
    async counts(cutovers) {
      const parts = grouped([...cutovers.entries()], ([, cutover]) => of(cutover));
      const counts: (DoubtCounts | undefined)[] = cutovers.map(() => undefined);
      await Promise.all(
        [...parts].map(async ([store, part]) => {
          const counted = await store.counts(part.map(([, cutover]) => cutover)).catch(() => []);
          for (const [i, [at]] of part.entries()) counts[at] = counted[i];
        }),
      );
      return counts;
    },
    settle: (cutover, ...rest) => of(cutover).settle(cutover, ...rest),
  };
}

function grouped<Item, Group>(items: readonly Item[], groupOf: (item: Item) => Group): Map<Group, Item[]> {
  const groups = new Map<Group, Item[]>();
  for (const item of items) {
    const group = groups.get(groupOf(item));
    if (group === undefined) groups.set(groupOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

function byHandIn(all: readonly OwnershipStores[], of: (cutover: string) => OwnershipStores): OwnersByHand {
  const handOf = (cutover: string) => {
    const { byHand } = of(cutover);
    if (byHand === undefined) throw new StoreUnavailable("owners are put right where their store is");
    return byHand;
  };
  const asked = all.find(({ byHand }) => byHand?.ask !== undefined)?.byHand?.ask;
  return {
    inspect: async (cutover, key) => handOf(cutover).inspect(cutover, key),
    put: async (cutover, ...rest) => handOf(cutover).put(cutover, ...rest),
    waiting: async (cutover, key) => handOf(cutover).waiting(cutover, key),
    wait: async (cutover, ...rest) => handOf(cutover).wait(cutover, ...rest),
    // Over the channel that goes with the owners; what has none has other instances to ask all the same.
    ...(asked === undefined
      ? {}
      : {
          ask: (question, instances) => (of(question.cutover).byHand?.ask ?? asked)(question, instances),
          answer(instance, answer) {
            const leave = all.map(({ byHand }) => byHand?.answer?.(instance, answer));
            return () => {
              for (const each of leave) each?.();
            };
          },
        }),
  };
}

/**
 * Owners, pins and what is under way, beside an embedded store, live in the primary. A worker asks for them over the
 * channel (`askingStores`); the primary answers out of what it keeps (`answerFrom`).
 */

import type { Clock } from "../../base/clock.ts";
import { StoreUnavailable } from "../../base/errors.ts";
import type { Config } from "../../config/schema.ts";
import { isEmbedded } from "../../ownership/stores/open.ts";
import type { OwnershipStores, PinNews } from "../../ownership/stores/port.ts";
import type { Link } from "./link.ts";
import type { StoreQuestion, StoreReply, ToWorker } from "./messages.ts";

/**
 * @param send rejects with StoreUnavailable when no reply comes in time
 * @param hear calls back with what the primary says by itself
 */
export function askingStores(
  send: Link["ask"],
  clock: Pick<Clock, "monotonic">,
  hear: Link["onMessage"] = () => undefined,
): OwnershipStores {
  let isTroubled = false;
  let backSinceMs = Number.NEGATIVE_INFINITY;

  async function ask(question: StoreQuestion): Promise<StoreReply> {
    const reply = await send(question).catch((): StoreReply => ({ kind: "unavailable" }));
    const failed = reply.kind === "unavailable";
    if (isTroubled && !failed) backSinceMs = clock.monotonic();
    isTroubled = failed;
    return reply;
  }
  async function owners(question: StoreQuestion) {
    const reply = await ask(question);
    if (reply.kind !== "owners") throw new StoreUnavailable("owners are out of reach");
    return reply.owners.map((owner) => owner ?? undefined);
  }
  async function pin(question: StoreQuestion) {
    const reply = await ask(question);
    if (reply.kind !== "pin") throw new StoreUnavailable("pins are out of reach");
    return reply.pin ?? undefined;
  }
  return {
    owners: {
      lookup: (cutover, keys) =>
        owners({ call: "lookup", cutover, keys: keys.map(({ key, claimed }) => ({ key, claimed })) }),
      async record(cutover, { key, claimed }, side, ttlMs, late = false, token) {
        const named = { key, claimed };
        const [before] = await owners({ call: "record", cutover, key: named, side, ttlMs, late, token });
        return before;
      },
      async settle(cutover, { key, claimed }, token, isKept) {
        await owners({ call: "settle", cutover, key: { key, claimed }, token, isKept });
      },
      async release(cutover, key, side) {
        const [released] = await owners({ call: "release_owner", cutover, key, side });
        return released === side;
      },
    },
    pins: askingPins(pin),
    // The channel to the primary is in order and loses nothing: a primary that is gone takes the worker along.
    pinNews: {
      async list(cutover, maxTtl, onPins) {
        const reply = await ask({ call: "pins", cutover, maxTtl });
        if (reply.kind !== "pins") throw new StoreUnavailable("pins are out of reach");
        onPins(reply.digests);
        return 0;
      },
      watch(onPin, onHearing) {
        let isLeft = false;
        hear((message) => {
          if (message.type === "pin" && !isLeft) onPin(message.cutover, message.digest);
        });
        onHearing(true);
        return () => {
          isLeft = true;
        };
      },
    },
    underWay: {
      async note(notes) {
        const reply = await ask({ call: "note", notes: [...notes] });
        if (reply.kind !== "noted") throw new StoreUnavailable("the primary does not answer");
        return reply.refused;
      },
      // The primary counts for all its workers.
      count: async (questions) => questions.map(() => undefined),
    },
    exposure: askingExposure(ask),
    past: {
      async note(notes) {
        const reply = await ask({ call: "note_past", notes });
        if (reply.kind !== "noted") throw new StoreUnavailable("the primary does not answer");
        return reply.refused;
      },
      // People ask the primary.
      of: onlyThere,
      inDoubt: onlyThere,
      counts: onlyThere,
      settle: onlyThere,
    },
    backSinceMs: () => backSinceMs,
    close: async () => {},
  };
}

function askingExposure(ask: (question: StoreQuestion) => Promise<StoreReply>): OwnershipStores["exposure"] {
  return {
    async note(cutover, notes, limits) {
      const reply = await ask({ call: "expose", cutover, notes: [...notes], limits });
      if (reply.kind !== "exposure") throw new StoreUnavailable("the primary does not answer");
      const { openAmount, isOver } = reply;
      return { openAmount, isOver };
    },
  };
}

function askingPins(
  pin: (question: StoreQuestion) => ReturnType<OwnershipStores["pins"]["find"]>,
): OwnershipStores["pins"] {
  return {
    find: (cutover, shopper, maxTtl) => pin({ call: "find", cutover, shopper, maxTtl }),
    reserve: async (cutover, shopper, offer, maxTtl, reserveTtl) =>
      (await pin({ call: "reserve", cutover, shopper, offer, maxTtl, reserveTtl })) ?? offer,
    async release(cutover, shopper, id) {
      await pin({ call: "release", cutover, shopper, id });
    },
    start: async (cutover, shopper, offer, maxTtl) =>
      (await pin({ call: "start", cutover, shopper, offer, maxTtl })) ?? offer,
    async keep(cutover, shopper, kept, ttl) {
      await pin({ call: "keep", cutover, shopper, pin: kept, ttl });
    },
    async tie(cutover, keys, id, ttl) {
      await pin({ call: "tie", cutover, keys: [...keys], id, ttl });
    },
    end: (cutover, shopper, grace, maxTtl, by) =>
      pin({
        call: "end",
        cutover,
        shopper,
        grace,
        maxTtl,
        by: by !== undefined && "orders" in by ? { orders: [...by.orders] } : by,
      }),
  };
}

async function onlyThere(): Promise<never> {
  throw new StoreUnavailable("past requests are known to the primary");
}

/** Never rejects. */
export async function answerFrom(stores: OwnershipStores, asked: StoreQuestion): Promise<StoreReply> {
  const { owners, pins, pinNews, underWay, past, exposure } = stores;
  try {
    switch (asked.call) {
      case "lookup": {
        const found = await owners.lookup(asked.cutover, asked.keys);
        return { kind: "owners", owners: found.map((owner) => owner ?? null) };
      }
      case "record": {
        const { cutover, key, side, ttlMs, late, token } = asked;
        const before = await owners.record(cutover, key, side, ttlMs, late, token);
        return { kind: "owners", owners: [before ?? null] };
      }
      case "settle":
        await owners.settle(asked.cutover, asked.key, asked.token, asked.isKept);
        return { kind: "owners", owners: [] };
      case "release_owner": {
        const isReleased = await owners.release(asked.cutover, asked.key, asked.side);
        return { kind: "owners", owners: [isReleased ? asked.side : null] };
      }
      case "find":
        return pinReply(await pins.find(asked.cutover, asked.shopper, asked.maxTtl));
      case "reserve": {
        const { cutover, shopper, offer, maxTtl, reserveTtl } = asked;
        return pinReply(await pins.reserve(cutover, shopper, offer, maxTtl, reserveTtl));
      }
      case "release":
        await pins.release(asked.cutover, asked.shopper, asked.id);
        return pinReply(undefined);
      case "start":
        return pinReply(await pins.start(asked.cutover, asked.shopper, asked.offer, asked.maxTtl));
      case "keep":
        await pins.keep(asked.cutover, asked.shopper, asked.pin, asked.ttl);
        return pinReply(undefined);
      case "tie":
        await pins.tie(asked.cutover, asked.keys, asked.id, asked.ttl);
        return pinReply(undefined);
      case "end": {
        const { cutover, shopper, grace, maxTtl, by } = asked;
        return pinReply(await pins.end(cutover, shopper, grace, maxTtl, by));
      }
      case "pins": {
        const digests: string[] = [];
        await pinNews.list(asked.cutover, asked.maxTtl, (part) => {
          for (const digest of part) digests.push(digest);
        });
        return { kind: "pins", digests };
      }
      case "share":
        // It is for the other workers, not for the store.
        return { kind: "owners", owners: [] };
      case "note":
        return { kind: "noted", refused: await underWay.note(asked.notes) };
      case "expose":
        return { kind: "exposure", ...(await exposure.note(asked.cutover, asked.notes, asked.limits)) };
      case "note_past":
        return { kind: "noted", refused: await past.note(asked.notes) };
      case "list_stamps":
      case "list_parts":
      case "list_part":
        // Of lists, lists.ts answers.
        return { kind: "unavailable" };
    }
  } catch {
    return { kind: "unavailable" };
  }
}

/** Tells the workers of each pin made in an embedded store; of those in Redis they hear themselves. @returns the way out */
export function tellPins(
  news: PinNews,
  config: () => Pick<Config, "store" | "cutovers">,
  send: (message: ToWorker) => void,
): () => void {
  const isHere = (cutover: string) => {
    const { store, cutovers } = config();
    return isEmbedded(cutovers[cutover]?.owners.store ?? store);
  };
  // A reload opens no store.
  if (!Object.keys(config().cutovers).some(isHere)) return () => undefined;
  return news.watch(
    (cutover, digest) => {
      if (isHere(cutover)) send({ type: "pin", cutover, digest });
    },
    () => undefined,
  );
}

function pinReply(pin: Awaited<ReturnType<OwnershipStores["pins"]["find"]>>): StoreReply {
  return { kind: "pin", pin: pin ?? null };
}

/**
 * Owners and pins of an embedded store live in the primary. A worker asks for them over the channel (`askingStores`);
 * the primary answers out of what it keeps (`answerFrom`).
 */
import type { OwnershipStores } from "../ownership/store.ts";
import { type Clock, StoreUnavailable } from "../state/store.ts";
import type { Question, Reply } from "./messages.ts";

/** @param send rejects with StoreUnavailable when no reply comes in time */
export function askingStores(
  send: (question: Question) => Promise<Reply>,
  clock: Pick<Clock, "monotonic">,
): OwnershipStores {
  let isTroubled = false;
  let backSinceMs = Number.NEGATIVE_INFINITY;

  async function ask(question: Question): Promise<Reply> {
    const reply = await send(question).catch((): Reply => ({ kind: "unavailable" }));
    const failed = reply.kind === "unavailable";
    if (isTroubled && !failed) backSinceMs = clock.monotonic();
    isTroubled = failed;
    return reply;
  }
  async function owners(question: Question) {
    const reply = await ask(question);
    if (reply.kind !== "owners") throw new StoreUnavailable("owners are out of reach");
    return reply.owners.map((owner) => owner ?? undefined);
  }
  async function pin(question: Question) {
    const reply = await ask(question);
    if (reply.kind !== "pin") throw new StoreUnavailable("pins are out of reach");
    return reply.pin ?? undefined;
  }
  return {
    owners: {
      lookup: (cutover, keys) => owners({ call: "lookup", cutover, keys: [...keys] }),
      async claim(cutover, key, side, ttlMs) {
        const [before] = await owners({ call: "claim", cutover, key, side, ttlMs });
        return before;
      },
    },
    pins: {
      find: (cutover, shopper, maxTtl) => pin({ call: "find", cutover, shopper, maxTtl }),
      start: async (cutover, shopper, offer, maxTtl) =>
        (await pin({ call: "start", cutover, shopper, offer, maxTtl })) ?? offer,
      end: (cutover, shopper, grace, maxTtl) => pin({ call: "end", cutover, shopper, grace, maxTtl }),
    },
    backSinceMs: () => backSinceMs,
    close: async () => {},
  };
}

/** Never rejects. */
export async function answerFrom({ owners, pins }: OwnershipStores, asked: Question): Promise<Reply> {
  try {
    switch (asked.call) {
      case "lookup": {
        const found = await owners.lookup(asked.cutover, asked.keys);
        return { kind: "owners", owners: found.map((owner) => owner ?? null) };
      }
      case "claim": {
        const before = await owners.claim(asked.cutover, asked.key, asked.side, asked.ttlMs);
        return { kind: "owners", owners: [before ?? null] };
      }
      case "find":
        return pinReply(await pins.find(asked.cutover, asked.shopper, asked.maxTtl));
      case "start":
        return pinReply(await pins.start(asked.cutover, asked.shopper, asked.offer, asked.maxTtl));
      case "end":
        return pinReply(await pins.end(asked.cutover, asked.shopper, asked.grace, asked.maxTtl));
    }
  } catch {
    return { kind: "unavailable" };
  }
}

function pinReply(pin: Awaited<ReturnType<OwnershipStores["pins"]["find"]>>): Reply {
  return { kind: "pin", pin: pin ?? null };
}

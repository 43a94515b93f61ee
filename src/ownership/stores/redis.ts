/**
 * Owners and pins in Redis, each a key with a TTL; every method is one round trip, which it shares with all that is asked
 * for the cutover in the same turn of the event loop (redis/turn.ts).
 *
 *   cutover:{NAME}:owner:KEY    the side, a fact or a claim; KEY is the key's bytes as received
 *   cutover:{NAME}:claim:KEY    the side that a client has claimed. While it is the same as what stands under `owner`,
 *                               that is this claim, for people to read, and no fact; `SIDE apart`: it is a fact. Either is
 *                               followed by ` tentative TOKEN` until its request was sent
 *   cutover:owners              channel; each new fact, as SIDE:NAME:KEY, and each new claim, as claim:SIDE:NAME:KEY;
 *                               doubt:MS, when one could not be recorded; over:NAME:ID, of a journey that is;
 *                               released:SIDE:NAME:KEY, when a fact has ended
 *                               pins (pins/redis.ts)
 */
import { createCaller, readScript, sentBytes } from "../../redis/calls.ts";
import { monotonicMs, type RedisClient } from "../../redis/client.ts";
import { createTurn, type Turn } from "../../redis/turn.ts";
import { createExposureInRedis } from "../exposure/redis.ts";
import { createPastInRedis } from "../past/redis.ts";
import { createUnderWayInRedis } from "../under-way/redis.ts";
import { type Ask, type KeptAt, listPinsIn, pinIn, pinScripts, pinsIn } from "./pins/redis.ts";
import { claimIn, type OwnerStore, type OwnershipStores, sideOf } from "./port.ts";
import { createOwnersByHandInRedis, questionMark } from "./redis-by-hand.ts";

interface RedisStoresOptions {
  readonly client: RedisClient;
  readonly prefix: string;
  /** How long a request may wait for an answer, in ms; 250 without it. */
  readonly deadlineMs?: number;
}

/** How long a reconnect takes at most when the server is there. */
const reconnectMs = 750;
/** How long a part of the list of pins may take. */
const listMs = 2000;

/** The client is its maker's to close. */
export function createRedisStores({ client, prefix, deadlineMs = 250 }: RedisStoresOptions): OwnershipStores {
  const scripts = { ...ownerScripts(), ...pinScripts() };
  const turn = createTurn({ client, scripts: Object.values(scripts), deadlineMs });
  // After READONLY there is another connection first (redis/connection.ts).
  const caller = createCaller(client);
  const tell: Ask = (...calls) => caller.run(calls, monotonicMs() + deadlineMs + reconnectMs);
  const list: Ask = (...calls) => caller.run(calls, monotonicMs() + listMs);
  const channel = `${prefix}:owners`;
  const hear = hearing(client, channel);
  return {
    owners: ownersIn(turn, scripts, tell, { prefix, channel }),
    pins: pinsIn(turn, scripts, { prefix, channel }),
    pinNews: {
      list: listPinsIn(list, prefix),
      watch: (onPin, onHearing) =>
        hear((message) => {
          const pin = pinIn(message);
          if (pin !== undefined) onPin(...pin);
        }, onHearing),
    },
    underWay: createUnderWayInRedis({ client, prefix }),
    exposure: createExposureInRedis({ client, prefix }),
    past: createPastInRedis({ client, prefix }),
    backSinceMs: () => client.backSinceMs(),
    byHand: createOwnersByHandInRedis({
      client,
      caller,
      prefix,
      channel,
      listen: (heard) =>
        hear(
          (text) => {
            if (text.startsWith(questionMark)) heard(Buffer.from(text, "latin1"));
          },
          (isHearing) => isHearing && heard(undefined),
        ),
    }),
    watch: watching(hear),
    async tellDoubt(forMs) {
      await tell(["publish", channel, `doubt:${Math.ceil(forMs)}`]);
    },
    close: turn.idle,
  };
}

type Hear = ReturnType<typeof hearing>;

function watching(hear: Hear): NonNullable<OwnershipStores["watch"]> {
  return (onOwner, news) =>
    hear(
      (text) => {
        // An instance hears of each order that any instance is told of, its own too: it looks at each for what it is alone.
        switch (text.slice(0, text.indexOf(":"))) {
          case "claim":
          case "legacy":
          case "new": {
            const [, claim, side, cutover, key] = newOwner.exec(text) ?? [];
            if (cutover !== undefined && key !== undefined)
              onOwner(cutover, { key, claimed: claim !== undefined }, side === "new" ? "new" : "legacy");
            return;
          }
          case "over": {
            const [, of, journey] = newOver.exec(text) ?? [];
            if (of !== undefined && journey !== undefined) news?.over?.(of, journey);
            return;
          }
          case "doubt": {
            const [, forMs] = newDoubt.exec(text) ?? [];
            if (forMs !== undefined) news?.doubt?.(Number(forMs));
            return;
          }
          case "released": {
            const [, from, where, ended] = newRelease.exec(text) ?? [];
            if (where !== undefined && ended !== undefined)
              news?.released?.(where, ended, from === "new" ? "new" : "legacy");
          }
        }
      },
      // What was said in between is missed.
      (isHearing) => isHearing && news?.missed?.(),
    );
}

interface Listener {
  onMessage(message: string): void;
  onHearing?(isHearing: boolean): void;
}

/** One subscription for all who hear the channel, for as long as somebody does. */
function hearing(client: Pick<RedisClient, "subscribe">, channel: string) {
  const listeners = new Set<Listener>();
  let leave: (() => void) | undefined;
  let isHearing = false;
  const tellHearing = (hears: boolean) => {
    isHearing = hears;
    for (const { onHearing } of listeners) onHearing?.(hears);
  };
  return (onMessage: Listener["onMessage"], onHearing?: Listener["onHearing"]): (() => void) => {
    const listener: Listener = { onMessage, ...(onHearing === undefined ? {} : { onHearing }) };
    listeners.add(listener);
    if (isHearing) onHearing?.(true);
    leave ??= client.subscribe(
      channel,
      (message) => {
        if (message === undefined) tellHearing(true);
        else for (const each of listeners) each.onMessage(message.toString("latin1"));
      },
      () => tellHearing(false),
    );
    return () => {
      if (!listeners.delete(listener) || listeners.size > 0) return;
      leave?.();
      leave = undefined;
      isHearing = false;
    };
  };
}

const ownerScripts = () => ({
  claimOwner: readScript(new URL("./claim-owner.lua", import.meta.url)),
  learnOwner: readScript(new URL("./learn-owner.lua", import.meta.url)),
});

function ownersIn(
  turn: Turn,
  { claimOwner, learnOwner }: ReturnType<typeof ownerScripts>,
  tell: Ask,
  { prefix, channel }: KeptAt,
): OwnerStore {
  const memoryInUse = readScript(new URL("./memory-in-use.lua", import.meta.url));
  const keysOf = (cutover: string, key: string) =>
    ["owner", "claim"].map((record) => sentBytes(`${prefix}:{${cutover}}:${record}:${key}`));
  return {
    async lookup(cutover, keys) {
      const records = keys.flatMap(({ key }) => keysOf(cutover, key));
      const found = await turn.read(cutover, records);
      return keys.map(({ claimed }, i) => {
        const [owner, claim] = found.slice(2 * i, 2 * i + 2);
        const kept = claimIn(claim);
        const isClaim = kept !== undefined && !kept.isApart && owner === kept.side;
        const fact = isClaim ? undefined : sideOf(owner);
        const lasting = kept?.token === undefined ? kept?.side : undefined;
        return claimed ? (lasting ?? fact) : fact;
      });
    },
    async record(cutover, { key, claimed }, side, ttlMs, late = false, token) {
      const message = sentBytes(claimed ? `${cutover}:${key}` : `${side}:${cutover}:${key}`);
      const before = await turn.run(cutover, {
        script: claimed ? claimOwner : learnOwner,
        keys: keysOf(cutover, key),
        args: { side, ttlMs, channel, late, token },
        bytes: [message],
      });
      return sideOf(before);
    },
    async settle(cutover, { key }, token, isKept) {
      await turn.run(cutover, {
        script: claimOwner,
        keys: keysOf(cutover, key),
        args: { settle: isKept ? "kept" : "given back", token, channel },
        bytes: [sentBytes(`${cutover}:${key}`)],
      });
    },
    async release(cutover, key, side) {
      const before = await turn.run(cutover, {
        script: learnOwner,
        keys: keysOf(cutover, key),
        args: { side, channel, ends: true },
        bytes: [sentBytes(`released:${side}:${cutover}:${key}`)],
      });
      return before === side;
    },
    // A server that refuses to write still publishes: without memory, without replicas, as a replica.
    async announce(cutover, { key, claimed }, side) {
      const message = `${claimed ? "claim:" : ""}${side}:${cutover}:${key}`;
      await tell(["publish", channel, Buffer.from(message, "latin1")]);
    },
    // Of a Cluster, that node is asked which has the cutover's owners.
    async memoryInUse(cutover) {
      const [share] = await tell({ script: memoryInUse, keys: [`${prefix}:{${cutover}}:owner:`] });
      return typeof share === "string" ? Number(share) : undefined;
    },
  };
}

const newOwner = /^(claim:)?(legacy|new):([^:]+):(.+)$/s;
const newRelease = /^released:(legacy|new):([^:]+):(.+)$/s;
const newOver = /^over:([^:]+):([\w-]{12})$/;
const newDoubt = /^doubt:(\d{1,9})$/;

/**
 * Owners and pins in Redis, each a key with a TTL; every method is one round trip.
 *
 *   cutover:{NAME}:owner:KEY    the side, a fact or a claim; KEY is the key's bytes as received
 *   cutover:{NAME}:claim:KEY    the side that a client has claimed. While it is the same as what stands under `owner`,
 *                               that is this claim, for people to read, and no fact; `SIDE apart`: it is a fact
 *   cutover:{NAME}:pin:DIGEST   a pin (decide/stored-pin.ts)
 *   cutover:owners              channel; each new fact, as SIDE:NAME:KEY, and each new claim, as claim:SIDE:NAME:KEY
 */
import { readFileSync } from "node:fs";
import { StoreUnavailable } from "../../base/errors.ts";
import { readStoredPin, writeStoredPin } from "../../decide/stored-pin.ts";
import { monotonicMs, type RedisClient, type RedisCommand } from "../../redis/client.ts";
import type { Side } from "../../state/rules/model.ts";
import { pinDigest } from "../pin-digest.ts";
import { createUnderWayInRedis } from "../under-way/redis.ts";
import type { OwnershipStores } from "./port.ts";

export interface RedisStoresOptions {
  readonly client: RedisClient;
  readonly prefix: string;
  /** How long a request may wait for an answer, in ms; 250 without it. */
  readonly deadlineMs?: number;
}

/** The client is its maker's to close. */
export function createRedisStores({ client, prefix, deadlineMs = 250 }: RedisStoresOptions): OwnershipStores {
  const claimOwner = script("claim-owner");
  const learnOwner = script("learn-owner");
  const startPin = script("start-pin");
  const ownerKey = (cutover: string, key: string) =>
    Buffer.from(`${prefix}:{${cutover}}:owner:${key}`, "latin1");
  const claimKey = (cutover: string, key: string) =>
    Buffer.from(`${prefix}:{${cutover}}:claim:${key}`, "latin1");
  const pinKey = (cutover: string, shopper: string) => `${prefix}:{${cutover}}:pin:${pinDigest(shopper)}`;
  const channel = `${prefix}:owners`;
  let failing = false;

  async function ask(...commands: readonly RedisCommand[]): Promise<readonly unknown[]> {
    // Once a call has waited in vain for a connection, the next do not: an outage costs one deadline, not one each.
    if (failing && !client.isReady()) throw new StoreUnavailable("Redis is out of reach");
    const sent = await client.send(commands, monotonicMs() + deadlineMs);
    failing = sent.kind !== "answered";
    if (sent.kind !== "answered") throw new StoreUnavailable("Redis did not answer in time");
    return sent.replies.map((reply) => {
      if (reply.ok) return reply.value;
      if (reply.code === "WRONGTYPE") return null;
      throw new StoreUnavailable(`Redis answered ${reply.code}`);
    });
  }

  return {
    owners: {
      async lookup(cutover, keys) {
        const names = keys.flatMap(({ key }) => [ownerKey(cutover, key), claimKey(cutover, key)]);
        const [found] = await ask(["mget", ...names]);
        return keys.map(({ claimed }, i) => {
          const [owner, claim]: unknown[] = Array.isArray(found) ? found.slice(2 * i, 2 * i + 2) : [];
          const fact = owner === claim ? undefined : sideOf(owner);
          return claimed ? (claimOf(claim) ?? fact) : fact;
        });
      },
      async record(cutover, { key, claimed }, side, ttlMs, late = false) {
        const news = Buffer.from(`${claimed ? "claim:" : ""}${side}:${cutover}:${key}`, "latin1");
        const code = claimed ? claimOwner : learnOwner;
        const names = [ownerKey(cutover, key), claimKey(cutover, key)];
        const [before] = await ask(["eval", code, 2, ...names, side, ttlMs, channel, news, late ? 1 : 0]);
        return sideOf(before);
      },
    },
    pins: {
      async find(cutover, shopper, maxTtl) {
        const [found] = await ask(["get", pinKey(cutover, shopper)]);
        return pinOf(found, maxTtl);
      },
      async start(cutover, shopper, offer, maxTtl) {
        const { side, epoch, startedAt, id } = offer;
        const key = pinKey(cutover, shopper);
        const [pin] = await ask(["eval", startPin, 1, key, side, epoch, startedAt, id, maxTtl]);
        return pin === writeStoredPin(offer) ? offer : (pinOf(pin, maxTtl) ?? offer);
      },
      async end(cutover, shopper, grace, maxTtl) {
        const key = pinKey(cutover, shopper);
        const [found] = await ask(["get", key], ["expire", key, grace]);
        return pinOf(found, maxTtl);
      },
    },
    underWay: createUnderWayInRedis({ client, prefix }),
    backSinceMs: () => client.backSinceMs(),
    watch: (onOwner) =>
      client.subscribe(channel, (message) => {
        const [, claim, side, cutover, key] = news.exec(message?.toString("latin1") ?? "") ?? [];
        if (cutover !== undefined && key !== undefined)
          onOwner(cutover, { key, claimed: claim !== undefined }, side === "new" ? "new" : "legacy");
      }),
    async close() {},
  };
}

const news = /^(claim:)?(legacy|new):([^:]+):(.+)$/s;

function script(name: string): string {
  return readFileSync(new URL(`./${name}.lua`, import.meta.url), "utf8");
}

/** What stands under an owner's key that is no side is nobody's word. */
function sideOf(value: unknown): Side | undefined {
  return value === "legacy" || value === "new" ? value : undefined;
}

function claimOf(value: unknown): Side | undefined {
  return sideOf(typeof value === "string" ? value.replace(/ apart$/, "") : value);
}

function pinOf(value: unknown, maxTtl: number) {
  return typeof value === "string" ? readStoredPin(value, maxTtl) : undefined;
}

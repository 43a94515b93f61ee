/**
 * The store on Redis. For a cutover NAME under the prefix `cutover`:
 *
 *   cutover:{NAME}           hash, the state as people see and edit it
 *   cutover:{NAME}:accepted  hash, the last state the rules have accepted: what the visible one is held against
 *   cutover:{NAME}:audit     stream, one entry a version
 *   cutover:{NAME}:proposal  string, the open proposal, with its end
 *   cutover:{NAME}:annotations  stream, the reasons that were given later
 *   cutover:instance:ID      an instance's record, with its lease
 *   cutover:{instances}:index   sorted set, the ids of the instances
 *   cutover:{instances}:roster  hash, what is remembered of each, beyond its lease, and since when
 *   cutover:shared:NAME      a value all instances share
 *   cutover:changes          channel, a hint that NAME has changed
 *
 * Nothing is asked of keys of two hash slots at once, and no keyspace is scanned: a Cluster serves it as one server does.
 */

import { StoreUnavailable } from "../../../base/errors.ts";
import { createCaller } from "../../../redis/calls.ts";
import { monotonicMs, type RedisClient } from "../../../redis/client.ts";
import { leaseMs, rememberMs } from "../../rules/completion.ts";
import { assertChange, type CutoverState } from "../../rules/model.ts";
import type { Announcement } from "../../rules/succession.ts";
import { byId } from "../in-process.ts";
import type { Loaded, Rejection, Store } from "../port.ts";
import { annotate } from "./annotations.ts";
import { createCutovers } from "./cutovers.ts";
import { createKeys } from "./keys.ts";
import {
  announcementFrom,
  historyFrom,
  idsFrom,
  instancesFrom,
  proposalFrom,
  rosterFrom,
  textFrom,
} from "./replies.ts";
import { loadScripts } from "./scripts/scripts.ts";

export interface RedisStoreOptions {
  /** Ended by the store's `close`. */
  readonly client: RedisClient;
  /** Of every key. Default `cutover`. */
  readonly prefix?: string;
  /** Within this a change is answered or StoreUnavailable. Default 1800. */
  readonly writeMs?: number;
  /** The same for everything else. Default 1200. */
  readonly readMs?: number;
}

/** The newest that a history shows. */
const mostAnnotations = 1000;

export function createRedisStore(options: RedisStoreOptions): Store {
  const { client, writeMs = 1800, readMs = 1200 } = options;
  const caller = createCaller(client);
  const scripts = loadScripts();
  const keys = createKeys(options.prefix ?? "cutover");
  const cutovers = createCutovers(caller, scripts, keys);
  const listeners = new Set<(news?: Announcement) => void>();
  let unsubscribe: (() => void) | undefined;

  return {
    kind: "redis",

    load: (names, lastGood) =>
      answered(async (): Promise<Loaded> => {
        const giveUpAtMs = monotonicMs() + readMs;
        const views = await cutovers.read(names, lastGood, giveUpAtMs);
        const settled = await Promise.all(
          names.map((name, at) => cutovers.settle(name, lastGood.get(name), giveUpAtMs, views[at])),
        );
        const states = new Map<string, CutoverState>();
        const rejections: Rejection[] = [];
        const restored: string[] = [];
        for (const [at, name] of names.entries()) {
          const found = settled[at];
          if (found === undefined) continue;
          states.set(name, found.state);
          if (found.restored) restored.push(name);
          if (found.rejected.length > 0) {
            rejections.push({ name, fields: found.rejected, fingerprint: found.view.visible.digest });
          }
        }
        return { states, rejections, restored, regressions: cutovers.takeRegressions() };
      }),

    async apply(command) {
      assertChange(command.change);
      return await answered(() => cutovers.apply(command, monotonicMs() + writeMs));
    },

    subscribe(onHint) {
      const listener = (news?: Announcement) => onHint(news);
      listeners.add(listener);
      unsubscribe ??= client.subscribe(keys.changes, (message, isSure = false) => {
        const news = message === undefined ? undefined : announcementFrom(message, isSure);
        for (const each of [...listeners]) each(news);
      });
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        unsubscribe?.();
        unsubscribe = undefined;
      };
    },

    acknowledge: (record) =>
      answered(async () => {
        const { traffic: _, seenAt: __, ...brief } = record;
        const remember = {
          script: scripts.acknowledge,
          keys: [keys.index, keys.roster],
          args: { id: record.id, brief: JSON.stringify(brief), rememberMs: rememberMs(record) },
        };
        const lease = ["set", keys.instance(record.id), JSON.stringify(record), "px", leaseMs] as const;
        await caller.run([lease, remember], monotonicMs() + readMs);
      }),

    leave: (id) =>
      answered(async () => {
        await caller.run(
          [
            ["del", keys.instance(id)],
            ["zrem", keys.index, id],
            ["hdel", keys.roster, id],
          ],
          monotonicMs() + readMs,
        );
      }),

    instances: () =>
      answered(async () => {
        const giveUpAtMs = monotonicMs() + readMs;
        const [index] = await caller.run([["zrange", keys.index, 0, -1]], giveUpAtMs);
        const ids = idsFrom(index);
        if (ids.length === 0) return [];
        const found = await caller.run(
          ids.map((id) => ["get", keys.instance(id)]),
          giveUpAtMs,
        );
        return [...instancesFrom(found)].sort(byId);
      }),

    roster: () =>
      answered(async () => {
        const call = { script: scripts.roster, keys: [keys.roster] };
        const [found] = await caller.run([call], monotonicMs() + readMs);
        return rosterFrom(found);
      }),

    history: (name, limit, sinceMs) =>
      answered(async () => {
        if (limit <= 0) return [];
        const [, , audit] = keys.cutover(name);
        // An entry's id is made from the server's clock a moment after the time that stands in the entry.
        const from = sinceMs === undefined ? "-" : Math.max(0, Math.floor(sinceMs));
        const [found, added] = await caller.run(
          [
            ["xrevrange", audit, "+", from, "COUNT", limit],
            ["xrevrange", keys.annotations(name), "+", "-", "COUNT", mostAnnotations],
          ],
          monotonicMs() + readMs,
        );
        const entries = historyFrom(found, added);
        return sinceMs === undefined ? entries : entries.filter(({ at }) => Date.parse(at) >= sinceMs);
      }),

    annotate: (annotating) =>
      answered(() => annotate({ caller, scripts, keys }, annotating, monotonicMs() + writeMs)),

    shared: (name, offer) =>
      answered(async () => {
        const call = { script: scripts.share, keys: [keys.shared(name)], args: { offer } };
        const [kept] = await caller.run([call], monotonicMs() + readMs);
        return textFrom(kept);
      }),

    proposal: (name) =>
      answered(async () => {
        const [found] = await caller.run([["get", keys.proposal(name)]], monotonicMs() + readMs);
        return proposalFrom(found);
      }),

    propose: (name, proposal, forMs) =>
      answered(async () => {
        const text = JSON.stringify(proposal);
        await caller.run([["set", keys.proposal(name), text, "px", forMs]], monotonicMs() + readMs);
      }),

    withdraw: (name, id) =>
      answered(async () => {
        const call = { script: scripts.withdraw, keys: [keys.proposal(name)], args: { id } };
        const [done] = await caller.run([call], monotonicMs() + readMs);
        return done === 1;
      }),

    async close() {
      listeners.clear();
      unsubscribe?.();
      await client.close();
    },
  };
}

/** @throws StoreUnavailable, and nothing else */
async function answered<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StoreUnavailable) throw error;
    // Not passed on as the cause: it may quote what was sent.
    throw new StoreUnavailable("Redis gave an answer that does not read");
  }
}

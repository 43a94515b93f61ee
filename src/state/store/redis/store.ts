/**
 * The store on Redis. For a cutover NAME under the prefix `cutover`:
 *
 *   cutover:{NAME}           hash, the state as people see and edit it; `percent:COHORT` beside `percent`
 *   cutover:{NAME}:accepted  hash, the last state the rules have accepted: what the visible one is held against
 *   cutover:{NAME}:audit     stream, one entry a version
 *   cutover:{NAME}:proposal  string, the open proposal, with its end
 *   cutover:{NAME}:annotations  stream, the reasons that were given later. Beside the audit, which holds nothing but
 *                            versions, since the lineage of a version is read from it (read.lua)
 *   cutover:{NAME}:plan      hash, a note (state/rules/note.ts): the plan that was approved, and how far it has come
 *   cutover:lease:{NAME}     hash, the lease of who acts on the cutover by itself; also cutover:lease:{NAME}/WHAT
 *   cutover:instance:ID      an instance's record, with its lease
 *   cutover:{instances}:index   sorted set, the ids of the instances
 *   cutover:{instances}:roster  hash, what is remembered of each, beyond its lease, and since when
 *   cutover:shared:NAME      a value all instances share
 *   cutover:changes          channel, a hint that NAME has changed
 *
 * Nothing is asked of keys of two hash slots at once, and no keyspace is scanned: a Cluster serves it as one server does.
 */
import { randomUUID } from "node:crypto";
import { StoreUnavailable } from "../../../base/errors.ts";
import { type Caller, createCaller, type ServerTime } from "../../../redis/calls.ts";
import { monotonicMs, type RedisClient } from "../../../redis/client.ts";
import { byId, leaseMs } from "../../rules/completion.ts";
import type { Annotation } from "../../rules/history.ts";
import { assertFence } from "../../rules/leases/lease.ts";
import { assertChange } from "../../rules/model.ts";
import type { Announcement } from "../../rules/succession.ts";
import type { Annotating, StartsOf, Store } from "../port.ts";
import { applyCommand, loadCutovers } from "./cutovers.ts";
import { leasesIn, notesIn } from "./leases.ts";
import {
  annotatedFrom,
  announcementFrom,
  historyFrom,
  idsFrom,
  instancesFrom,
  proposalFrom,
  rosterFrom,
  textFrom,
  viewFrom,
} from "./replies.ts";
import { type Calls, createCalls } from "./scripts.ts";

interface RedisStoreOptions {
  /** Ended by the store's `close`. */
  readonly client: RedisClient;
  /** Each key begins with it. Default `cutover`. */
  readonly prefix?: string;
  readonly starts?: StartsOf | undefined;
}

/** Within this a change is answered or StoreUnavailable. */
const writeMs = 1800;
/** The same for everything else. */
const readMs = 1200;
const byRead = () => monotonicMs() + readMs;
const byWrite = () => monotonicMs() + writeMs;

/** The newest that a history shows. */
const mostAnnotations = 1000;

export function createRedisStore({
  client,
  prefix = "cutover",
  starts = () => undefined,
}: RedisStoreOptions): Store {
  const caller = createCaller(client);
  const calls = createCalls(prefix);
  const cutovers = { caller, calls, contradictions: new Map(), regressions: [], starts };
  const around = {
    caller,
    calls,
    byRead,
    byWrite,
    answered,
    serverTime: (name: string, giveUpAtMs: number) => serverTime(caller, calls, name, giveUpAtMs),
  };
  const hints = createHints(client, calls.keys.changes);
  return {
    kind: "redis",
    load: (names, lastGood) => answered(() => loadCutovers(cutovers, names, lastGood, byRead())),
    async apply(command) {
      assertChange(command.change);
      if (command.fence !== undefined) assertFence(command.name, command.fence);
      return await answered(() => applyCommand(cutovers, command, byWrite()));
    },
    subscribe: hints.subscribe,
    strays: (names) =>
      answered(async () => {
        const kinds = await caller.run(
          names.map((name) => ["type", calls.keys.stray(name)]),
          byRead(),
        );
        return names.filter((_, at) => textFrom(kinds[at]) === "hash");
      }),
    ...instancesIn(caller, calls),
    ...historyIn(caller, calls),
    ...proposalsIn(caller, calls),
    ...leasesIn(around),
    ...notesIn(around),
    shared: (name, offer) =>
      answered(async () => {
        const [kept] = await caller.run([calls.share(name, offer)], byRead());
        return textFrom(kept);
      }),
    async close() {
      hints.close();
      await client.close();
    },
  };
}

/** One subscription to the channel, for as long as anybody listens. */
function createHints(client: RedisClient, channel: string) {
  const listeners = new Set<(announced?: Announcement) => void>();
  let unsubscribe: (() => void) | undefined;
  return {
    subscribe(onHint: (announced?: Announcement) => void): () => void {
      const listener = (announced?: Announcement) => onHint(announced);
      listeners.add(listener);
      unsubscribe ??= client.subscribe(channel, (message, isSure = false) => {
        const announced = message === undefined ? undefined : announcementFrom(message, isSure);
        for (const each of [...listeners]) each(announced);
      });
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        unsubscribe?.();
        unsubscribe = undefined;
      };
    },
    close() {
      listeners.clear();
      unsubscribe?.();
    },
  };
}

type InstancesPart = Pick<Store, "acknowledge" | "leave" | "instances" | "roster">;

function instancesIn(caller: Caller, calls: Calls): InstancesPart {
  const { keys } = calls;
  return {
    acknowledge: (record) =>
      answered(async () => {
        const lease = ["set", keys.instance(record.id), JSON.stringify(record), "px", leaseMs] as const;
        await caller.run([lease, calls.remember(record)], byRead());
      }),

    leave: (id) =>
      answered(async () => {
        const commands = [
          ["del", keys.instance(id)],
          ["zrem", keys.index, id],
          ["hdel", keys.roster, id],
        ] as const;
        await caller.run(commands, byRead());
      }),

    instances: () =>
      answered(async () => {
        const giveUpAtMs = byRead();
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
        const [found] = await caller.run([calls.roster()], byRead());
        return rosterFrom(found);
      }),
  };
}

function historyIn(caller: Caller, calls: Calls): Pick<Store, "history" | "annotate"> {
  const { keys } = calls;
  return {
    history: (name, limit, sinceMs) =>
      answered(async () => {
        if (limit <= 0) return [];
        // An entry's id is made from the server's clock a moment after the time that stands in the entry.
        const from = sinceMs === undefined ? "-" : Math.max(0, Math.floor(sinceMs));
        const [found, added] = await caller.run(
          [
            ["xrevrange", keys.audit(name), "+", from, "COUNT", limit],
            ["xrevrange", keys.annotations(name), "+", "-", "COUNT", mostAnnotations],
          ],
          byRead(),
        );
        const entries = historyFrom(found, added);
        return sinceMs === undefined ? entries : entries.filter(({ at }) => Date.parse(at) >= sinceMs);
      }),

    annotate: (annotating) => answered(() => annotate(caller, calls, annotating, byWrite())),
  };
}

/** Like a change of a cutover: one that is answered with StoreUnavailable is not made later. */
function annotate(
  caller: Caller,
  calls: Calls,
  annotating: Annotating,
  giveUpAtMs: number,
): Promise<Annotation | undefined> {
  return caller.change(giveUpAtMs, async (change) => {
    const deadline = change.deadline(await serverTime(caller, calls, annotating.name, giveUpAtMs));
    const call = calls.annotate(deadline, randomUUID(), annotating);
    const at = annotatedFrom(await change.once(() => call));
    if (at === undefined) return undefined;
    const { by, reason, via, requestId } = annotating;
    return { at, by, reason, via, ...(requestId === undefined ? {} : { requestId }) };
  });
}

/** The time of the server that has the cutover's keys. */
async function serverTime(
  caller: Caller,
  calls: Calls,
  name: string,
  giveUpAtMs: number,
): Promise<ServerTime> {
  const [found] = await caller.run([calls.read(name, undefined)], giveUpAtMs);
  return viewFrom(found, monotonicMs());
}

function proposalsIn(caller: Caller, calls: Calls): Pick<Store, "proposal" | "propose" | "withdraw"> {
  const { keys } = calls;
  return {
    proposal: (name) =>
      answered(async () => {
        const [found] = await caller.run([["get", keys.proposal(name)]], byRead());
        return proposalFrom(found);
      }),

    propose: (name, proposal, forMs) =>
      answered(async () => {
        const text = JSON.stringify(proposal);
        await caller.run([["set", keys.proposal(name), text, "px", forMs]], byRead());
      }),

    withdraw: (name, id) =>
      answered(async () => {
        const [done] = await caller.run([calls.withdraw(name, id)], byRead());
        return done === 1;
      }),
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

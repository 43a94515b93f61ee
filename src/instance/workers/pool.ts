/**
 * Keeps as many workers serving as the configuration asks for.
 *
 *   start    all, at once; one that can not start fails the start
 *   crash    replaced; one that lived less than 10 s after a delay that doubles, from 250 ms to 10 s
 *   silent   without a report for 15 s: ended, and replaced like any that crashed
 *   restart  one after the other: the new one accepts connections before the old one drains. A new one that can not
 *            start leaves the old ones as they are
 *   prepare  a configuration, in all of them: in force in all, or in none
 *
 * Every worker accepts from the one socket itself (SCHED_NONE). Were the primary to accept and pass connections on,
 * those on their way to a worker that is killed, or to the last one that closes, would be lost or hang.
 *
 * Starting a worker and changing the configuration never overlap, so that no worker starts by one that was replaced.
 */
import cluster from "node:cluster";
import { errorText, type Log } from "../../base/log.ts";
import { type Member, type MemberEvents, startMember } from "./member.ts";
import type { ConfigSource, Drain, Start, ToWorker } from "./messages.ts";

export interface Pool {
  /** @returns the port @throws Error when a worker can not start */
  start(): Promise<number>;
  /** All that live: also those that start or drain. */
  members(): readonly Member[];
  send(message: ToWorker): void;
  /** Whether one at least accepts connections. */
  serves(): boolean;
  /** Has all of them build it. @throws Error when one can not: then none keeps it */
  prepare(source: ConfigSource): Promise<{ commit(): void; discard(): void }>;
  /** @returns whether all were replaced */
  restart(drain: Drain): Promise<boolean>;
  /** Ends all of them once their exchanges are over. */
  close(drain: Drain): Promise<void>;
}

export interface PoolOptions {
  readonly size: number;
  /** The program of a worker. */
  readonly program: string;
  /** As of the moment it is called. */
  readonly first: (worker: number) => Start;
  readonly events: MemberEvents & {
    /** It is no more: neither serving nor draining. */
    onGone(member: Member): void;
  };
  readonly log: Log;
  /** No worker is left, and none can be started where the listening socket was handed over. */
  readonly onLost: () => void;
}

const shortLifeMs = 10_000;
const firstDelayMs = 250;
const longestDelayMs = 10_000;
const silentLooks = 15;
const lookEveryMs = 1000;
/** What a worker may take to end beyond the grace. */
const endingMs = 3000;

export function createPool({ size, program, first, events, log, onLost }: PoolOptions): Pool {
  /** With the looks since its last report. */
  const members = new Map<Member, number>();
  const serving = new Set<Member>();
  let last = 0;
  let delayMs = 0;
  let closing = false;
  let turn: Promise<unknown> = Promise.resolve();

  // In this order: the setup freezes the policy.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({ exec: program, args: [] });

  /** Runs the work after all that came before it. */
  function exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = turn.then(work);
    turn = done.catch(() => undefined);
    return done;
  }

  async function open(): Promise<{ member: Member; port: number }> {
    const number = ++last;
    const member = startMember(number, () => first(number), {
      ...events,
      onReport(from, report) {
        members.set(from, 0);
        events.onReport(from, report);
      },
    });
    const startedAt = performance.now();
    members.set(member, 0);
    void member.gone.then((why) => {
      members.delete(member);
      const served = serving.delete(member);
      events.onGone(member);
      if (served && !closing) replace(member, why, performance.now() - startedAt);
    });
    try {
      const port = await member.listening;
      serving.add(member);
      log.info({ worker: member.number, pid: member.pid }, "a worker serves");
      return { member, port };
    } catch (error) {
      member.kill();
      throw error;
    }
  }

  function replace(member: Member, why: string, livedMs: number): void {
    delayMs = livedMs > shortLifeMs ? 0 : Math.min(longestDelayMs, delayMs * 2 || firstDelayMs);
    log.error({ worker: member.number, pid: member.pid, why, delayMs }, "a worker is gone: it is replaced");
    if (serving.size === 0) onLost();
    setTimeout(() => void exclusively(reopen), delayMs);
  }

  async function reopen(): Promise<void> {
    if (closing || serving.size >= size) return;
    try {
      await open();
    } catch (error) {
      delayMs = Math.min(longestDelayMs, delayMs * 2 || firstDelayMs);
      log.error({ error: errorText(error), delayMs }, "a worker can not be started: tried again");
      setTimeout(() => void exclusively(reopen), delayMs);
    }
  }

  /** @returns when it is gone */
  async function end(member: Member, { idle, grace }: Drain): Promise<void> {
    serving.delete(member);
    member.send({ type: "drain", drain: { idle, grace } });
    const late = setTimeout(() => member.kill(), grace + endingMs);
    await member.gone;
    clearTimeout(late);
  }

  const looking = setInterval(() => {
    for (const [member, looks] of members) {
      members.set(member, looks + 1);
      if (looks !== silentLooks || !serving.has(member)) continue;
      log.error({ worker: member.number, pid: member.pid }, "a worker says nothing any more: it is ended");
      member.kill();
    }
  }, lookEveryMs);
  looking.unref();

  return {
    async start() {
      const opened = await exclusively(() => Promise.allSettled(Array.from({ length: size }, open)));
      let port = 0;
      for (const one of opened) {
        if (one.status === "rejected") throw one.reason;
        port = one.value.port;
      }
      return port;
    },
    members: () => [...members.keys()],
    serves: () => serving.size > 0,
    send(message) {
      for (const member of members.keys()) member.send(message);
    },
    prepare: (source) =>
      new Promise((resolve, reject) => {
        void exclusively(async () => {
          const all = [...serving];
          const problems = await Promise.all(all.map((member) => member.prepare(source)));
          const problem = problems.find((one) => one !== undefined);
          await new Promise<void>((settled) => {
            const tell = (type: "commit" | "discard") => {
              for (const member of all) member.send({ type });
              settled();
            };
            if (problem === undefined)
              resolve({ commit: () => tell("commit"), discard: () => tell("discard") });
            else {
              tell("discard");
              reject(new Error(problem));
            }
          });
        });
      }),
    async restart(drain) {
      for (const old of [...serving]) {
        if (closing) return false;
        try {
          await exclusively(open);
        } catch (error) {
          log.error({ error: errorText(error) }, "a new worker can not start: the restart ends here");
          return false;
        }
        await end(old, drain);
      }
      return true;
    },
    async close(drain) {
      closing = true;
      clearInterval(looking);
      await Promise.all([...members.keys()].map((member) => end(member, drain)));
    },
  };
}

/**
 * Keeps as many workers serving as the configuration asks for.
 *
 *   start    all, at once; one that cannot start fails the start
 *   crash    replaced; one that lived less than 10 s after a delay that doubles, from 250 ms to 10 s
 *   silent   without a report for 15 s: ended, and replaced like any that crashed
 *   restart  one after the other: the new one accepts connections before the old one drains. A new one that cannot
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
import type { ConfigSource } from "../../config/load/load.ts";
import type { Drain } from "../serving.ts";
import { type MemberEvents, startMember, type WorkerMember } from "./member.ts";
import type { Start, ToWorker } from "./messages.ts";

export interface Pool {
  /** @returns the port @throws Error when a worker cannot start */
  start(): Promise<number>;
  /** All workers that live, those included that start or drain. */
  members(): readonly WorkerMember[];
  send(message: ToWorker): void;
  /** Whether at least one accepts connections. */
  serves(): boolean;
  /** Has all of them build it. @throws Error when one cannot: then none keeps it */
  prepare(source: ConfigSource): Promise<{ commit(): void; discard(): void }>;
  /** @returns whether all were replaced */
  restart(drain: Drain): Promise<boolean>;
  /** Ends all of them once their exchanges are over. */
  close(drain: Drain): Promise<void>;
}

interface PoolOptions {
  readonly size: number;
  /** The program of a worker. */
  readonly program: string;
  /** What a worker is told first, as of the moment it is called. */
  readonly first: (worker: number) => Start;
  readonly events: MemberEvents & {
    /** The worker has ended. */
    onGone(worker: number): void;
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

/** The workers there are, and how the pool stands. */
interface Crew extends PoolOptions {
  /** Each worker, with the looks since its last report. */
  readonly members: Map<WorkerMember, number>;
  readonly serving: Set<WorkerMember>;
  /** Runs the work after all that came before it. */
  readonly exclusively: <T>(work: () => Promise<T>) => Promise<T>;
  /** The number that was given to a worker last. */
  last: number;
  delayMs: number;
  isClosing: boolean;
}

export function createPool(options: PoolOptions): Pool {
  const crew: Crew = {
    ...options,
    members: new Map(),
    serving: new Set(),
    exclusively: createQueue(),
    last: 0,
    delayMs: 0,
    isClosing: false,
  };
  // In this order: the setup freezes the policy.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({ exec: options.program, args: [] });
  const looking = setInterval(() => endSilent(crew), lookEveryMs);
  looking.unref();

  return {
    async start() {
      const addAll = () => Promise.allSettled(Array.from({ length: options.size }, () => add(crew)));
      let port = 0;
      for (const one of await crew.exclusively(addAll)) {
        if (one.status === "rejected") throw one.reason;
        port = one.value;
      }
      return port;
    },
    members: () => [...crew.members.keys()],
    serves: () => crew.serving.size > 0,
    send(message) {
      for (const member of crew.members.keys()) member.send(message);
    },
    prepare: (source) => prepareAll(crew, source),
    restart: (drain) => replaceAll(crew, drain),
    async close(drain) {
      crew.isClosing = true;
      clearInterval(looking);
      await Promise.all([...crew.members.keys()].map((member) => end(crew, member, drain)));
    },
  };
}

function createQueue(): Crew["exclusively"] {
  let turn: Promise<unknown> = Promise.resolve();
  return (work) => {
    const done = turn.then(work);
    turn = done.catch(() => undefined);
    return done;
  };
}

/** Starts a worker. @returns the port once it serves */
async function add(crew: Crew): Promise<number> {
  const { members, serving, events, log } = crew;
  const number = ++crew.last;
  const member = startMember(number, () => crew.first(number), {
    ...events,
    onReport(worker, report) {
      members.set(member, 0);
      events.onReport(worker, report);
    },
  });
  const startedAt = performance.now();
  members.set(member, 0);
  void member.gone.then((why) => {
    members.delete(member);
    const served = serving.delete(member);
    events.onGone(number);
    if (served && !crew.isClosing) replace(crew, member, why, performance.now() - startedAt);
  });
  try {
    const port = await member.listening;
    serving.add(member);
    log.info({ worker: number, pid: member.pid }, "a worker serves");
    return port;
  } catch (error) {
    member.kill();
    throw error;
  }
}

function replace(crew: Crew, { number, pid }: WorkerMember, why: string, livedMs: number): void {
  crew.delayMs = livedMs > shortLifeMs ? 0 : longer(crew.delayMs);
  const { delayMs } = crew;
  crew.log.error({ worker: number, pid, why, delayMs }, "a worker is gone: it is replaced");
  if (crew.serving.size === 0) crew.onLost();
  setTimeout(() => void crew.exclusively(() => refill(crew)), delayMs);
}

async function refill(crew: Crew): Promise<void> {
  if (crew.isClosing || crew.serving.size >= crew.size) return;
  try {
    await add(crew);
  } catch (error) {
    crew.delayMs = longer(crew.delayMs);
    const { delayMs } = crew;
    crew.log.error({ error: errorText(error), delayMs }, "a worker cannot be started: tried again");
    setTimeout(() => void crew.exclusively(() => refill(crew)), delayMs);
  }
}

function longer(delayMs: number): number {
  return Math.min(longestDelayMs, delayMs * 2 || firstDelayMs);
}

/** Has the worker drain. Resolves when it is gone. */
async function end({ serving }: Crew, member: WorkerMember, { idle, grace }: Drain): Promise<void> {
  serving.delete(member);
  member.send({ type: "drain", drain: { idle, grace } });
  const late = setTimeout(() => member.kill(), grace + endingMs);
  await member.gone;
  clearTimeout(late);
}

function endSilent({ members, serving, log }: Crew): void {
  for (const [member, looks] of members) {
    members.set(member, looks + 1);
    if (looks !== silentLooks || !serving.has(member)) continue;
    log.error({ worker: member.number, pid: member.pid }, "a worker says nothing any more: it is ended");
    member.kill();
  }
}

/** No worker starts until what was prepared is committed or discarded. */
function prepareAll({ serving, exclusively }: Crew, source: ConfigSource): ReturnType<Pool["prepare"]> {
  return new Promise((resolve, reject) => {
    void exclusively(async () => {
      const all = [...serving];
      const problems = await Promise.all(all.map((member) => member.prepare(source)));
      const problem = problems.find((one) => one !== undefined);
      await new Promise<void>((settled) => {
        const tell = (type: "commit" | "discard") => {
          for (const member of all) member.send({ type });
          settled();
        };
        if (problem === undefined) resolve({ commit: () => tell("commit"), discard: () => tell("discard") });
        else {
          tell("discard");
          reject(new Error(problem));
        }
      });
    });
  });
}

/** Replaces one after the other. @returns whether all were replaced */
async function replaceAll(crew: Crew, drain: Drain): Promise<boolean> {
  for (const old of [...crew.serving]) {
    if (crew.isClosing) return false;
    try {
      await crew.exclusively(() => add(crew));
    } catch (error) {
      crew.log.error({ error: errorText(error) }, "a new worker cannot start: the restart ends here");
      return false;
    }
    await end(crew, old, drain);
  }
  return true;
}

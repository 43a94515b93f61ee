/** One slice of one subject: what its process tree used for the requests that the load says were answered. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Ask, startLoad, type Transport } from "./load.ts";
import { usageOf } from "./processes.ts";
import { spareSeconds } from "./secure/h2load.ts";
import type { Started, Subject } from "./subjects.ts";
import type { Upstreams } from "./upstreams.ts";

export interface Slice {
  /** Requests, lead-in included. */
  readonly answered: number;
  readonly cpuMicrosPerRequest: number;
  readonly rps: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly rssMiB: number;
  /** How much of its core the subject had, 0–1: well below 1, it was short of load, or others were in its way. */
  readonly coreShare: number;
}

export interface MeasureOptions {
  readonly seconds: number;
  readonly loadCore: number;
  readonly upstreams: Upstreams;
  readonly over: Transport;
  readonly ask: Ask;
  /** Requests; without it as many as are answered. */
  readonly perSecond?: number;
}

/** Until connections are made on both sides, and what they are made by is in the caches again. */
const leadInRequests = 500;
const leadInMs = 250;

/**
 * CPU time is that between two moments under load, and the requests are those that the upstreams saw between them.
 *
 * @throws Error when a request failed
 */
export async function measure(subject: Subject, started: Started, options: MeasureOptions): Promise<Slice> {
  const { seconds, loadCore, upstreams, over, perSecond } = options;
  const ask = subject.ask ?? options.ask;
  const idle = await upstreams.requests();
  const load = startLoad({ port: started.port, core: loadCore, over, ask, seconds, perSecond });
  // What ends by itself is not waited for beyond its end.
  const leadInEnds = over === "h2" ? performance.now() + 1000 * spareSeconds : Number.POSITIVE_INFINITY;
  do await sleep(leadInMs);
  while ((await upstreams.requests()) < idle + leadInRequests && performance.now() < leadInEnds);
  const from = await momentOf(started, upstreams);
  await sleep(1000 * seconds);
  const to = await momentOf(started, upstreams);
  const result = await load.stop();
  if (result.errors > 0 || result.requests === 0)
    throw new Error(`${subject.name}: ${result.errors} of ${result.requests} requests failed`);
  const cpuSeconds = to.cpuSeconds - from.cpuSeconds;
  const requests = to.requests - from.requests;
  return {
    answered: result.requests,
    cpuMicrosPerRequest: (cpuSeconds / requests) * 1e6,
    rps: (1000 * requests) / (to.atMs - from.atMs),
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    rssMiB: to.rssMiB,
    coreShare: (1000 * cpuSeconds) / (to.atMs - from.atMs),
  };
}

async function momentOf({ pid }: Started, upstreams: Upstreams) {
  const requests = await upstreams.requests();
  return { requests, atMs: performance.now(), ...usageOf(pid) };
}

/** Requests the upstreams may have been asked beyond those answered: under way at the end of a slice, and our own. */
const underWay = 400;
/** Points the share may be off: another hash than the cutover's places 1,000 shoppers otherwise. */
const sharePoints = 4;

/**
 * Slices of one subject, and whether the upstreams saw what they should have.
 *
 * @throws Error when they were not asked once for each answer, or the sides otherwise than the subject should
 */
export async function verified(
  { name, splits, ask: own }: Subject,
  { upstreams, ask }: Pick<MeasureOptions, "upstreams" | "ask">,
  slices: () => Promise<readonly Slice[]>,
): Promise<void> {
  const before = await upstreams.counts();
  const measured = await slices();
  const after = await upstreams.counts();
  const legacy = after.legacy - before.legacy;
  const next = after.new - before.new;
  const answered = measured.reduce((sum, slice) => sum + slice.answered, 0);
  if (Math.abs(legacy + next - answered) > underWay * measured.length)
    throw new Error(`${name}: ${answered} answers, ${legacy + next} requests to the upstreams`);
  const share = (100 * next) / (legacy + next);
  const expected = splits ? 25 : 0;
  // Of the 64 shoppers whose messages are sent, other than a quarter may go to the new side.
  if ((own ?? ask) !== "messages" && Math.abs(share - expected) > sharePoints)
    throw new Error(`${name}: ${share.toFixed(1)}% went to the new side, expected ${expected}%`);
}

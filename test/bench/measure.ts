/** One round of one subject: what its process tree used for the requests that the load says were answered. */
import { type LoadResult, load } from "./load.ts";
import { usageOf } from "./processes.ts";
import type { Started, Subject } from "./subjects.ts";
import type { Upstreams } from "./upstreams.ts";

export interface Round {
  readonly requests: number;
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
}

/** Requests the upstreams may have been asked beyond those answered: under way at the end, and our own. */
const underWay = 200;
/** Points the share may be off: another hash than the cutover's places 1,000 shoppers otherwise. */
const sharePoints = 4;

/** @throws Error when a request failed, or the sides were asked otherwise than the subject should */
export async function measure(subject: Subject, started: Started, options: MeasureOptions): Promise<Round> {
  const { seconds, loadCore, upstreams } = options;
  const askedBefore = await upstreams.counts();
  const before = usageOf(started.pid);
  const result = await load({ port: started.port, seconds, core: loadCore });
  const after = usageOf(started.pid);
  const asked = await upstreams.counts();
  check(subject, result, asked.legacy - askedBefore.legacy, asked.new - askedBefore.new);
  const cpuSeconds = after.cpuSeconds - before.cpuSeconds;
  return {
    requests: result.requests,
    cpuMicrosPerRequest: (cpuSeconds / result.requests) * 1e6,
    rps: result.requests / result.seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    rssMiB: after.rssMiB,
    coreShare: cpuSeconds / result.seconds,
  };
}

function check({ name, splits }: Subject, result: LoadResult, legacy: number, next: number): void {
  if (result.errors > 0 || result.requests === 0)
    throw new Error(`${name}: ${result.errors} of ${result.requests} requests failed`);
  if (Math.abs(legacy + next - result.requests) > underWay)
    throw new Error(`${name}: ${result.requests} answers, ${legacy + next} requests to the upstreams`);
  const share = (100 * next) / (legacy + next);
  const expected = splits ? 25 : 0;
  if (Math.abs(share - expected) > sharePoints)
    throw new Error(`${name}: ${share.toFixed(1)}% went to the new side, expected ${expected}%`);
}

/** The requests of one side that are over: how many, how they ended, how long they took; and a sparse form of it. */
import * as z from "zod";
import { countsAsError, countsAsRequest, type Outcome } from "../../proxy/outcome.ts";
import { latencyBucket, latencyBuckets } from "./latency.ts";

/** Classes of the statuses that a side answers with. */
export const statusClasses = ["2xx", "3xx", "4xx", "5xx"] as const;
export type StatusClass = (typeof statusClasses)[number];

/** Outcomes of a request that its side itself has answered. */
const answered: ReadonlySet<Outcome> = new Set(["ok", "server_error", "failed"]);

export function isAnswered(outcome: Outcome): boolean {
  return answered.has(outcome);
}

/** @returns the place of the answer's class in `statusClasses`; -1: it is none of its side's, or of no class */
export function classOf(outcome: Outcome, status: number | undefined): number {
  if (status === undefined || status < 200 || status > 599 || !answered.has(outcome)) return -1;
  return Math.floor(status / 100) - 2;
}

/** Bucket of latency.ts, count, bucket, count … */
const sparse = z
  .array(z.int().min(0))
  .max(2 * latencyBuckets)
  .refine((flat) => flat.length % 2 === 0 && flat.every((n, i) => i % 2 === 1 || n < latencyBuckets));

export const countsForm = z.object({
  errors: z.int().min(0),
  latency: sparse,
  /** Answers by `statusClasses`; a release of before says nothing of them. */
  statuses: z.array(z.int().min(0)).length(statusClasses.length).default([0, 0, 0, 0]),
});
export type CountsForm = z.output<typeof countsForm>;

export interface SideCounts {
  /** One number for each bucket of latency.ts. */
  readonly latencies: Uint32Array | Float64Array;
  /** By `statusClasses`. */
  readonly statuses: Uint32Array | Float64Array;
  requests: number;
  errors: number;
}

export function noRequests(): SideCounts {
  return {
    latencies: new Uint32Array(latencyBuckets),
    statuses: new Uint32Array(statusClasses.length),
    requests: 0,
    errors: 0,
  };
}

export function clear(counts: SideCounts): void {
  if (counts.requests === 0) return;
  counts.latencies.fill(0);
  counts.statuses.fill(0);
  counts.requests = 0;
  counts.errors = 0;
}

/** @param status of the answer, where there is one */
export function countRequest(
  counts: SideCounts,
  outcome: Outcome,
  seconds: number,
  status: number | undefined,
): void {
  if (!countsAsRequest(outcome)) return;
  const bucket = latencyBucket(seconds);
  counts.latencies[bucket] = (counts.latencies[bucket] ?? 0) + 1;
  counts.requests += 1;
  if (countsAsError(outcome)) counts.errors += 1;
  const place = classOf(outcome, status);
  if (place >= 0) counts.statuses[place] = (counts.statuses[place] ?? 0) + 1;
}

export function addForm(counts: SideCounts, { errors, latency, statuses }: CountsForm): void {
  for (let i = 0; i < latency.length; i += 2) {
    const [bucket = 0, requests = 0] = [latency[i], latency[i + 1]];
    counts.latencies[bucket] = (counts.latencies[bucket] ?? 0) + requests;
    counts.requests += requests;
  }
  for (const [place, answers] of statuses.entries()) {
    counts.statuses[place] = (counts.statuses[place] ?? 0) + answers;
  }
  counts.errors += errors;
}

/** All of them together, in the sparse form. */
export function formOf(all: readonly SideCounts[]): CountsForm {
  const sums = new Float64Array(latencyBuckets);
  const statuses = statusClasses.map(() => 0);
  let errorSum = 0;
  for (const { latencies, statuses: own, requests, errors } of all) {
    if (requests === 0) continue;
    for (let bucket = 0; bucket < latencyBuckets; bucket++) {
      sums[bucket] = (sums[bucket] ?? 0) + (latencies[bucket] ?? 0);
    }
    for (const [place, answers] of own.entries()) statuses[place] = (statuses[place] ?? 0) + answers;
    errorSum += errors;
  }
  return { errors: errorSum, latency: sparseOf(sums), statuses };
}

/** @returns bucket, count, bucket, count … of those that are not 0 */
export function sparseOf(counts: Uint32Array | Float64Array): number[] {
  const flat: number[] = [];
  for (const [bucket, sum] of counts.entries()) if (sum > 0) flat.push(bucket, sum);
  return flat;
}

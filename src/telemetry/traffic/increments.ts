/**
 * The traffic figures of a process that hands them on: what was recorded since it was last taken. The one who
 * receives them keeps the window (traffic.ts).
 */

import { countsAsError, countsAsRequest } from "../../proxy/outcome.ts";
import { type Side, sides } from "../../state/rules/model.ts";
import { latencyBucket, latencyBuckets } from "./latency.ts";
import type { TrafficIncrements, TrafficRecorder } from "./traffic.ts";

export interface TrafficTaker {
  /** The same one each time it is asked for a name. */
  recorder(cutover: string): TrafficRecorder;
  take(): TrafficIncrements;
}

interface Recorded extends TrafficRecorder {
  take(cutover: string): TrafficIncrements;
}

export function createTrafficTaker(): TrafficTaker {
  const recorded = new Map<string, Recorded>();
  return {
    recorder(cutover) {
      const known = recorded.get(cutover) ?? createRecorded();
      recorded.set(cutover, known);
      return known;
    },
    take: () => [...recorded].flatMap(([cutover, one]) => one.take(cutover)),
  };
}

function createRecorded(): Recorded {
  const latencies = { legacy: new Float64Array(latencyBuckets), new: new Float64Array(latencyBuckets) };
  const errors: Record<Side, number> = { legacy: 0, new: 0 };
  const touched: Record<Side, boolean> = { legacy: false, new: false };
  return {
    record(side, outcome, seconds) {
      if (!countsAsRequest(outcome)) return;
      const bucket = latencyBucket(seconds);
      latencies[side][bucket] = (latencies[side][bucket] ?? 0) + 1;
      if (countsAsError(outcome)) errors[side] += 1;
      touched[side] = true;
    },
    take(cutover) {
      return sides.flatMap((side): TrafficIncrements => {
        if (!touched[side]) return [];
        const latency: number[] = [];
        for (const [bucket, count] of latencies[side].entries()) if (count > 0) latency.push(bucket, count);
        const form = { errors: errors[side], latency };
        latencies[side].fill(0);
        errors[side] = 0;
        touched[side] = false;
        return [[cutover, side, form]];
      });
    },
  };
}

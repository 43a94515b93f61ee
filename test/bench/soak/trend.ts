/** What memory does over a run: a line fitted through all samples but those of the first tenth. */
import { aligned } from "../report.ts";

export interface Sample {
  /** Counted so far. */
  readonly requests: number;
  readonly rssMiB: number;
}

/** @returns MiB a million requests, by least squares */
export function slopeOf(samples: readonly Sample[], requests: number): number {
  const counted = samples.filter((sample) => sample.requests >= requests / 10);
  const meanX = mean(counted.map((sample) => sample.requests));
  const meanY = mean(counted.map((sample) => sample.rssMiB));
  let above = 0;
  let below = 0;
  for (const { requests: x, rssMiB: y } of counted) {
    above += (x - meanX) * (y - meanY);
    below += (x - meanX) ** 2;
  }
  return (above / below) * 1e6;
}

/** A line a tenth. */
export function tenthsOf(samples: readonly Sample[], requests: number): string {
  const lines = Array.from({ length: 10 }, (_, tenth) => {
    const inside = samples.filter((sample) => {
      return Math.min(9, Math.floor((10 * sample.requests) / requests)) === tenth;
    });
    const resident = inside.map(({ rssMiB }) => rssMiB);
    if (inside.length === 0) return [`${tenth + 1}`, "–", "–", "–"];
    return [
      `${tenth + 1}`,
      ...[mean(resident), Math.min(...resident), Math.max(...resident)].map((value) => value.toFixed(1)),
    ];
  });
  return aligned([["tenth", "RSS MiB", "least", "most"], ...lines]);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

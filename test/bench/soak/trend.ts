/**
 * What memory does over a run. What is resident between collections is also what waits for one, and saws by more than any
 * leak would add within the hour; a leak raises what a collection leaves. So the slope is that of a line through the
 * floors: the least of each tenth of the run but the first.
 */
import { aligned } from "../report.ts";

export interface Sample {
  /** Counted so far. */
  readonly requests: number;
  readonly rssMiB: number;
}

/** MiB a million requests, by least squares. */
export interface Slopes {
  readonly floors: number;
  /** The slope of the line through all samples: with the saw in it. */
  readonly all: number;
}

export function slopesOf(samples: readonly Sample[], requests: number): Slopes {
  const counted = samples.filter((sample) => sample.requests >= requests / 10);
  const floors = tenths(counted, requests).flatMap((part) => {
    const [first, ...rest] = part;
    if (first === undefined) return [];
    return [rest.reduce((least, sample) => (sample.rssMiB < least.rssMiB ? sample : least), first)];
  });
  return { floors: slopeOf(floors), all: slopeOf(counted) };
}

function slopeOf(samples: readonly Sample[]): number {
  const meanX = mean(samples.map((sample) => sample.requests));
  const meanY = mean(samples.map((sample) => sample.rssMiB));
  let above = 0;
  let below = 0;
  for (const { requests: x, rssMiB: y } of samples) {
    above += (x - meanX) * (y - meanY);
    below += (x - meanX) ** 2;
  }
  return (above / below) * 1e6;
}

/** A line a tenth. */
export function tenthsOf(samples: readonly Sample[], requests: number): string {
  const lines = tenths(samples, requests).map((part, place) => {
    const resident = part.map(({ rssMiB }) => rssMiB);
    if (part.length === 0) return [`${place + 1}`, "–", "–", "–"];
    return [
      `${place + 1}`,
      ...[mean(resident), Math.min(...resident), Math.max(...resident)].map((value) => value.toFixed(1)),
    ];
  });
  return aligned([["tenth", "RSS MiB", "least", "most"], ...lines]);
}

function tenths(samples: readonly Sample[], requests: number): readonly Sample[][] {
  const found = Array.from({ length: 10 }, (): Sample[] => []);
  for (const sample of samples) {
    found[Math.min(9, Math.floor((10 * sample.requests) / requests))]?.push(sample);
  }
  return found;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

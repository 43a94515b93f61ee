/**
 * What memory does over a run. What is resident between collections is also what waits for one, and saws by more than any
 * leak would add within the hour; a leak raises what a collection leaves. So the slope is that of a line through the
 * floors: the least of each fiftieth of the run, but for those of the first tenth.
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
  /** Of the line through all samples: with the saw in it. */
  readonly all: number;
}

export function slopesOf(samples: readonly Sample[], requests: number): Slopes {
  const counted = samples.filter((sample) => sample.requests >= requests / 10);
  const floors = parts(counted, requests, 50).flatMap((part) => {
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
  const lines = parts(samples, requests, 10).map((part, place) => {
    const resident = part.map(({ rssMiB }) => rssMiB);
    if (part.length === 0) return [`${place + 1}`, "–", "–", "–"];
    return [
      `${place + 1}`,
      ...[mean(resident), Math.min(...resident), Math.max(...resident)].map((value) => value.toFixed(1)),
    ];
  });
  return aligned([["tenth", "RSS MiB", "least", "most"], ...lines]);
}

/** The samples by the part of the run that they were taken in, of so many equal ones. */
function parts(samples: readonly Sample[], requests: number, count: number): readonly Sample[][] {
  const found = Array.from({ length: count }, (): Sample[] => []);
  for (const sample of samples) {
    found[Math.min(count - 1, Math.floor((count * sample.requests) / requests))]?.push(sample);
  }
  return found;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

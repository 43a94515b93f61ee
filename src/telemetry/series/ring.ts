/** Figures of one side and step after the other, in as much memory as the first day takes: the oldest give way. */

/** Of a step; NaN: nothing was counted that would tell. */
export interface SidePoint {
  readonly requests: number;
  readonly errors: number;
  /** Seconds. */
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly inFlight: number;
}

export interface SeriesPoint {
  /** When the step began, ms since the epoch. */
  readonly at: number;
  /** Those whose figures are in it. */
  readonly instances: number;
  readonly legacy: SidePoint;
  readonly new: SidePoint;
}

interface Ring {
  /** In place of what was put for the same step, or a whole round ago. */
  put(point: SeriesPoint): void;
  /** Oldest first. @param sinceMs since the epoch */
  read(sinceMs: number): SeriesPoint[];
}

const fields = ["requests", "errors", "p50", "p95", "p99", "inFlight"] as const;
const width = 1 + 2 * fields.length;

/** @param length how many steps it has room for */
export function createRing(length: number, stepMs: number): Ring {
  const times = new Float64Array(length).fill(Number.NaN);
  const values = new Float32Array(length * width);

  function write(from: number, side: SidePoint): void {
    for (const [place, field] of fields.entries()) values[from + place] = side[field] ?? Number.NaN;
  }

  function side(from: number): SidePoint {
    const value = (place: number) => values[from + place] ?? Number.NaN;
    const orNull = (place: number) => (Number.isNaN(value(place)) ? null : value(place));
    const [p50, p95, p99] = [orNull(2), orNull(3), orNull(4)];
    return { requests: value(0), errors: value(1), p50, p95, p99, inFlight: value(5) };
  }

  return {
    put(point) {
      const slot = Math.floor(point.at / stepMs) % length;
      times[slot] = point.at;
      values[slot * width] = point.instances;
      write(slot * width + 1, point.legacy);
      write(slot * width + 1 + fields.length, point.new);
    },
    read(sinceMs) {
      const found = [...times].flatMap((at, slot) => {
        if (Number.isNaN(at) || at < sinceMs) return [];
        const from = slot * width;
        const sides = { legacy: side(from + 1), new: side(from + 1 + fields.length) };
        return [{ at, instances: values[from] ?? 0, ...sides }];
      });
      return found.sort((one, other) => one.at - other.at);
    },
  };
}

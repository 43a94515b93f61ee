/** The slices of each subject as rows, and the rows as tables. */
import type { Slice } from "./measure.ts";

export interface Row extends Slice {
  readonly name: string;
  /** The first and the third quartile of all rounds; the row's other figures are medians. */
  readonly cpuMicrosLow: number;
  readonly cpuMicrosHigh: number;
  /** CPU time a request as a multiple of another subject's, by its name. */
  readonly ratios: Readonly<Record<string, Quartiles>>;
}

/** The quartiles of the ratios within each round: what slows a machine for a while slows neighbours alike. */
export interface Quartiles {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

/** @param rounds of all subjects by name, one slice a round */
export function rowsOf(rounds: ReadonlyMap<string, readonly Slice[]>): readonly Row[] {
  return [...rounds].map(([name, slices]) => {
    const cpu = microsOf(slices);
    const ratios: Record<string, Quartiles> = {};
    for (const [reference, ofReference] of rounds) {
      const others = microsOf(ofReference);
      ratios[reference] = quartiles(cpu.map((micros, round) => micros / (others[round] ?? Number.NaN)));
    }
    const { low, median: middle, high } = quartiles(cpu);
    return {
      name,
      answered: slices.reduce((sum, slice) => sum + slice.answered, 0),
      cpuMicrosPerRequest: middle,
      cpuMicrosLow: low,
      cpuMicrosHigh: high,
      ratios,
      rps: median(slices.map((slice) => slice.rps)),
      p50Ms: median(slices.map((slice) => slice.p50Ms)),
      p99Ms: median(slices.map((slice) => slice.p99Ms)),
      rssMiB: median(slices.map((slice) => slice.rssMiB)),
      coreShare: median(slices.map((slice) => slice.coreShare)),
    };
  });
}

function microsOf(slices: readonly Slice[]): readonly number[] {
  return slices.map((slice) => slice.cpuMicrosPerRequest);
}

/** How much longer one subject's slowest hundredth takes than each other's: the quartiles of the rounds' differences. */
export function addedLatency(name: string, rounds: ReadonlyMap<string, readonly Slice[]>): string {
  const own = rounds.get(name) ?? [];
  const lines = [...rounds].flatMap(([other, slices]) => {
    if (other === name) return [];
    const {
      low,
      median: middle,
      high,
    } = quartiles(own.map((slice, round) => slice.p99Ms - (slices[round]?.p99Ms ?? Number.NaN)));
    return [
      `p99 of ${name} over ${other}: ${middle.toFixed(2)} ms (quartiles ${low.toFixed(2)} to ${high.toFixed(2)})`,
    ];
  });
  return lines.join("\n");
}

/** Subjects by line; ratios to those of them that are given as references, a column each. */
export function tableOf(rows: readonly Row[], references: readonly string[]): string {
  const present = references.filter((name) => rows.some((row) => row.name === name));
  const head = ["", "CPU µs/req", "quartiles", ...present.flatMap((name) => [`÷ ${name}`, "quartiles"])];
  const lines = [[...head, "req/s", "p50 ms", "p99 ms", "RSS MiB", "of its core"]];
  for (const row of rows) {
    lines.push([
      row.name,
      row.cpuMicrosPerRequest.toFixed(1),
      `${row.cpuMicrosLow.toFixed(1)}–${row.cpuMicrosHigh.toFixed(1)}`,
      ...present.flatMap((name) => ratioCells(row.ratios[name])),
      row.rps.toFixed(0),
      row.p50Ms.toFixed(2),
      row.p99Ms.toFixed(2),
      row.rssMiB.toFixed(0),
      `${(100 * row.coreShare).toFixed(0)}%`,
    ]);
  }
  return aligned(lines);
}

function ratioCells(ratio: Quartiles | undefined): readonly string[] {
  if (ratio === undefined) return ["–", "–"];
  return [ratio.median.toFixed(2), `${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)}`];
}

/** The first column to the left, numbers to the right. */
export function aligned(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  );
  const cell = (text: string, column: number) =>
    column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0);
  return lines.map((line) => line.map(cell).join("  ").trimEnd()).join("\n");
}

export function median(values: readonly number[]): number {
  return quartiles(values).median;
}

/** Between two values, in proportion. */
export function quartiles(values: readonly number[]): Quartiles {
  const sorted = values.toSorted((a, b) => a - b);
  return { low: quantile(sorted, 0.25), median: quantile(sorted, 0.5), high: quantile(sorted, 0.75) };
}

/** @param sorted from the least @param share 0–1 */
export function quantile(sorted: readonly number[], share: number): number {
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

/** The rounds of each subject as rows, and the rows as a table. */
import type { Round } from "./measure.ts";

export interface Row extends Round {
  readonly name: string;
  /** The least and the most of all rounds; the row's other figures are medians. */
  readonly cpuMicrosMin: number;
  readonly cpuMicrosMax: number;
}

export function rowOf(name: string, rounds: readonly Round[]): Row {
  const cpu = rounds.map((round) => round.cpuMicrosPerRequest);
  return {
    name,
    requests: rounds.reduce((sum, round) => sum + round.requests, 0),
    cpuMicrosPerRequest: median(cpu),
    cpuMicrosMin: Math.min(...cpu),
    cpuMicrosMax: Math.max(...cpu),
    rps: median(rounds.map((round) => round.rps)),
    p50Ms: median(rounds.map((round) => round.p50Ms)),
    p99Ms: median(rounds.map((round) => round.p99Ms)),
    rssMiB: median(rounds.map((round) => round.rssMiB)),
    coreShare: median(rounds.map((round) => round.coreShare)),
  };
}

const references = ["bare-http-proxy", "bare-engine", "haproxy"] as const;

export function tableOf(rows: readonly Row[]): string {
  const micros = new Map(rows.map((row) => [row.name, row.cpuMicrosPerRequest]));
  const head = ["", "CPU µs/req", "min–max", ...references.map((name) => `÷ ${name}`)];
  const lines = [[...head, "req/s", "p50 ms", "p99 ms", "RSS MiB", "of its core"]];
  for (const row of rows) {
    const ratios = references.map((name) => {
      const of = micros.get(name);
      return of === undefined ? "–" : (row.cpuMicrosPerRequest / of).toFixed(2);
    });
    lines.push([
      row.name,
      row.cpuMicrosPerRequest.toFixed(1),
      `${row.cpuMicrosMin.toFixed(1)}–${row.cpuMicrosMax.toFixed(1)}`,
      ...ratios,
      row.rps.toFixed(0),
      row.p50Ms.toFixed(2),
      row.p99Ms.toFixed(2),
      row.rssMiB.toFixed(0),
      `${(100 * row.coreShare).toFixed(0)}%`,
    ]);
  }
  return aligned(lines);
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
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

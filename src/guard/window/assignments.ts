/**
 * To which side new shoppers were assigned, by block: what actually happened to whom the splitter sent by his bucket, each
 * shopper once a step. PURE: times come in as arguments.
 */
import type { AssignedRow } from "../evidence/share-check.ts";
import type { CountedSide } from "./attempts.ts";

export interface AssignedBlock {
  readonly block: number;
  readonly rows: readonly AssignedRow[];
}

export interface AssignmentsWindow {
  /** @param percent that his bucket was held against, in thousandths */
  assigned(atMs: number, side: CountedSide, bucket: number, percent: number): void;
  /** The blocks that are told of still, the oldest first. */
  report(atMs: number): readonly AssignedBlock[];
  /** A step begins: everybody is new again. */
  renew(): void;
}

const bucketCount = 100_000;
/** Percents of a block that are told. */
const mostRows = 8;
/** How long a block is told of: what a leader that has died did not look at, the next one does. */
const toldForMs = 10_000;

export function createAssignmentsWindow(blockMs: number): AssignmentsWindow {
  const known = new Uint8Array(bucketCount);
  let blocks: { readonly block: number; readonly rows: Map<number, [number, number, number]> }[] = [];
  return {
    assigned(atMs, side, bucket, percent) {
      if (known[bucket] === 1) return;
      known[bucket] = 1;
      const block = Math.floor(atMs / blockMs);
      let last = blocks.at(-1);
      if (last === undefined || last.block < block) {
        last = { block, rows: new Map() };
        blocks = [...blocks.slice(-Math.ceil(toldForMs / blockMs)), last];
      }
      const row = last.rows.get(percent) ?? [percent, 0, 0];
      row[side === "legacy" ? 1 : 2] += 1;
      if (last.rows.size < mostRows) last.rows.set(percent, row);
    },
    report(atMs) {
      const oldest = Math.floor((atMs - toldForMs) / blockMs);
      return blocks
        .filter(({ block }) => block >= oldest)
        .map(({ block, rows }) => ({ block, rows: [...rows.values()].map((row): AssignedRow => [...row]) }));
    },
    renew: () => void known.fill(0),
  };
}

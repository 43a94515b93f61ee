/**
 * Blocks that instances of several hosts tell apart alike. Each host cuts its time into blocks by a clock that never steps
 * back; which of them is the fleet's block n, the store's clock says, to the nearest. How two hosts' blocks lie to each
 * other does not matter to the evidence, for each counts what arrived in its own; that none is counted twice does.
 *
 * So the difference stays as it was found, until the clocks are more than a block apart: a host's has drifted, or the
 * store is another server. From then on blocks have the new numbers, and those that have begun before are told no more.
 */
import type { BlockReport } from "./attempts.ts";

interface FleetBlocks {
  /** Now, by the clock of the fleet's blocks. */
  nowMs(): number;
  /** The blocks of this host by the fleet's numbers. */
  numbered(blocks: readonly BlockReport[]): BlockReport[];
}

interface FleetBlocksOptions {
  readonly blockMs: number;
  /** By which this host's processes tell blocks apart. */
  readonly hostMs: () => number;
  /** The store's clock, since the epoch. */
  readonly storeMs: () => number;
}

export function createFleetBlocks({ blockMs, hostMs, storeMs }: FleetBlocksOptions): FleetBlocks {
  let ahead = blocksAhead();
  /** Of this host: older ones had other numbers. */
  let first = Number.NEGATIVE_INFINITY;

  function blocksAhead(): number {
    return Math.round((storeMs() - hostMs()) / blockMs);
  }

  function nowMs(): number {
    const now = hostMs();
    if (Math.abs(storeMs() - now - ahead * blockMs) > blockMs) {
      ahead = blocksAhead();
      first = Math.floor(now / blockMs) + 1;
    }
    return now + ahead * blockMs;
  }

  return {
    nowMs,
    numbered(blocks) {
      nowMs();
      return blocks.flatMap((report) =>
        report.block < first ? [] : { ...report, block: report.block + ahead },
      );
    },
  };
}

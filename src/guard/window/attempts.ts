/**
 * Who attempted and who failed, by the block in which the attempt arrived. PURE: times come in as arguments.
 *
 * By arrival, because what is counted when it is over compares the patient of one side with the quick of the other as soon
 * as the split changes. A shopper, known by its bucket, is one unit a side and block, and leaves the count for the rest
 * of the step once a failure of his has counted: one broken client that fails each minute would otherwise roll back
 * everybody.
 */

const bucketCount = 100_000;

/** Failed shoppers that a block tells of by name; beyond them only how many there are. */
const mostNamed = 500;

export interface WindowTimes {
  readonly blockMs: number;
  /** After a block's end, when its quick and late looks are. */
  readonly quickAfterMs: number;
  readonly lateAfterMs: number;
  /** The longest that an answer may take to begin; absent: that is not looked at. */
  readonly sloMs?: number;
  /** Whether the payments of journeys are followed. */
  readonly followsJourneys?: boolean;
}

/** After a block's end, when it is known who of it was not answered in time. */
export function slowAfter({ quickAfterMs, sloMs = 0 }: WindowTimes): number {
  return sloMs + quickAfterMs;
}

/** Both sides of a block. */
export type ReportedSides = Readonly<Record<CountedSide, SideReport>>;

export type CountedSide = "legacy" | "onNew";

/** One side of a block. */
export interface SideReport {
  readonly units: number;
  /** Buckets that failed by the quick look, and by the late one those too; at most `mostNamed` of each. */
  readonly quick: readonly number[];
  readonly late: readonly number[];
  /** How many failed beyond those that are named. */
  readonly unnamedQuick: number;
  readonly unnamedLate: number;
}

export interface BlockReport extends ReportedSides {
  /** Since the epoch, in blocks. */
  readonly block: number;
}

export interface AttemptsWindow {
  /** @returns whether the shopper is in the count */
  arrived(atMs: number, side: CountedSide, bucket: number): boolean;
  /** @param arrivedAtMs of the attempt */
  failed(atMs: number, arrivedAtMs: number, side: CountedSide, bucket: number): void;
  /** The blocks that are told of still, the oldest first. */
  report(atMs: number): readonly BlockReport[];
  /** A step begins: who had failed before counts again. */
  renew(): void;
}

interface SideCount {
  units: number;
  quick: number[];
  late: number[];
  unnamedQuick: number;
  unnamedLate: number;
}

interface Block {
  block: number;
  readonly legacy: SideCount;
  readonly onNew: SideCount;
}

interface Shoppers {
  /** The last block in which each bucket was a unit, counted from the first block. */
  readonly seen: Int32Array;
  /** A failure of his has counted in this step. */
  readonly failed: Uint8Array;
}

/** How long a block is told of after its late look: what a leader that has died did not look at, the next one does. */
const toldAfterMs = 8000;

export function createAttemptsWindow({
  blockMs,
  quickAfterMs,
  lateAfterMs,
}: Pick<WindowTimes, "blockMs" | "quickAfterMs" | "lateAfterMs">): AttemptsWindow {
  const places = Math.ceil((lateAfterMs + toldAfterMs) / blockMs) + 2;
  const blocks: Block[] = Array.from({ length: places }, () => ({
    block: -1,
    legacy: empty(),
    onNew: empty(),
  }));
  const shoppers = { legacy: shoppersOf(), onNew: shoppersOf() };
  let first: number | undefined;

  return {
    arrived(atMs, side, bucket) {
      const block = Math.floor(atMs / blockMs);
      first ??= block - 1;
      const place = blocks[block % places];
      const { seen, failed } = shoppers[side];
      if (place === undefined || place.block > block || failed[bucket] === 1) return false;
      if (place.block < block) begin(place, block);
      if (seen[bucket] === block - first) return true;
      seen[bucket] = block - first;
      place[side].units += 1;
      return true;
    },
    failed(atMs, arrivedAtMs, side, bucket) {
      const block = Math.floor(arrivedAtMs / blockMs);
      const place = blocks[block % places];
      const { failed } = shoppers[side];
      const afterMs = atMs - (block + 1) * blockMs;
      if (place?.block !== block || afterMs > lateAfterMs || failed[bucket] === 1) return;
      failed[bucket] = 1;
      const count = place[side];
      if (count.late.length < mostNamed) count.late.push(bucket);
      else count.unnamedLate += 1;
      if (afterMs > quickAfterMs) return;
      if (count.quick.length < mostNamed) count.quick.push(bucket);
      else count.unnamedQuick += 1;
    },
    report(atMs) {
      const oldest = Math.floor((atMs - lateAfterMs - toldAfterMs) / blockMs);
      return blocks
        .filter(({ block }) => block >= oldest && block >= 0)
        .sort((a, b) => a.block - b.block)
        .map(({ block, legacy, onNew }) => ({ block, legacy: told(legacy), onNew: told(onNew) }));
    },
    renew() {
      shoppers.legacy.failed.fill(0);
      shoppers.onNew.failed.fill(0);
    },
  };
}

function shoppersOf(): Shoppers {
  return { seen: new Int32Array(bucketCount), failed: new Uint8Array(bucketCount) };
}

function empty(): SideCount {
  return { units: 0, quick: [], late: [], unnamedQuick: 0, unnamedLate: 0 };
}

function begin(place: Block, block: number): void {
  place.block = block;
  Object.assign(place.legacy, empty());
  Object.assign(place.onNew, empty());
}

function told({ quick, late, ...counts }: SideCount): SideReport {
  return { ...counts, quick: [...quick], late: [...late] };
}

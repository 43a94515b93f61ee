import fc from "fast-check";
import { expect, test } from "vitest";
import { bucketsFrom, keptBuckets, keptBucketsSchema } from "../../../../src/guard/window/buckets.ts";
import { blocksFrom, mergedBlocks, written, writtenBlocks } from "../../../../src/guard/window/told.ts";

const side = (units: number, quick: number[] = [], later: number[] = [], unnamed = 0) => ({
  ...{ units, quick, late: [...quick, ...later] },
  ...{ unnamedQuick: unnamed, unnamedLate: unnamed },
});

test("the processes of an instance tell of each block once, and a shopper who failed in two is one", () => {
  const one = { block: 7, legacy: side(3), onNew: side(4, [1, 2], [3]) };
  const other = { block: 7, legacy: side(2, [9]), onNew: side(2, [2], [4], 1) };
  const next = { block: 8, legacy: side(1), onNew: side(0) };
  expect(mergedBlocks([[one], [next, other]])).toEqual([
    {
      block: 7,
      legacy: side(5, [9]),
      onNew: { units: 6, quick: [1, 2], late: [1, 2, 3, 4], unnamedQuick: 1, unnamedLate: 1 },
    },
    next,
  ]);
});

test("together they name 500 at most, and count the rest", () => {
  const many = (from: number) => Array.from({ length: 400 }, (_, n) => from + n);
  const of = (from: number) => [{ block: 1, legacy: side(0), onNew: side(400, many(from)) }];
  const [all] = mergedBlocks([of(0), of(1000)]);
  expect(all?.onNew).toMatchObject({ units: 800, unnamedQuick: 300, unnamedLate: 300 });
  expect(all?.onNew.late).toHaveLength(500);
});

test("what is written in the record reads as what was counted, and is short where nobody failed", () => {
  expect(JSON.stringify(written([{ block: 7, legacy: side(30), onNew: side(4) }]))).toBe("[[7,30,4]]");
  const buckets = fc.uniqueArray(fc.nat(99_999), { maxLength: 40 });
  const anySide = fc.record({ units: fc.nat(1000), failed: buckets, quick: fc.nat(40), unnamed: fc.nat(9) });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(1e9), anySide, anySide), { maxLength: 20 }), (blocks) => {
      const counted = blocks.map(([block, ...sides]) => {
        const [legacy, onNew] = sides.map(({ units, failed, quick, unnamed }) =>
          side(units, failed.slice(0, quick), failed.slice(quick), failed.length === 0 ? 0 : unnamed),
        );
        if (legacy === undefined || onNew === undefined) throw new Error("two sides");
        return { block, legacy, onNew };
      });
      const text = JSON.stringify(written(counted));
      expect(blocksFrom(writtenBlocks.parse(JSON.parse(text)))).toEqual(counted);
    }),
    { numRuns: 100 },
  );
});

test("a set of buckets is kept as itself, in 17 kB at most", () => {
  for (const size of [0, 1, 2500, 2501, 60_000, 100_000]) {
    const buckets = new Set(Array.from({ length: size }, (_, n) => (n * 7919) % 100_000));
    const text = JSON.stringify(keptBuckets(buckets));
    expect(text.length).toBeLessThanOrEqual(17_000);
    expect(bucketsFrom(keptBucketsSchema.parse(JSON.parse(text)))).toEqual(buckets);
  }
});

import { expect, test } from "vitest";
import { createFleetBlocks } from "../../../../src/guard/window/fleet-blocks.ts";

const side = { units: 1, quick: [], late: [], unnamedQuick: 0, unnamedLate: 0 };
const report = (block: number) => ({ block, legacy: side, onNew: side });

function create(host: number, store: number) {
  const clocks = { host, store };
  const blocks = createFleetBlocks({
    blockMs: 1000,
    hostMs: () => clocks.host,
    storeMs: () => clocks.store,
  });
  return { blocks, clocks };
}

test("hosts whose clocks differ number their blocks by the store's clock", () => {
  for (const host of [5000, 123_400, 9_876_600]) {
    const { blocks } = create(host, 1_000_000_300);
    const [last] = blocks.numbered([report(Math.floor(host / 1000))]);
    expect(Math.abs((last?.block ?? 0) - 1_000_000.3)).toBeLessThanOrEqual(1);
    expect(Math.abs(blocks.nowMs() - 1_000_000_300)).toBeLessThanOrEqual(500);
  }
});

test("the numbers stay while the clocks drift less than a block", () => {
  const { blocks, clocks } = create(5000, 80_000);
  clocks.host += 100_000;
  clocks.store += 100_900;
  expect(blocks.numbered([report(105)])).toEqual([report(180)]);
});

test("once they change, a block that had a number already is told no more", () => {
  const { blocks, clocks } = create(5000, 80_000);
  expect(blocks.numbered([report(4), report(5)])).toEqual([report(79), report(80)]);
  clocks.host += 100;
  clocks.store += 3_600_100;
  expect(blocks.numbered([report(4), report(5)])).toEqual([]);
  clocks.host += 1000;
  clocks.store += 1000;
  expect(blocks.numbered([report(5), report(6)])).toEqual([report(3681)]);
  expect(blocks.nowMs()).toBe(3_681_100);
});

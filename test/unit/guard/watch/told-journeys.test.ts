import { expect, test } from "vitest";
import { toldJourneys } from "../../../../src/guard/watch/told-journeys.ts";
import type { ToldBlock } from "../../../../src/guard/window/told.ts";
import { written } from "../../../../src/guard/window/told.ts";
import type { InstanceRecord } from "../../../../src/state/rules/completion.ts";

const none = { units: 0, quick: [], late: [], unnamedQuick: 0, unnamedLate: 0 };
const block = (number: number, begun: number, of?: string): ToldBlock => ({
  ...{ block: number, legacy: none, onNew: none, journeys: [[1000, 10_000, begun, 1, 0, 0]] },
  ...(of === undefined ? {} : { of }),
});
const recordOf = (id: string, guard: Record<string, unknown>): InstanceRecord => ({
  ...{ id, startedAt: "", seenAt: "", versions: {}, traffic: {}, guard },
});
const told = (throughMs: number, ...blocks: readonly ToldBlock[]) => ({
  ...{ config: "c", blockMs: 2000, lateAfterMs: 10_000, throughMs, blocks: written(blocks) },
});

test("blocks that are over are told, of this instance by its own counts and of the others by their records", () => {
  const records = [
    recordOf("a", { checkout: told(0) }),
    recordOf("b", { checkout: told(6000, block(1, 7), block(2, 8), block(3, 9)) }),
    recordOf("c", { checkout: { blocks: "none" }, returns: told(9000, block(1, 1)) }),
  ];
  const own = { blockMs: 2000, throughMs: 5999, blocks: [block(1, 3), block(1, 4, "jakarta"), block(2, 5)] };
  const begun = toldJourneys("checkout", records, "a", own).map(({ instance, blocks }) => [
    instance,
    blocks.map(({ key, rows }) => [key, rows.map(([, , legacy]) => legacy)]),
  ]);
  expect(begun).toEqual([
    [
      "a",
      [
        ["1 ", [3]],
        ["1 jakarta", [4]],
      ],
    ],
    [
      "b",
      [
        ["1 ", [7]],
        ["2 ", [8]],
      ],
    ],
  ]);
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createFifo, type FifoEntry } from "../../../../src/base/waiting/fifo.ts";

describe("a queue", () => {
  test("has the order in which they came, whoever left", () => {
    const commands = fc.oneof(
      fc.record({ kind: fc.constant("push" as const), value: fc.nat() }),
      fc.record({ kind: fc.constant("shift" as const) }),
      fc.record({ kind: fc.constant("remove" as const), at: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(commands, { maxLength: 60 }), (all) => {
        const queue = createFifo<number>();
        const places: FifoEntry<number>[] = [];
        let expected: FifoEntry<number>[] = [];
        for (const command of all) {
          if (command.kind === "push") {
            const place = queue.push(command.value);
            places.push(place);
            expected.push(place);
          } else if (command.kind === "shift") {
            expect(queue.first()).toBe(expected[0]?.value);
            expect(queue.shift()).toBe(expected.shift()?.value);
          } else {
            // Also one that was taken, or has left, before.
            const place = places[command.at % Math.max(1, places.length)];
            if (place !== undefined) expect(queue.remove(place)).toBe(expected.includes(place));
            expected = expected.filter((one) => one !== place);
          }
          expect(queue.size).toBe(expected.length);
        }
        expect(expected.map(() => queue.shift())).toEqual(expected.map(({ value }) => value));
        expect(queue.shift()).toBeUndefined();
      }),
    );
  });
});

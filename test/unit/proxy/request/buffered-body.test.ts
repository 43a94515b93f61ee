import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bufferBody, bufferLimit } from "../../../../src/proxy/request/buffered-body.ts";

/** Every byte tells its place, so that none can be lost, doubled or moved unseen. */
function bytes(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 255));
}

function pieces(content: Buffer, sizes: readonly number[]): Buffer[] {
  const cut: Buffer[] = [];
  for (let at = 0, turn = 0; at < content.length; turn++) {
    const size = sizes[turn % sizes.length] ?? content.length;
    cut.push(content.subarray(at, at + size));
    at += size;
  }
  return cut;
}

describe("a body that a key may be in", () => {
  test.each([
    ["nothing", 0, "whole"],
    ["64 KiB", bufferLimit, "whole"],
    ["one byte more", bufferLimit + 1, "larger"],
  ])("of %s, declared or not, goes on byte for byte", async (_, length, kind) => {
    const content = bytes(length);
    for (const declared of [length, undefined]) {
      const buffered = await bufferBody(Readable.from(pieces(content, [10_000])), declared);
      expect(buffered.kind).toBe(kind);
      const passed = buffered.kind === "whole" ? buffered.content : await buffer(buffered.content);
      expect(passed.equals(content)).toBe(true);
    }
  });

  test("goes on byte for byte however it comes in, on both sides of the bound", async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 5 });
    const length = fc.integer({ min: bufferLimit - 3000, max: bufferLimit + 60_000 });
    await fc.assert(
      fc.asyncProperty(length, sizes, async (total, cut) => {
        // Pieces of a few bytes make this slow, and say no more.
        const content = bytes(total);
        const least = cut.map((size) => Math.max(size, 500));
        const buffered = await bufferBody(Readable.from(pieces(content, least)), undefined);
        const passed = buffered.kind === "whole" ? buffered.content : await buffer(buffered.content);
        return buffered.kind === (total > bufferLimit ? "larger" : "whole") && passed.equals(content);
      }),
      { numRuns: 50 },
    );
  });

  test("is none where the client breaks off", async () => {
    const broken = new Readable({ read: () => undefined });
    const buffered = bufferBody(broken, undefined);
    broken.push("{");
    broken.destroy();
    await expect(buffered).rejects.toThrow("broke off");
  });
});

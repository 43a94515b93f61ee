import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { digestOf, partOf } from "../../../src/lists/digest.ts";
import { bytesOfWords, changedPart, isIn, wordsOf } from "../../../src/lists/members.ts";

test("a digest is the first 8 bytes of the member's SHA-256", () => {
  expect(digestOf("abc")).toBe("ba7816bf8f01cfea");
  expect(partOf(digestOf("abc"))).toBe(0xba);
  const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  for (const text of ["", "käufer", "\0", "x".repeat(512), "€"]) {
    expect(digestOf(Buffer.from(text, "utf8").toString("latin1"))).toBe(sha256(Buffer.from(text, "utf8")));
  }
});

/** Few, so that they meet; the ends of the order among them. */
const digest = fc
  .oneof(
    fc.constantFrom("00000000000000", "ffffffffffffff", "0000000000000f", "00000080000000", "0000007fffffff"),
    fc.integer({ min: 0, max: 40 }).map((n) => n.toString(16).padStart(14, "0")),
  )
  .map((rest) => `a5${rest}`);
const some = fc.uniqueArray(digest, { maxLength: 30 }).map((all) => all.sort());

test("a part that is changed holds just what a set would, in order, and counts what has changed", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ add: some, remove: some }), { maxLength: 6 }), (steps) => {
      const model = new Set<string>();
      let bytes = Buffer.alloc(0);
      for (const { add, remove } of steps) {
        const before = new Set(model);
        for (const each of remove) if (!add.includes(each)) model.delete(each);
        for (const each of add) model.add(each);
        const changed = changedPart(bytes, add, remove);
        expect(changed.added).toBe([...model].filter((each) => !before.has(each)).length);
        expect(changed.removed).toBe([...before].filter((each) => !model.has(each)).length);
        bytes = Buffer.from(changed.bytes);
        expect(bytes.toString("hex")).toBe([...model].sort().join(""));
      }
      const words = wordsOf(bytes, 0xa5);
      if (words === undefined) throw new Error("it is no part");
      expect(bytesOfWords(words).equals(bytes)).toBe(true);
      for (let n = -1; n <= 41; n += 1) {
        const asked = n < 0 ? "a5ffffffffffffff" : `a5${n.toString(16).padStart(14, "0")}`;
        const found = Buffer.from(asked, "hex");
        expect(isIn(words, found.readUInt32BE(0), found.readUInt32BE(4))).toBe(model.has(asked));
      }
    }),
  );
});

test.each([
  ["a digest in part", "a500"],
  ["another first byte", "a400000000000001"],
  ["one twice", "a500000000000001a500000000000001"],
  ["disorder", "a500000000000002a500000000000001"],
  ["disorder in the higher half", "a500000100000000a500000000000001"],
])("%s is no part", (_, hex) => {
  expect(wordsOf(Buffer.from(hex, "hex"), 0xa5)).toBeUndefined();
});

test("ten million members take 8 bytes each and no more, and are looked up in microseconds", () => {
  const each = 40_000;
  const bytes = Buffer.alloc(each * 8);
  for (let n = 0; n < each; n += 1) {
    bytes.writeUInt32BE(0xa5_00_00_00 + n, n * 8);
    bytes.writeUInt32BE(Math.imul(n, 2_654_435_761) >>> 0, n * 8 + 4);
  }
  const words = wordsOf(bytes, 0xa5);
  expect(words?.buffer.byteLength).toBe(each * 8);
  expect(words && isIn(words, 0xa5_00_00_00 + 777, Math.imul(777, 2_654_435_761) >>> 0)).toBe(true);
  expect(words && isIn(words, 0xa5_00_00_00 + 777, 1)).toBe(false);
});

import { describe, expect, test } from "vitest";
import { bucketOf, bytesOf, murmur3, saltPrefix } from "../../../src/decide/bucket.ts";

const bytes = (...codes: number[]) => String.fromCharCode(...codes);

describe("murmur3", () => {
  // Published vectors of MurmurHash3_x86_32: those collected by Ian Boyd (stackoverflow.com/a/31929528).
  test.each([
    ["", 0, 0x00000000],
    ["", 1, 0x514e28b7],
    ["", 0xffffffff, 0x81f16f39],
    [bytes(0xff, 0xff, 0xff, 0xff), 0, 0x76293b50],
    [bytes(0x21, 0x43, 0x65, 0x87), 0, 0xf55b516b],
    [bytes(0x21, 0x43, 0x65, 0x87), 0x5082edee, 0x2362f9de],
    [bytes(0x21, 0x43, 0x65), 0, 0x7e4a8634],
    [bytes(0x21, 0x43), 0, 0xa0f7b07a],
    [bytes(0x21), 0, 0x72661cf4],
    [bytes(0, 0, 0, 0), 0, 0x2362f9de],
    [bytes(0, 0, 0), 0, 0x85f0b427],
    [bytes(0, 0), 0, 0x30f4c306],
    [bytes(0), 0, 0x514e28b7],
    ["Hello, world!", 0x9747b28c, 0x24884cba],
    ["The quick brown fox jumps over the lazy dog", 0x9747b28c, 0x2fa826cd],
    [bytesOf("ππππππππ"), 0x9747b28c, 0xd58063c1],
  ])("hashes %j with seed %i", (text, seed, hash) => {
    expect(murmur3(text, seed)).toBe(hash);
  });
});

describe("bucketOf", () => {
  test("salts the shopper with the salt and a colon", () => {
    expect(bucketOf(saltPrefix("checkout"), "shopper-1")).toBe(
      Math.floor((murmur3("checkout:shopper-1", 0) * 100_000) / 2 ** 32),
    );
  });

  test("takes the shopper's bytes as received and the salt as UTF-8", () => {
    expect(saltPrefix("é")).toBe(bytes(0xc3, 0xa9, 0x3a));
    expect(bucketOf(saltPrefix("a"), bytesOf("é"))).not.toBe(bucketOf(saltPrefix("a"), "é"));
  });
});

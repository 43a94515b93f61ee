import { expect, test } from "vitest";
import { askReadably } from "../../../../src/proxy/relay/accept-encoding.ts";

function asked(...values: readonly string[]): string[] {
  const fields = [
    "Host",
    "shop.example",
    ...values.flatMap((value) => ["Accept-Encoding", value]),
    "X-A",
    "b",
  ];
  askReadably(fields);
  expect(fields.slice(0, 2)).toEqual(["Host", "shop.example"]);
  expect(fields.slice(-2)).toEqual(["X-A", "b"]);
  return fields.slice(2, -2).filter((_, i) => i % 2 === 1);
}

test.each([
  ["gzip, deflate, br, zstd", "gzip, deflate, br"],
  ["zstd;q=1.0, br;q=0.8, gzip;q=0.5", "br;q=0.8, gzip;q=0.5"],
  ["GZIP;q=0.3 , dcb, X-GZIP", "GZIP;q=0.3, X-GZIP"],
  ["identity;q=0.5, zstd", "identity;q=0.5"],
  ["zstd", "identity"],
  ["zstd, dcz, compress", "identity"],
  ["zstd, gzip;q=0", "identity"],
  ["zstd, identity;q=0", "identity"],
  ["*", "gzip, deflate, br, identity"],
  ["*;q=0.4, br", "gzip;q=0.4, deflate;q=0.4, identity;q=0.4, br"],
  ["gzip;q=0, *", "gzip;q=0, deflate, br, identity"],
  ["br, *;q=0", "br, gzip;q=0, deflate;q=0, identity;q=0"],
  ["*;q=0", "identity"],
  ["", ""],
  ["gzip;q=0.001", "gzip;q=0.001"],
])("%j becomes %j", (given, expected) => {
  expect(asked(given)).toEqual([expected]);
});

test("several fields are one, where the first of them stood", () => {
  expect(asked("zstd", "br;q=0.1", "gzip")).toEqual(["br;q=0.1, gzip"]);
});

test("without the field there is none: nobody sends another coding then", () => {
  expect(asked()).toEqual([]);
});

import { expect, test } from "vitest";
import { headersOf, trailersOf } from "../../../../../src/proxy/listen/http2/fields.ts";

const own = (headers: object) => Object.entries(headers);

test("fields with the names of what every object has are fields like others", () => {
  const names = ["constructor", "toString", "__proto__", "hasOwnProperty"];
  const headers = headersOf(
    200,
    names.flatMap((name) => [name, "x"]),
  );
  expect(own(headers)).toEqual([[":status", 200], ...names.map((name) => [name.toLowerCase(), "x"])]);
  expect(own(headersOf(200, ["__proto__", "x", "__proto__", "y"]))).toEqual([
    [":status", 200],
    ["__proto__", ["x", "y"]],
  ]);
});

test("what belongs to a connection of HTTP/1.1 and pseudo-fields are left out, of trailers too", () => {
  const fields = ["Connection", "close", "Transfer-Encoding", "chunked", ":status", "404", "X-Kept", "1"];
  expect(own(headersOf(200, fields))).toEqual([
    [":status", 200],
    ["x-kept", "1"],
  ]);
  expect(own(trailersOf(fields))).toEqual([["x-kept", "1"]]);
});

test("a field that may stand once is a list of its values, another is sent as often as it came", () => {
  expect(own(headersOf(200, ["ETag", "a", "etag", "b", "Link", "a", "link", "b", "LINK", "c"]))).toEqual([
    [":status", 200],
    ["etag", "a, b"],
    ["link", ["a", "b", "c"]],
  ]);
});

test("a control character in a value is thrown at", () => {
  expect(() => headersOf(200, ["x-bad", "a\u0000b"])).toThrow(TypeError);
  expect(() => trailersOf(["x-bad", "a\nb"])).toThrow(TypeError);
});

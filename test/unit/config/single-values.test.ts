import { describe, expect, test } from "vitest";
import * as value from "../../../src/config/single-values.ts";
import { parseSize } from "../../../src/config/single-values.ts";

describe("parseSize", () => {
  test.each([
    ["0B", 0],
    ["512B", 512],
    ["64KiB", 65_536],
    ["10MiB", 10_485_760],
    ["2GiB", 2_147_483_648],
  ])("%s", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });
  test.each(["", "5", "MiB", "-1B", "1.5MiB", "10 MiB", "10MB", "10mib", "1TiB", "10MiB\n", "٣B"])(
    "%j is none",
    (text) => {
      expect(parseSize(text)).toBeUndefined();
    },
  );
});

test.each([
  ["0B", "expected a size larger than 0"],
  ["1025GiB", "expected a size of at most 1024GiB"],
])("a size of %s: %s", (text, message) => {
  expect(value.size.safeParse(text).error?.issues.map((issue) => issue.message)).toEqual([message]);
});

test.each(["health", "", "/a b", "/a#b", "/caf\u00e9", "http://h/"])("%j is no target of a check", (text) => {
  expect(value.target.safeParse(text).success).toBe(false);
});

describe("origin", () => {
  test.each([
    "http://127.0.0.1:7001",
    "http://[::1]:80",
    "http://shop.internal",
    "http://h:1/",
    "https://h",
    "https://[::1]:8443",
  ])("%s", (text) => {
    expect(value.origin.safeParse(text).data).toBe(text);
  });
  test.each([
    "",
    "h:1",
    "https://h/a",
    "ftp://h",
    "http://",
    "http://h/a",
    "http://h?",
    "http://h#",
    "http://u@h",
    "http://:p@h",
  ])("%j is refused", (text) => {
    expect(value.origin.safeParse(text).success).toBe(false);
  });
});

describe("store", () => {
  test.each([
    "memory:",
    "file:var/state.json",
    "file:/a b",
    "redis://h:6379/0",
    "rediss://u:p@h:1",
    "redis-sentinel://a:1,b/m",
    "redis-cluster://h:1",
  ])("%s", (text) => {
    expect(value.store.safeParse(text).data).toBe(text);
  });
  test.each([
    "",
    "memory",
    "memory:x",
    "file:",
    "redis:",
    "redis://",
    "redis:h",
    "redis-sentinel://h:1",
    "http://h",
  ])("%j is refused", (text) => {
    expect(value.store.safeParse(text).success).toBe(false);
  });
});

describe("cidr", () => {
  test.each(["10.0.0.0/8", "10.1.2.3", "::1", "fd00::/8", "0.0.0.0/0"])("%s", (text) => {
    expect(value.cidr.safeParse(text).success).toBe(true);
  });
  test.each([
    "",
    "10.0.0.0/33",
    "10.0.0/8",
    "::/129",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "localhost",
    "10.0.0.0/-1",
  ])("%j is refused", (text) => {
    expect(value.cidr.safeParse(text).success).toBe(false);
  });
});

import { describe, expect, test } from "vitest";
import { formatPath } from "../../../../src/config/load/problems.ts";
import { parsePath } from "../../../../src/config/values/path.ts";
import { parseSize } from "../../../../src/config/values/size.ts";
import { parseSource } from "../../../../src/config/values/source.ts";
import * as value from "../../../../src/config/values/values.ts";

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

describe("parsePath", () => {
  test("exact, parameters and prefix", () => {
    expect(parsePath("/checkout")).toEqual({
      text: "/checkout",
      segments: [{ kind: "literal", text: "checkout" }],
      prefix: false,
    });
    expect(parsePath("/orders/:orderId/*")).toEqual({
      text: "/orders/:orderId/*",
      segments: [
        { kind: "literal", text: "orders" },
        { kind: "param", name: "orderId" },
      ],
      prefix: true,
    });
    expect(parsePath("/*")).toEqual({ text: "/*", segments: [], prefix: true });
    expect(parsePath("/")).toEqual({ text: "/", segments: [{ kind: "literal", text: "" }], prefix: false });
  });
  test.each([
    "",
    "a",
    "/a?b",
    "/a#b",
    "/a\\b",
    "/a b",
    "/caf\u00e9",
    "/a/*/b",
    "/a*",
    "/*/*",
    "/./a",
    "/a/..",
    "/:",
    "/:1",
    "/:a-b",
    "/:a/:a",
  ])("%j is refused with what was expected", (text) => {
    expect(parsePath(text)).toMatch(/^expected /);
  });
});

describe("parseSource", () => {
  test.each([
    ["header:X-Shopper-Id", { kind: "header", name: "x-shopper-id" }],
    ["cookie:Sid", { kind: "cookie", name: "Sid" }],
    ["query:user[id]", { kind: "query", name: "user[id]" }],
    ["param:orderId", { kind: "param", name: "orderId" }],
    ["json:/a/b~1c/0", { kind: "json", name: "/a/b~1c/0" }],
    ["json:/", { kind: "json", name: "/" }],
  ])("%s", (text, expected) => {
    expect(parseSource(text)).toEqual({ ...expected, text });
  });

  test("#REGEX gives its first group", () => {
    const source = parseSource("header:location#/orders/([A-Z]+-\\d+)#?");
    if (typeof source === "string") throw new Error(source);
    expect(source.pattern?.exec("https://x/orders/SS-12#a")?.[1]).toBe("SS-12");
  });

  test.each([
    "",
    "header",
    "header:",
    "body:x",
    "Header:x",
    "header:a b",
    "cookie:a=b",
    "query:a&b",
    "param:a-b",
    "json:a",
    "json:",
    "json:/~2",
    "header:x#",
    "header:x#abc",
    "header:x#(",
    "header:x#(?:a)",
    "header:x#(a)\\",
  ])("%j is refused with what was expected", (text) => {
    expect(parseSource(text)).toMatch(/^expected /);
  });
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

describe("formatPath", () => {
  test("keys by dots, items by brackets, what looks like no key hidden", () => {
    expect(formatPath(["cutovers", "checkout", "routes", 1, "path"])).toBe(
      "cutovers.checkout.routes[1].path",
    );
    expect(formatPath(["a", "secret:hunter2"])).toBe("a.?");
    expect(formatPath([])).toBe("");
  });
});

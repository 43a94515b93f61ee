import { describe, expect, test } from "vitest";
import { parsePath } from "../../../../../src/config/values/path.ts";
import { compilePaths } from "../../../../../src/proxy/relay/rewrite/paths.ts";
import {
  type Here,
  linkBack,
  ownAddress,
  referenceBack,
  refreshBack,
} from "../../../../../src/proxy/relay/rewrite/references.ts";

const path = (text: string) => {
  const parsed = parsePath(text);
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
};
const paths = compilePaths([
  { from: path("/checkout/*"), to: path("/api/v2/checkout/*") },
  { from: path("/orders/:id"), to: path("/o/:id") },
]);
const own = ownAddress(["market.internal:7002", "eu.market.example"]);
const here: Here = {
  scheme: "https",
  host: "shop.example",
  path: "/checkout/pay",
  upstreamPath: "/api/v2/checkout/pay",
};
const back = (reference: string, change: Partial<Here> = {}) =>
  referenceBack(own, paths, reference, { ...here, ...change });

describe("an address that leads to the upstream leads to the shopper's origin", () => {
  test.each([
    ["http://market.internal:7002/o/77?x=1#y", "https://shop.example/orders/77?x=1#y"],
    ["http://MARKET.internal/o/77", "https://shop.example/orders/77"],
    ["https://market.internal:443/o/77", "https://shop.example/orders/77"],
    ["https://eu.market.example/o/77", "https://shop.example/orders/77"],
    ["//eu.market.example/o/77", "//shop.example/orders/77"],
    ["http://market.internal:7002", "https://shop.example"],
    ["http://market.internal:7002/static/a.css", "https://shop.example/static/a.css"],
    // Its own port behind the shopper's name, and the scheme that it sees.
    ["http://shop.example:7002/o/77", "https://shop.example/orders/77"],
    ["http://shop.example/o/77", "https://shop.example/orders/77"],
    ["https://shop.example/o/77", "https://shop.example/orders/77"],
    ["/o/77", "/orders/77"],
    ["/api/v2/checkout/thanks?o=7", "/checkout/thanks?o=7"],
    // Shops write what they would tell as it is; browsers encode it.
    ["http://market.internal:7002/o/77?told=Thank you", "https://shop.example/orders/77?told=Thank you"],
    ["/o/7 7", "/orders/7 7"],
  ])("%s is %s", (reference, expected) => {
    expect(back(reference)).toBe(expected);
  });

  test.each([
    "https://pay.example/3ds?back=http://market.internal:7002/o/7",
    "http://market.internal:9999/o/77",
    "http://market.internal.evil.example/o/77",
    "http://market.internal@evil.example/o/77",
    "http://user@market.internal/o/77",
    "mailto:a@market.internal",
    "https:o/77",
    "ftp://market.internal/o/77",
    "//evil.example/o/77",
    "/\\market.internal/o/77",
    "http://market.internal:7002\\o",
    "/static/a.css",
    "thanks",
    "?step=2",
    "#end",
    "",
    " /o/77",
    "/o/7\t7",
    "http://market.internal /o/77",
  ])("%s goes on as it is", (reference) => {
    expect(back(reference)).toBe(reference);
  });

  test("a relative address keeps its bytes where it leads to the same, else it is written out", () => {
    expect(back("../checkout/x")).toBe("../checkout/x");
    expect(back("../../../o/77")).toBe("/orders/77");
    expect(back("8?y", { path: "/orders/7", upstreamPath: "/o/7" })).toBe("8?y");
  });

  test("a shop that asks its own shoppers for TLS is not led back without: that would never end", () => {
    const plain = { scheme: "http" } as const;
    expect(back("https://shop.example/checkout/", plain)).toBe("https://shop.example/checkout/");
    expect(back("https://shop.example/o/7", plain)).toBe("https://shop.example/orders/7");
    expect(back("https://market.internal/o/7", plain)).toBe("http://shop.example/orders/7");
  });

  test("a shopper's port stays, another service's on the same host does too", () => {
    const local = { scheme: "http", host: "localhost:8080" } as const;
    const near = ownAddress(["localhost:7002"]);
    const led = (reference: string) => referenceBack(near, paths, reference, { ...here, ...local });
    expect(led("http://localhost:7002/o/7")).toBe("http://localhost:8080/orders/7");
    expect(led("http://localhost:7001/o/7")).toBe("http://localhost:7001/o/7");
    expect(led("http://localhost:8080/o/7")).toBe("http://localhost:8080/orders/7");
  });

  test("an IPv6 address", () => {
    const six = ownAddress(["[::1]:7002"]);
    expect(referenceBack(six, paths, "http://[::1]:7002/o/7", here)).toBe("https://shop.example/orders/7");
  });

  test("without a Host there is nowhere to lead to", () => {
    expect(back("http://market.internal:7002/o/7", { host: "" })).toBe("http://market.internal:7002/o/7");
  });
});

const upper = (reference: string) => reference.toUpperCase();

test.each([
  ["<a>; rel=preload, <b>;rel=next", "<A>; rel=preload, <B>;rel=next"],
  ['<a>; title="<b>, \\"<c>"; rel=x', '<A>; title="<b>, \\"<c>"; rel=x'],
  ["no link", "no link"],
  ["<a", "<a"],
])("Link: %s is %s", (link, expected) => {
  expect(linkBack(link, upper)).toBe(expected);
});

test.each([
  ["5; url=/a", "5; url=/A"],
  ["0;URL='/a'", "0;URL='/A'"],
  ['1, url = "/a"', '1, url = "/A"'],
  ["5; /a", "5; /A"],
  ["5", "5"],
  ["5; url=/a ", "5; url=/A "],
])("Refresh: %s is %s", (refresh, expected) => {
  expect(refreshBack(refresh, upper)).toBe(expected);
});

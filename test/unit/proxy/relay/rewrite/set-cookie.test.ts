import { describe, expect, test } from "vitest";
import { parsePath } from "../../../../../src/config/values/path.ts";
import { compilePaths } from "../../../../../src/proxy/relay/rewrite/paths.ts";
import { type Here, ownAddress } from "../../../../../src/proxy/relay/rewrite/references.ts";
import { cookieBack } from "../../../../../src/proxy/relay/rewrite/set-cookie.ts";

const path = (text: string) => {
  const parsed = parsePath(text);
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
};
const paths = compilePaths([{ from: path("/checkout/*"), to: path("/api/v2/checkout/*") }]);
const own = ownAddress(["eu.market.example:7002"]);
const here: Here = {
  scheme: "https",
  host: "www.shop.example:8443",
  path: "/checkout/pay",
  upstreamPath: "/api/v2/checkout/pay",
};
const back = (cookie: string, change: Partial<Here> = {}, keepsSecure = true) =>
  cookieBack(own, paths, cookie, { ...here, ...change }, () => keepsSecure);

describe("Domain", () => {
  test.each([
    ["sid=1; Domain=eu.market.example; Path=/", "sid=1; Path=/"],
    ["sid=1;domain=.MARKET.example;Path=/", "sid=1;Path=/"],
    ["sid=1; Domain=shop.example; Path=/", "sid=1; Domain=shop.example; Path=/"],
    ["sid=1; Domain=.www.shop.example; Path=/", "sid=1; Domain=.www.shop.example; Path=/"],
    ["sid=1; Domain=other.example; Path=/", "sid=1; Domain=other.example; Path=/"],
    ["sid=1; Domain=; Path=/", "sid=1; Domain=; Path=/"],
  ])("%s is %s", (cookie, expected) => {
    expect(back(cookie)).toBe(expected);
  });
});

describe("Path", () => {
  test.each([
    ["sid=1; Path=/api/v2/checkout; HttpOnly", "sid=1; Path=/checkout; HttpOnly"],
    ["sid=1; path=/api/v2/checkout/x", "sid=1; Path=/checkout/x"],
    ["sid=1; Path=/api", "sid=1; Path=/"],
    ["sid=1; Path=/", "sid=1; Path=/"],
    ["sid=1;Path=/static; HttpOnly", "sid=1;Path=/static; HttpOnly"],
    ["__Host-sid=1; Path=/; Secure", "__Host-sid=1; Path=/; Secure"],
  ])("%s is %s", (cookie, expected) => {
    expect(back(cookie)).toBe(expected);
  });

  test("a cookie without one is for the folder that was asked for there", () => {
    expect(back("sid=1; HttpOnly")).toBe("sid=1; HttpOnly");
    const deeper = { path: "/pay", upstreamPath: "/api/v2/checkout/pay" };
    expect(back("sid=1; HttpOnly", deeper)).toBe("sid=1; HttpOnly; Path=/checkout");
    expect(back("sid=1; Path=relative", deeper)).toBe("sid=1; Path=relative; Path=/checkout");
    expect(back("sid=1", { path: "/a/pay", upstreamPath: "/pay" })).toBe("sid=1; Path=/");
    expect(back("sid=1", { path: "/a/pay", upstreamPath: "/a/pay" })).toBe("sid=1");
  });
});

describe("Secure and SameSite, where shoppers have no TLS", () => {
  test.each([
    ["sid=1; Path=/; Secure; HttpOnly", "sid=1; Path=/; HttpOnly"],
    ["sid=1; Path=/; SameSite=None; Secure; Partitioned", "sid=1; Path=/; SameSite=Lax"],
    ["sid=1; Path=/; SameSite=Strict; Secure", "sid=1; Path=/; SameSite=Strict"],
    ["sid=1; Path=/; SameSite=None", "sid=1; Path=/; SameSite=None"],
    ["__Secure-sid=1; Path=/; Secure", "__Secure-sid=1; Path=/; Secure"],
    ["__host-sid=1; Path=/; Secure", "__host-sid=1; Path=/; Secure"],
  ])("%s is %s", (cookie, expected) => {
    expect(back(cookie, { scheme: "http" }, false)).toBe(expected);
    expect(back(cookie)).toBe(cookie);
  });
});

test.each(["sid=a=b%3B; Path=/; Max-Age=0", "sid=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "sid"])(
  "%s: name, value and all else keep their bytes",
  (cookie) => {
    expect(back(cookie)).toBe(cookie);
  },
);

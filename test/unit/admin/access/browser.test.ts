import { describe, expect, test } from "vitest";
import { refuseForeignPages } from "../../../../src/admin/access/browser.ts";

type Headers = Parameters<typeof refuseForeignPages>[0]["headers"];

function isRefused(method: string, headers: Headers, loopbackOnly = false): boolean {
  try {
    refuseForeignPages({ method, headers }, loopbackOnly);
    return false;
  } catch {
    return true;
  }
}

describe("a request that changes state", () => {
  test("passes without the fields that only browsers send", () => {
    expect(isRefused("POST", { host: "admin.example" })).toBe(false);
    expect(isRefused("POST", {})).toBe(false);
  });

  test("passes from the listener's own page, default ports left out on both sides", () => {
    expect(isRefused("POST", { host: "admin.example", origin: "https://admin.example" })).toBe(false);
    expect(isRefused("PUT", { host: "Admin.Example:9900", origin: "http://admin.example:9900" })).toBe(false);
    expect(isRefused("POST", { host: "admin.example", "sec-fetch-site": "none" })).toBe(false);
  });

  test("is refused from any other origin, an opaque one included", () => {
    const host = "admin.example:9900";
    for (const origin of [
      "http://admin.example",
      "http://admin.example:1",
      "http://evil.example",
      "null",
      "",
      "x",
    ]) {
      expect([origin, isRefused("POST", { host, origin })]).toEqual([origin, true]);
    }
    expect(isRefused("POST", { origin: "null" })).toBe(true);
  });

  test("is refused when the browser says another site made it, even on one machine's other port", () => {
    for (const site of ["cross-site", "same-site", "unheard-of"]) {
      expect(isRefused("DELETE", { host: "localhost:9900", "sec-fetch-site": site })).toBe(true);
    }
  });
});

describe("a request that reads", () => {
  test("passes from anywhere: without CORS a foreign page cannot read the answer", () => {
    for (const method of ["GET", "HEAD", "OPTIONS"]) {
      expect(isRefused(method, { host: "a.example", origin: "https://evil.example" })).toBe(false);
    }
  });

  test("is refused under a foreign name while there are no tokens (DNS rebinding)", () => {
    expect(isRefused("GET", { host: "evil.example:9900" }, true)).toBe(true);
    expect(isRefused("GET", { host: "" }, true)).toBe(true);
    expect(isRefused("GET", { host: "localhost:9900" }, true)).toBe(false);
    expect(isRefused("GET", { host: "[::1]:9900" }, true)).toBe(false);
    expect(isRefused("GET", {}, true)).toBe(false);
  });
});

import { describe, expect, test } from "vitest";
import { parsePath } from "../../../src/config/values/path.ts";
import { compileRoutes, isAmbiguousPath } from "../../../src/decide/route.ts";

function routerOf(...declared: [path: string, ...methods: string[]][]) {
  return compileRoutes(
    declared.map(([path, ...methods]) => {
      const pattern = parsePath(path);
      if (typeof pattern === "string") throw new Error(pattern);
      return {
        pattern,
        methods: methods.length > 0 ? methods : undefined,
        value: `${path} ${methods}`.trim(),
      };
    }),
  );
}

describe("matching", () => {
  test("matches an exact path by its bytes: case and trailing slash count", () => {
    const router = routerOf(["/checkout"]);
    expect(router.match("POST", "/checkout")?.value).toBe("/checkout");
    for (const path of ["/Checkout", "/checkout/", "/checkou%74", "/checkout/x", "/"]) {
      expect(router.match("POST", path)).toBeUndefined();
    }
  });

  test("matches a prefix below its slash only", () => {
    const router = routerOf(["/cart/*"]);
    expect(router.match("GET", "/cart/")?.value).toBe("/cart/*");
    expect(router.match("GET", "/cart/a/b//c")?.value).toBe("/cart/*");
    expect(router.match("GET", "/cart")).toBeUndefined();
    expect(router.match("GET", "/cartoon/x")).toBeUndefined();
  });

  test("gives parameters as the bytes between the slashes, never empty", () => {
    const router = routerOf(["/orders/:orderId/pay"]);
    expect(router.match("POST", "/orders/INV%2e1/pay")).toMatchObject({
      names: ["orderId"],
      values: ["INV%2e1"],
    });
    expect(router.match("POST", "/orders//pay")).toBeUndefined();
  });

  test("prefers a literal to a parameter to a prefix, segment by segment from the left", () => {
    const router = routerOf(["/a/*"], ["/a/:x/c"], ["/a/b/*"], ["/a/b/c"], ["/*"]);
    expect(router.match("GET", "/a/b/c")?.value).toBe("/a/b/c");
    expect(router.match("GET", "/a/b/d")?.value).toBe("/a/b/*");
    expect(router.match("GET", "/a/z/c")?.value).toBe("/a/:x/c");
    expect(router.match("GET", "/a/z/d")?.value).toBe("/a/*");
    expect(router.match("GET", "/elsewhere")?.value).toBe("/*");
  });

  test("turns back when the more specific way leads nowhere", () => {
    const router = routerOf(["/a/b/x"], ["/a/:p/y"]);
    expect(router.match("GET", "/a/b/y")).toMatchObject({ value: "/a/:p/y", values: ["b"] });
  });

  test("passes over a route whose methods do not include the request's", () => {
    const router = routerOf(["/orders/:id", "GET"], ["/orders/*", "POST"]);
    expect(router.match("GET", "/orders/1")?.value).toBe("/orders/:id GET");
    expect(router.match("POST", "/orders/1")?.value).toBe("/orders/* POST");
    expect(router.match("PUT", "/orders/1")).toBeUndefined();
  });

  test("keeps no parameters of a way it turned back from", () => {
    const router = routerOf(["/:a/x"], ["/*"]);
    expect(router.match("GET", "/q/y")).toMatchObject({ value: "/*", names: [], values: [] });
  });
});

describe("isAmbiguousPath", () => {
  test.each([
    "/a/../b",
    "/..",
    "/a/./b",
    "/a/.",
    "/a/%2e%2E/b",
    "/a/.%2e",
    "/a%2Fb",
    "/a%5cb",
    "/a\\b",
    "/a/..;x/b",
  ])("refuses %s", (path) => expect(isAmbiguousPath(path)).toBe(true));

  test.each(["/", "/a..b", "/...", "/a/.well-known", "//x", "/a%20b", "/a/%2ehidden", "/a;x"])(
    "leaves %s alone",
    (path) => expect(isAmbiguousPath(path)).toBe(false),
  );
});

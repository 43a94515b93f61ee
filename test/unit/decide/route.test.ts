import { describe, expect, test } from "vitest";
import { parsePath } from "../../../src/config/values/path.ts";
import { compileLayers, compileRoutes } from "../../../src/decide/route.ts";
import { isAmbiguousPath, trimmedPath } from "../../../src/decide/spelling.ts";

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
    for (const path of ["/Checkout", "/checkout/", "/checkou%54", "/checkout/x", "/"]) {
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

describe("encoded unreserved characters (RFC 3986 §6.2.2.2)", () => {
  test("match as decoded, in the pattern and in the path, and parameters keep their bytes", () => {
    const router = routerOf(["/checkout"], ["/caf%c3%a9/%7eana/:id"]);
    expect(router.match("POST", "/%63heckout")?.value).toBe("/checkout");
    expect(router.match("POST", "/checkou%74")?.value).toBe("/checkout");
    expect(router.match("GET", "/caf%C3%A9/~ana/%61")?.values).toEqual(["%61"]);
    expect(router.match("GET", "/c%61f%C3%a9/%7Eana/x")?.values).toEqual(["x"]);
    expect(router.match("GET", "/%2563heckout")).toBeUndefined();
    expect(router.match("GET", "/checkout%21")).toBeUndefined();
  });
});

describe("HEAD", () => {
  test("goes with GET, before a wider route that takes every method (RFC 9110 §9.3.2)", () => {
    const router = routerOf(["/orders/:id", "GET"], ["/*"], ["/pay", "POST"]);
    expect(router.match("HEAD", "/orders/1")?.value).toBe("/orders/:id GET");
    expect(router.match("HEAD", "/pay")?.value).toBe("/*");
  });

  test("goes its own way where a route of the same pattern names it", () => {
    const router = routerOf(["/orders/:id", "GET"], ["/orders/:order", "HEAD"]);
    expect(router.match("HEAD", "/orders/1")?.value).toBe("/orders/:order HEAD");
  });
});

describe("a CORS preflight", () => {
  test("goes where the request would that it asks for, or to a route that names OPTIONS itself", () => {
    const router = routerOf(["/checkout", "POST"], ["/cart/*", "GET"], ["/cart/:id", "OPTIONS"], ["/*"]);
    expect(router.preflight("POST", "/checkout")?.value).toBe("/checkout POST");
    expect(router.preflight("GET", "/cart/1/2")?.value).toBe("/cart/* GET");
    expect(router.preflight("GET", "/cart/1")?.value).toBe("/cart/:id OPTIONS");
    expect(router.preflight("PUT", "/checkout")?.value).toBe("/*");
  });
});

describe("trimmedPath", () => {
  test.each([
    ["/checkout/", "/checkout"],
    ["/checkout;jsessionid=1", "/checkout"],
    ["/orders;a=1/77;b/pay;c/", "/orders/77/pay"],
    ["/", "/"],
    ["/a//", "/a/"],
  ])("makes of %s %s", (path, trimmed) => expect(trimmedPath(path)).toBe(trimmed));
});

describe("mayMeet", () => {
  const router = routerOf(["/checkout", "POST"], ["/orders/:id/pay", "POST"], ["/Cart/*"]);
  test.each([
    "/checkout",
    "/Checkout",
    "//checkout",
    "/checkout%00.jpg",
    "/checkout%3fa=b",
    "/x/../checkout",
    "/x/%2E%2e/checkout",
    "/x%2f..%2fcheckout",
    "/x%2fy/../checkout",
    "/x/y\\..\\../checkout",
    "/x/..;p/checkout",
    "/a//../checkout",
    "/a//../../checkout",
    "/./checkout",
    "/checkout/.",
    "/orders%2f77%2Fpay",
    "/orders/77/PAY/;x",
    "/ORDERS//77;v=1/%70ay/",
  ])("sees the route that a server may take %s for", (path) => {
    expect(router.mayMeet("POST", path)).toBeDefined();
  });
  test.each(["/cart/1", "/CART/", "/x/../cart/1"])("sees a pattern in capitals behind %s", (path) => {
    expect(router.mayMeet("GET", path)).toBe("/Cart/*");
  });
  test.each([
    "/products/a%2Fb",
    "/products/../about",
    "/checkout/x",
    "/a\\b",
    "/logo.PNG",
    "/checkoutx",
    "/",
  ])("leaves %s alone", (path) => expect(router.mayMeet("POST", path)).toBeUndefined());
  test("goes by the method", () => {
    expect(router.mayMeet("GET", "/x/../checkout")).toBeUndefined();
  });
  test("is done in little time with a path that can be read in very many ways", () => {
    const path = `/${"a%2f..\\;b//./%3f".repeat(512)}`.slice(0, 8192);
    const begin = performance.now();
    router.mayMeet("POST", path);
    expect(performance.now() - begin).toBeLessThan(500);
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

describe("layers", () => {
  const entry = (path: string, value: string, except: readonly string[] = []) => {
    const patterns = [path, ...except].map((text) => {
      const pattern = parsePath(text);
      if (typeof pattern === "string") throw new Error(pattern);
      return pattern;
    });
    const [pattern, ...excepted] = patterns;
    if (pattern === undefined) throw new Error("no path");
    return { pattern, methods: undefined, except: excepted, value };
  };
  const isMoving = (value: string): value is string => value.startsWith("moves");

  test("the first with a route for the path has it, however specific those below are", () => {
    const router = compileLayers(
      [[entry("/cart/*", "a")], [entry("/cart/1", "b"), entry("/*", "c")]],
      isMoving,
    );
    expect(router.match("GET", "/cart/1")?.value).toBe("a");
    expect(router.match("GET", "/orders")?.value).toBe("c");
    expect(router.preflight("POST", "/cart/1")?.value).toBe("a");
    expect(router.preflight("POST", "/orders")?.value).toBe("c");
  });

  test("a path that a route excepts goes by the next one, of its own layer first", () => {
    const own = [entry("/admin/*", "a", ["/admin/old/*", "/admin/:id/raw"]), entry("/*", "b")];
    const router = compileLayers([own, [entry("/admin/old/x", "c")]], isMoving);
    expect(router.match("GET", "/admin/x")?.value).toBe("a");
    expect(router.match("GET", "/admin/old/x")?.value).toBe("b");
    expect(router.match("GET", "/admin/%6fld/x")?.value).toBe("b");
    expect(router.match("GET", "/admin/7/raw")?.value).toBe("b");
    expect(router.match("GET", "/admin/7/raw/x")?.value).toBe("a");
    const alone = compileLayers(
      [[entry("/admin/*", "a", ["/admin/old/*"])], [entry("/admin/*", "c")]],
      isMoving,
    );
    expect(alone.match("GET", "/admin/old/x")?.value).toBe("c");
  });

  test("a reading that is on a route which is not to be met, meets none that stands behind it", () => {
    const layers = [
      [
        entry("/checkout", "moves"),
        entry("/admin/*", "moves admin"),
        entry("/admin/new/*", "fixed"),
        entry("/*", "rest"),
      ],
      [entry("/wallet", "moves wallet")],
    ];
    const router = compileLayers(layers, isMoving);
    expect(router.mayMeet("POST", "/Checkout")).toBe("moves");
    expect(router.mayMeet("POST", "/x//checkout")).toBeUndefined();
    expect(router.mayMeet("POST", "/x/%2e%2e/checkout")).toBe("moves");
    expect(router.mayMeet("POST", "/admin/new/X")).toBeUndefined();
    expect(router.mayMeet("POST", "/admin/new/%2e%2e/x")).toBe("moves admin");
    expect(router.mayMeet("POST", "/Wallet")).toBeUndefined();
    expect(compileLayers(layers.slice(1), isMoving).mayMeet("POST", "/Wallet")).toBe("moves wallet");
  });
});

/** Routes of one path that each say which of its requests they are for: the order in which they are asked. */
import { describe, expect, test } from "vitest";
import { parsePath } from "../../../../src/config/values/path.ts";
import { parseNamedTest, parseOperationTest, type When } from "../../../../src/config/values/when.ts";
import { type Asks, compileRoutes, type Match } from "../../../../src/decide/route.ts";

function sound<T>(parsed: T | string): T {
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

const query = (...texts: string[]): When => ({
  query: texts.map((text) => sound(parseNamedTest("query", text))),
});
const header = (...texts: string[]): When => ({
  header: texts.map((text) => sound(parseNamedTest("header", text))),
});
const graphql = (...texts: string[]): When => ({
  graphql: texts.map((text) => sound(parseOperationTest(text))),
});

interface Given {
  readonly path: string;
  readonly when?: When;
  readonly methods?: readonly string[];
}

function routerOf(routes: Readonly<Record<string, Given>>) {
  return compileRoutes(
    Object.entries(routes).map(([value, { path, when, methods }]) => {
      return { pattern: sound(parsePath(path)), methods, when, value };
    }),
  );
}

/** The routes in the order in which they are asked. */
function chain(match: Match<string> | undefined): string[] {
  return match === undefined ? [] : [match.value, ...chain(match.next)];
}

describe("routes of one pattern", () => {
  test("are asked from the most demanding to the least, in config order where they demand as much", () => {
    const router = routerOf({
      any: { path: "/graphql", when: graphql("*") },
      plain: { path: "/graphql" },
      mutations: { path: "/graphql", when: graphql("mutation:*") },
      cart: { path: "/graphql", when: graphql("addItemToOrder") },
      both: { path: "/graphql", when: { ...graphql("*"), ...header("x-a") } },
      pay: { path: "/graphql", when: graphql("addPaymentToOrder", "pay") },
      loose: { path: "/graphql", when: graphql("settle", "mutation:*") },
    });
    expect(chain(router.match("POST", "/graphql"))).toEqual([
      "both",
      "cart",
      "pay",
      "mutations",
      "loose",
      "any",
      "plain",
    ]);
  });

  test("a value comes before an expression, and that before what only has to be there", () => {
    const router = routerOf({
      there: { path: "/", when: query("route") },
      expression: { path: "/", when: query("route#^checkout/") },
      value: { path: "/", when: query("route=checkout/cart") },
    });
    expect(chain(router.match("GET", "/"))).toEqual(["value", "expression", "there"]);
  });

  test("none is asked whose method is another, and one that asks for nothing ends the chain", () => {
    const router = routerOf({
      get: { path: "/graphql", when: graphql("a"), methods: ["GET"] },
      post: { path: "/graphql", when: graphql("a"), methods: ["POST"] },
      rest: { path: "/graphql", methods: ["POST"] },
    });
    expect(chain(router.match("POST", "/graphql"))).toEqual(["post", "rest"]);
    expect(chain(router.match("HEAD", "/graphql"))).toEqual(["get"]);
    expect(router.match("PUT", "/graphql")).toBeUndefined();
  });
});

describe("what is known already", () => {
  const router = routerOf({
    yes: { path: "/shop/:id", when: query("a=1") },
    no: { path: "/shop/:id", when: query("a=2") },
    open: { path: "/shop/:id", when: header("x-b") },
    wide: { path: "/shop/*" },
  });
  const asks =
    (known: Readonly<Record<string, boolean>>): Asks =>
    ({ query: tests, header: others }) =>
      known[tests?.[0]?.value ?? others?.[0]?.name ?? ""];

  test("ends the chain where it holds, and leaves a route out where it fails", () => {
    expect(chain(router.match("GET", "/shop/7", asks({ "1": true })))).toEqual(["yes"]);
    expect(chain(router.match("GET", "/shop/7", asks({ "1": false, "2": false, "x-b": false })))).toEqual([
      "wide",
    ]);
    expect(chain(router.match("GET", "/shop/7", asks({ "1": false, "2": true })))).toEqual(["no"]);
  });

  test("what is not known is asked first, each route with its own parameters", () => {
    const found = router.match("GET", "/shop/7", asks({ "1": false, "2": false }));
    expect(chain(found)).toEqual(["open", "wide"]);
    expect(found).toMatchObject({ names: ["id"], values: ["7"], next: { names: [], value: "wide" } });
  });

  test("a path that only some server takes for a route's is near a route whose condition may hold, and no other", () => {
    const upper = routerOf({ pay: { path: "/Pay", when: query("a=1") } });
    expect(upper.mayMeet("POST", "/PAY", () => true)).toBe("pay");
    expect(upper.mayMeet("POST", "/PAY", () => undefined)).toBe("pay");
    expect(upper.mayMeet("POST", "/PAY", () => false)).toBeUndefined();
  });
});

test("without any condition nothing is asked, and a match is the very object of its route", () => {
  const router = routerOf({ a: { path: "/a" }, b: { path: "/b/*" } });
  const asks = () => {
    throw new Error("asked");
  };
  expect(router.match("GET", "/a", asks)).toBe(router.match("GET", "/a"));
});

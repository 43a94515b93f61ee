import { describe, expect, test } from "vitest";
import { answer, createFixture, type FixtureOptions } from "../../../support/exchange-fixture.ts";
import { valuesOf } from "../../../support/raw-upstream.ts";
import { turn } from "../../../support/until.ts";

const host = ["Host", "shop.example"];
const routes = [
  { name: "cart", path: "/cart/*", methods: ["GET", "POST"] },
  { name: "checkout", path: "/checkout", methods: ["POST"], journey: "start" },
  { name: "view", path: "/orders/:orderId", methods: ["GET"] },
  { name: "pay", path: "/orders/:orderId/pay", methods: ["POST"], journey: "end", payment: true },
];

/** Legacy is closed and gone: what is on no route goes to it by default. */
function closed(options: FixtureOptions = {}) {
  return createFixture({
    ...options,
    state: { percentThousandths: 100_000, state: "closed" },
    cutover: { routes, ...options.cutover },
  });
}

type Head = Parameters<ReturnType<typeof createFixture>["send"]>[0];

/** @returns where the request was sent, or the code of its refusal */
async function whereTo(fixture: ReturnType<typeof createFixture>, head: Head) {
  const sent = fixture.attempts.length;
  const client = fixture.send(head, head.method === "POST" ? "{}" : undefined);
  await turn();
  await turn();
  const attempt = fixture.attempts[sent];
  if (attempt === undefined) return JSON.parse(client.body()).code;
  expect(attempt.request.target).toBe(head.target);
  return attempt.upstream;
}

describe("after close, what belongs to a route by every server's reading goes to new", () => {
  test.each<[string, string]>([
    ["HEAD", "/cart/1"],
    ["HEAD", "/orders/77"],
    ["POST", "/%63heckout"],
    ["POST", "/checkout/"],
    ["POST", "/checkout;jsessionid=1"],
    ["POST", "/orders;a/77;b=1/pay/"],
  ])("%s %s, forwarded byte for byte", async (method, target) => {
    expect(await whereTo(closed(), { method, target })).toBe("fresh");
  });

  test("a preflight goes where the request would that it asks for", async () => {
    const fixture = closed();
    const preflight = (target: string, asked: string) =>
      whereTo(fixture, {
        method: "OPTIONS",
        target,
        fields: [...host, "Origin", "https://a.example", "Access-Control-Request-Method", asked],
      });
    expect(await preflight("/checkout", "POST")).toBe("fresh");
    expect(await preflight("/checkout/", "POST")).toBe("fresh");
    expect(await preflight("/orders/77/pay", "POST")).toBe("fresh");
    expect(await preflight("/checkout", "PUT")).toBe("old");
    expect(await whereTo(fixture, { method: "OPTIONS", target: "/checkout" })).toBe("old");
  });
});

describe("a preflight", () => {
  const fields = [...host, "Origin", "https://a.example", "Access-Control-Request-Method", "POST"];

  test("goes as anybody who names nobody, begins no journey and claims no key", async () => {
    const fixture = createFixture({
      state: { percentThousandths: 100_000 },
      cutover: { routes, owners: [{ key: "param:orderId", ttl: "24h" }] },
    });
    const client = fixture.send({ method: "OPTIONS", target: "/checkout", fields });
    answer(fixture.attempts[0], 204);
    expect(fixture.decisions).toEqual(["legacy anonymous"]);
    expect(valuesOf(client.heads[0]?.fields ?? [], "set-cookie")).toEqual([]);
    fixture.send({ method: "OPTIONS", target: "/orders/77/pay", fields });
    await turn();
    answer(fixture.attempts[1], 204);
    expect(fixture.journeys).toEqual([]);
    expect(fixture.claims.size).toBe(0);
    expect(fixture.finished).toEqual([]);
  });

  test("goes to the owner of the order in its path", async () => {
    const fixture = createFixture({ cutover: { routes } });
    fixture.owned.set("77", "new");
    expect(await whereTo(fixture, { method: "OPTIONS", target: "/orders/77/pay", fields })).toBe("fresh");
    expect(fixture.decisions).toEqual(["new owner"]);
    expect(fixture.finished).toEqual([]);
  });
});

describe("a path that only some servers take for a route's", () => {
  test.each([
    "//checkout",
    "/Checkout",
    "/checkout%00",
    "/checkout%3fa",
    "/orders//77/pay",
    "/ORDERS/77/pay",
  ])("is refused to a method that may change something: POST %s", async (target) => {
    const fixture = closed();
    expect(await whereTo(fixture, { method: "POST", target })).toBe("ambiguous_path");
    expect(fixture.counted).toEqual(["none rejected"]);
  });

  test.each(["//orders/77", "/Orders/77", "/orders%3f/77", "/orders/77%00"])(
    "is passed on and counted to GET and HEAD: %s",
    async (target) => {
      const fixture = closed();
      for (const method of ["GET", "HEAD"])
        expect(await whereTo(fixture, { method, target })).not.toBe("ambiguous_path");
      expect(fixture.counted.filter((what) => what === "near path checkout").length).toBeOneOf([0, 2]);
    },
  );

  test("is never refused where it is on a route as it stands", async () => {
    const fixture = closed();
    for (const target of ["/cart//x", "/cart/X%00", "/cart/a;b/", "/cart/%3f"]) {
      expect(await whereTo(fixture, { method: "POST", target })).toBe("fresh");
    }
    expect(fixture.counted).toEqual([]);
  });

  test("is passed on elsewhere, whatever it holds", async () => {
    const fixture = closed();
    for (const target of ["//about", "/About%00", "/login;a=1/", "/checkout"]) {
      expect(await whereTo(fixture, { method: "PUT", target })).toBe("old");
    }
  });
});

test("a route may refuse a trailing slash or params instead", async () => {
  const strict = [
    { name: "checkout", path: "/checkout", match: { trailingSlash: "refuse", params: "refuse" } },
  ];
  const fixture = closed({ cutover: { routes: strict, journey: undefined } });
  for (const target of ["/checkout/", "/checkout;a"]) {
    expect(await whereTo(fixture, { method: "GET", target })).toBe("ambiguous_path");
  }
  expect(await whereTo(fixture, { method: "GET", target: "/checkout" })).toBe("fresh");
});

describe("encoded slashes, backslashes and dot segments", () => {
  test.each(["/products/a%2Fb", "/p/..%5cx", "/a/../about", "/a\\b"])(
    "pass byte for byte where they meet no route, as product URLs hold them: %s",
    async (target) => {
      for (const method of ["GET", "POST"]) expect(await whereTo(closed(), { method, target })).toBe("old");
    },
  );

  test.each([
    ["GET", "/cart/../about"],
    ["GET", "/x/..%2fcart/1"],
    ["POST", "/x/../checkout"],
    ["POST", "/orders%2f77%2fpay"],
    ["POST", "/orders/7%2f7/pay"],
    ["GET", "/x\\..\\cart\\1"],
  ])("are refused where some server may find a route in them: %s %s", async (method, target) => {
    expect(await whereTo(closed(), { method, target })).toBe("ambiguous_path");
  });

  test("may be refused everywhere, or passed on routes too", async () => {
    const strict = closed({ paths: { elsewhere: "refuse" } });
    expect(await whereTo(strict, { method: "GET", target: "/products/a%2Fb" })).toBe("ambiguous_path");
    const loose = closed({ paths: { onRoutes: "pass" } });
    expect(await whereTo(loose, { method: "POST", target: "/orders/7%2f7/pay" })).toBe("fresh");
    expect(await whereTo(loose, { method: "POST", target: "/x/../checkout" })).toBe("old");
  });
});

test("a method that the parser knows and cannot name is refused: the upstream saw a request without one", async () => {
  expect(await whereTo(createFixture(), { method: "", target: "/x", fields: host })).toBe(
    "malformed_request",
  );
});

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { answer, createFixture, type FixtureOptions } from "../../../support/exchange-fixture.ts";
import { turn } from "../../../support/until.ts";

const atFull = { percentThousandths: 100_000 };
const shopper = ["X-Shopper-Id", "ana"];

/** @returns the upstream that a request is sent to, or the code of its refusal */
async function whereTo(fixture: ReturnType<typeof createFixture>, host: string, line: string) {
  const [method = "", target = ""] = line.split(" ");
  const sent = fixture.attempts.length;
  const client = fixture.send(
    { method, target, fields: ["Host", host, ...shopper] },
    method === "POST" ? "{}" : undefined,
  );
  await turn();
  await turn();
  const attempt = fixture.attempts[sent];
  if (attempt === undefined) return JSON.parse(client.body()).code;
  answer(attempt, 200);
  return attempt.upstream;
}

function shop(options: FixtureOptions) {
  return createFixture({ state: atFull, ...options });
}

describe("one country's host moves, and another's does not", () => {
  const fixture = shop({ cutover: { hosts: ["shop.my", "*.shop.example", "[::1]"] } });

  test.each([
    ["shop.my", "fresh"],
    ["SHOP.MY:8443", "fresh"],
    ["shop.my.", "fresh"],
    ["id.shop.example", "fresh"],
    ["a.b.shop.example:80", "fresh"],
    ["[0:0::1]:8080", "fresh"],
    ["shop.id", "old"],
    ["shop.example", "old"],
    ["www.shop.my", "old"],
    ["noshop.example", "old"],
    ["", "old"],
  ])("%s goes to %s", async (host, upstream) => {
    expect(await whereTo(fixture, host, "GET /cart/1")).toBe(upstream);
  });

  test("the authority of an absolute target is the host, and X-Forwarded-Host is none, also of a trusted proxy", async () => {
    const asked = shop({
      cutover: { hosts: ["shop.my"] },
      trusts: () => true,
      trustedProxies: ["192.0.2.0/24"],
    });
    expect(await whereTo(asked, "shop.id", "GET http://SHOP.my:80/cart/1")).toBe("fresh");
    expect(await whereTo(asked, "shop.my", "GET http://shop.id/cart/1")).toBe("old");
    asked.send({
      method: "GET",
      target: "/cart/1",
      fields: ["Host", "shop.id", "X-Forwarded-Host", "shop.my", ...shopper],
    });
    await turn();
    expect(asked.attempts.at(-1)?.upstream).toBe("old");
  });

  test("HTTP/1.0 without a Host is for no host by name", async () => {
    fixture.send({ method: "GET", target: "/cart/1", version: "1.0", fields: shopper });
    await turn();
    expect(fixture.attempts.at(-1)?.upstream).toBe("old");
  });

  test("what some server may take for a route of the host is refused there alone", async () => {
    expect(await whereTo(fixture, "shop.my", "POST /Checkout")).toBe("ambiguous_path");
    expect(await whereTo(fixture, "shop.id", "POST /Checkout")).toBe("old");
    expect(await whereTo(fixture, "shop.my", "POST /checkout/")).toBe("fresh");
  });

  test("a route has hosts of its own", async () => {
    const one = shop({
      cutover: {
        hosts: ["*.shop.example"],
        routes: [
          { name: "cart", path: "/cart/*" },
          { name: "checkout", path: "/checkout", journey: "start", hosts: ["my.shop.example"] },
          { name: "pay", path: "/orders/:orderId/pay", journey: "end" },
        ],
      },
    });
    expect(await whereTo(one, "my.shop.example", "POST /checkout")).toBe("fresh");
    expect(await whereTo(one, "id.shop.example", "POST /checkout")).toBe("old");
    expect(await whereTo(one, "id.shop.example", "GET /cart/1")).toBe("fresh");
  });
});

describe("a fixed route", () => {
  const routes = [
    { name: "admin-new", path: "/admin-new/*", upstream: "fresh", except: ["/admin-new/old/*"] },
    { path: "/cart/help", upstream: "old" },
    { name: "id", path: "/*", hosts: ["shop.id"], upstream: "old" },
  ];
  const fixture = shop({ routes });

  test("goes to its upstream, whoever asks, and is counted and logged by its name and as no cutover's", async () => {
    const one = shop({ routes, state: { percentThousandths: 0 } });
    expect(await whereTo(one, "shop.my", "GET /admin-new/x")).toBe("fresh");
    expect(one.entries).toMatchObject([
      { cutover: "none", route: "admin-new", side: "none", reason: undefined },
    ]);
    expect(one.decisions).toEqual([]);
    expect(await whereTo(one, "shop.my", "GET /elsewhere")).toBe("old");
    expect(one.entries.at(-1)).toMatchObject({ cutover: "none", route: "none" });
  });

  test("leaves what it excepts to the others, or the default", async () => {
    expect(await whereTo(fixture, "shop.my", "GET /admin-new/old/x")).toBe("old");
    expect(await whereTo(fixture, "shop.my", "GET /admin-new/")).toBe("fresh");
  });

  test("wins where it is more specific than a cutover's, and before all on a host of its own", async () => {
    expect(await whereTo(fixture, "shop.my", "GET /cart/help")).toBe("old");
    expect(await whereTo(fixture, "shop.my", "GET /cart/1")).toBe("fresh");
    expect(await whereTo(fixture, "shop.id", "GET /cart/1")).toBe("old");
  });

  test("of every path hides no cutover's: other spellings of that are refused, or go there", async () => {
    const wide = shop({ routes: [{ path: "/*", upstream: "old" }] });
    expect(await whereTo(wide, "shop.my", "POST /checkout/")).toBe("fresh");
    expect(await whereTo(wide, "shop.my", "POST /Checkout")).toBe("ambiguous_path");
    expect(await whereTo(wide, "shop.my", "POST /x/%2e%2e/checkout")).toBe("ambiguous_path");
    expect(await whereTo(wide, "shop.my", "GET /CART/1")).toBe("old");
    expect(wide.counted).toContain("near path checkout");
    expect(await whereTo(fixture, "shop.id", "POST /Checkout")).toBe("old");
  });

  test("takes its path without a trailing slash too, unless it is to refuse that", async () => {
    const strict = { path: "/b", upstream: "fresh", match: { trailingSlash: "refuse" } };
    const one = shop({ routes: [{ path: "/a", upstream: "fresh" }, strict] });
    expect(await whereTo(one, "shop.my", "GET /a/")).toBe("fresh");
    expect(await whereTo(one, "shop.my", "GET /b/")).toBe("ambiguous_path");
  });

  test("is what a preflight goes by that asks for it", async () => {
    const fields = ["Host", "shop.my", "Origin", "https://a.example", "Access-Control-Request-Method", "PUT"];
    fixture.send({ method: "OPTIONS", target: "/admin-new/x", fields });
    await turn();
    expect(fixture.attempts.at(-1)?.upstream).toBe("fresh");
  });
});

test("what is on no route goes to the default of its host, the nearest one first", async () => {
  const hosts = {
    "shop.my": { default: "fresh" },
    "*.Example": { default: "fresh" },
    "*.shop.example": { default: "old" },
  };
  const fixture = shop({ hosts, cutover: { hosts: ["a.example"] } });
  expect(await whereTo(fixture, "shop.my:80", "GET /")).toBe("fresh");
  expect(await whereTo(fixture, "a.example", "GET /")).toBe("fresh");
  expect(await whereTo(fixture, "a.shop.example", "GET /")).toBe("old");
  expect(await whereTo(fixture, "shop.id", "GET /")).toBe("old");
});

test("a configuration without hosts has one routing, and looks at no host", () => {
  expect(shop({}).context.table.hosts).toBeUndefined();
  expect(shop({ routes: [{ path: "/a", upstream: "old" }] }).context.table.hosts).toBeUndefined();
});

test("whatever is asked of hosts that the cutover is not for, no request of theirs is decided by it", async () => {
  const fixture = shop({ cutover: { hosts: ["shop.my", "*.shop.example"] } });
  const host = fc.constantFrom(
    "shop.id",
    "xshop.my",
    "shop.my.evil",
    "shop.example",
    "my",
    "[::1]",
    "",
    "shop.my%00",
  );
  const line = fc.constantFrom(
    "GET /cart/1",
    "POST /checkout",
    "POST /Checkout",
    "POST /orders/7/pay",
    "GET /cart/%2e%2e/x",
  );
  await fc.assert(
    fc.asyncProperty(host, fc.constantFrom("", ":80", ":"), line, async (name, port, asked) => {
      const decided = fixture.decisions.length;
      expect(await whereTo(fixture, `${name}${port}`, asked)).toBe("old");
      expect(fixture.decisions).toHaveLength(decided);
    }),
    { numRuns: 60 },
  );
});

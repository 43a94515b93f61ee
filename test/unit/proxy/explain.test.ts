import { describe, expect, test } from "vitest";
import { StoreUnavailable } from "../../../src/base/errors.ts";
import { explain, type Question } from "../../../src/proxy/explain.ts";
import { createFixture, type FixtureOptions } from "../../support/exchange-fixture.ts";

function ask(options: FixtureOptions = {}) {
  const fixture = createFixture({ state: { percentThousandths: 50_000, version: 3 }, ...options });
  return {
    fixture,
    why: (question: Question, name = "checkout") => explain(fixture.context, name, question),
  };
}

describe("an explanation", () => {
  test("is the decision of a request with these facts", async () => {
    const { why } = ask();
    expect(await why({ shopper: "ana" })).toMatchObject({
      decision: { reason: "bucket" },
      owner: undefined,
      journey: undefined,
    });
    expect(await why({})).toMatchObject({ decision: { side: "legacy", reason: "anonymous" } });
  });

  test("is none for another cutover, or a path or method on none of its routes", async () => {
    const { why } = ask();
    expect(await why({ shopper: "a" }, "wallet")).toBeUndefined();
    expect(await why({ shopper: "a", path: "/nowhere" })).toBeUndefined();
    expect(await why({ shopper: "a", path: "/checkout" })).toBeUndefined();
    expect(await why({ shopper: "a", path: "/checkout?x=1", method: "POST" })).toBeDefined();
  });

  test("tells the routes that share the path in the order in which they are asked, and leaves out what the query refuses", async () => {
    const routes = [
      { name: "pay", path: "/graphql", when: { graphql: ["addPaymentToOrder", "mutation:*"] } },
      { name: "cart", path: "/graphql", when: { graphql: "addItemToOrder", header: "x-a" } },
      { name: "ajax", path: "/", when: { query: "wc-ajax=checkout" } },
      { name: "rest", path: "/graphql" },
    ];
    const { why } = ask({ cutover: { routes, owners: [] } });
    const told = async (path: string) =>
      (await why({ shopper: "a", path }))?.routes.map(({ name, when }) => [name, when]);
    expect(await told("/graphql")).toEqual([
      ["cart", "header x-a, graphql addItemToOrder"],
      ["pay", "graphql addPaymentToOrder or mutation:*"],
      ["rest", undefined],
    ]);
    expect(await told("/?wc-ajax=checkout")).toEqual([["ajax", undefined]]);
    expect(await told("/?wc-ajax=cart")).toBeUndefined();
  });

  test("goes a tester's way, who overrules the bucket and no owner; a name that is none is nobody", async () => {
    const { fixture, why } = ask({
      cutover: { shopper: [{ source: "header:x-shopper-id", except: ["undefined"] }] },
    });
    fixture.owned.set("INV-7", "legacy");
    for (const force of ["legacy", "new"] as const) {
      expect((await why({ shopper: "ana", force }))?.decision).toEqual({ side: force, reason: "forced" });
      expect((await why({ force, key: "INV-7" }))?.decision.reason).toBe("owner");
    }
    expect((await why({ shopper: "undefined" }))?.decision.reason).toBe("anonymous");
    fixture.set({ state: "rolled_back" });
    expect((await why({ force: "new" }))?.decision).toEqual({ side: "legacy", reason: "rolled_back" });
  });

  test("goes the way of a visit, and tells that what names nobody moves at 100%", async () => {
    const { fixture, why } = ask({ cutover: { visit: {}, anonymous: "new-at-100" } });
    for (const visit of ["legacy", "new"] as const) {
      const told = await why({ shopper: "ana", visit });
      expect(told?.decision).toEqual({ side: visit, reason: "visit" });
      expect(told?.sentence).toContain(
        `${visit}, because a visit began there and stays until it is over (bucket `,
      );
    }
    expect((await why({}))?.sentence).toContain("legacy, because the request names no shopper; version");
    fixture.set({ percentThousandths: 100_000 });
    expect((await why({}))?.sentence).toContain("new, because the request names no shopper, and at 100%");
    fixture.set({ state: "rolled_back", percentThousandths: 0 });
    expect((await why({ shopper: "ana", visit: "new" }))?.decision.reason).toBe("rolled_back");
  });

  test("goes to legacy while too much is unpaid on new, unless a visit is under way there and no journey would begin", async () => {
    const exposure = { maxOpenAmount: 10, currency: "IDR", amount: "json:/total" };
    const { fixture, why } = ask({
      cutover: { exposure, visit: {} },
      state: { percentThousandths: 100_000 },
    });
    expect((await why({ shopper: "ana" }))?.decision).toEqual({ side: "new", reason: "bucket" });
    fixture.exposure.opened("checkout", "X-1", 11);
    expect((await why({ shopper: "ana" }))?.sentence).toContain(
      "legacy, because more than its cap is unpaid",
    );
    const visit = { shopper: "ana", visit: "new", method: "POST" } as const;
    expect((await why({ ...visit, path: "/orders/7/pay" }))?.decision.reason).toBe("visit");
    expect((await why({ ...visit, path: "/checkout" }))?.decision.reason).toBe("exposure");
  });

  test("tells the owner of an order or an idempotency key, which outranks the shopper", async () => {
    const { fixture, why } = ask();
    fixture.owned.set("INV-\xc3\xa9", "new");
    const told = await why({ shopper: "a", key: "INV-é" });
    expect(told).toMatchObject({
      decision: { side: "new", reason: "owner" },
      owner: { side: "new", by: "record" },
    });
    expect(told?.sentence).toContain("new, because it owns the order or the key");
    expect((await why({ key: "INV-8" }))?.owner).toEqual({ side: undefined, by: "nobody" });
  });

  test("tells an owner by the key's form", async () => {
    const patterns = [{ pattern: "^SS-", side: "legacy" }];
    const { why } = ask({
      cutover: { owners: [{ key: "header:idempotency-key" }, { key: "json:/id", patterns }] },
    });
    expect((await why({ key: "SS-1" }))?.owner).toEqual({ side: "legacy", by: "pattern" });
  });

  test("says so when the owner cannot be told, and counts no request", async () => {
    const { fixture, why } = ask({ owners: { lookup: () => Promise.reject(new StoreUnavailable("off")) } });
    expect((await why({ key: "INV-7" }))?.owner).toEqual({ side: undefined, by: "unknown" });
    expect(fixture.counted).toEqual([]);
  });

  test("tells the journey of a shopper whose client keeps no cookies", async () => {
    const { fixture, why } = ask();
    const startedAt = fixture.time.ms / 1000;
    const pin = {
      id: "x".repeat(12),
      side: "new",
      epoch: 0,
      startedAt,
      expiresAt: startedAt + 14_400,
    } as const;
    await fixture.pins.start("checkout", "ana", pin, 14_400);
    fixture.set({ percentThousandths: 0 });
    expect(await why({ shopper: "ana" })).toMatchObject({
      decision: { side: "new", reason: "journey" },
      journey: { side: "new", startedAt },
    });
  });
});

test("a host says whether the cutover is for it, and without one those that it is for are tried", async () => {
  const { why } = ask({
    cutover: { hosts: ["shop.my", "*.shop.example"] },
    routes: [{ path: "/*", hosts: ["old.shop.example"], upstream: "old" }],
  });
  const path = "/cart/1";
  expect(await why({ shopper: "a", path })).toBeDefined();
  expect(await why({ shopper: "a", path, host: "SHOP.my:8443" })).toBeDefined();
  expect(await why({ shopper: "a", path, host: "id.shop.example" })).toBeDefined();
  expect(await why({ shopper: "a", path, host: "old.shop.example" })).toBeUndefined();
  expect(await why({ shopper: "a", path, host: "shop.id" })).toBeUndefined();
  expect(await why({ shopper: "a", host: "shop.id" })).toBeUndefined();
  expect(await why({ shopper: "a", host: "shop.my" })).toBeDefined();
  const everywhere = ask().why;
  expect(await everywhere({ shopper: "a", path, host: "shop.id" })).toBeDefined();
});

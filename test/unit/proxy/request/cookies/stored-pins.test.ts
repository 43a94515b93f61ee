/** The journeys of shoppers who show no cookie of them, whatever else they send; and what a stranger can do to them. */
import { describe, expect, test } from "vitest";
import { createMemoryStores } from "../../../../../src/ownership/stores/in-process.ts";
import { answer, createFixture } from "../../../../support/exchange-fixture.ts";
import { valuesOf } from "../../../../support/raw-upstream.ts";
import { turn } from "../../../../support/until.ts";

type Fixture = ReturnType<typeof createFixture>;

const host = ["Host", "shop.example"];
const browser = (sid: string, cookie?: string) => [
  ...host,
  "Cookie",
  cookie === undefined ? `sid=${sid}` : `sid=${sid}; ${cookie}`,
];
const named = (shopper: string, ...more: string[]) => [...host, "X-Shopper-Id", shopper, ...more];
const all = { state: { percentThousandths: 100_000 } };
const rolledBack = (fixture: Fixture) =>
  ({
    percentThousandths: 0,
    state: "rolled_back",
    updatedAt: new Date(fixture.time.ms).toISOString(),
  }) as const;
const stored = (fixture: Fixture, shopper: string) => fixture.pins.find("checkout", shopper, 14_400);

async function settleDown() {
  for (let i = 0; i < 10; i++) await turn();
}

/** Sends it as far as the upstream. */
async function begin(fixture: Fixture, method: string, target: string, fields: string[]) {
  const client = fixture.send({ method, target, fields }, method === "POST" ? "{}" : undefined);
  await settleDown();
  return { client, attempt: fixture.attempts.at(-1) };
}

/** @returns the journey cookie of the answer */
async function pass(fixture: Fixture, method: string, target: string, fields: string[], made?: string) {
  const { client, attempt } = await begin(fixture, method, target, fields);
  answer(attempt, 200, [], made === undefined ? "" : JSON.stringify({ orderId: made }));
  await settleDown();
  const cookies = valuesOf(client.heads[0]?.fields ?? [], "set-cookie");
  return cookies.find((text) => text.startsWith("cutover_journey="))?.split(";")[0] ?? "";
}

describe("a shopper whose browser has cookies, and none of the journey", () => {
  test("stays where the checkout began: the journey's cookie was lost", async () => {
    const fixture = createFixture(all);
    await pass(fixture, "POST", "/checkout", browser("a"));
    fixture.set(rolledBack(fixture));
    await pass(fixture, "GET", "/cart/1", browser("a"));
    await pass(fixture, "GET", "/cart/1", browser("b"));
    expect(fixture.decisions.slice(1)).toEqual(["new journey", "legacy rolled_back"]);
  });

  test("does not part from another start of the shopper's that is in flight, though the percent falls between them", async () => {
    const fixture = createFixture(all);
    const first = await begin(fixture, "POST", "/checkout", browser("a"));
    fixture.set(rolledBack(fixture));
    const second = await begin(fixture, "POST", "/checkout", browser("a"));
    expect(fixture.decisions).toEqual(["new bucket", "new journey"]);
    answer(first.attempt, 200);
    answer(second.attempt, 200);
    await settleDown();
    expect(fixture.journeys.map(({ event, pin }) => `${event} ${pin.side}`)).toEqual([
      "start new",
      "start new",
    ]);
    expect(new Set(fixture.journeys.map(({ pin }) => pin.id)).size).toBe(1);
  });

  test.each([
    ["cannot connect", { outcome: "connect_failed", sent: false, code: "ECONNREFUSED" }],
    ["gets no answer after bytes were sent", { outcome: "reset", sent: true, code: "ECONNRESET" }],
  ] as const)("leaves nothing behind by a start that %s", async (_, failure) => {
    const fixture = createFixture(all);
    const { attempt } = await begin(fixture, "POST", "/checkout", browser("a"));
    expect(await stored(fixture, "a")).toMatchObject({ reserved: 1 });
    attempt?.sink.failure(failure);
    await settleDown();
    expect(await stored(fixture, "a")).toBeUndefined();
  });

  test("leaves nothing behind by a start that was answered with a failure", async () => {
    const fixture = createFixture(all);
    const { attempt } = await begin(fixture, "POST", "/checkout", browser("a"));
    answer(attempt, 503);
    await settleDown();
    expect(await stored(fixture, "a")).toBeUndefined();
  });

  test("has a pin in the store that ends with the cookie, once that was shown", async () => {
    const fixture = createFixture(all);
    const cookie = await pass(fixture, "POST", "/checkout", browser("a"));
    fixture.time.ms += 60_000;
    await pass(fixture, "GET", "/cart/1", browser("a", cookie));
    fixture.set(rolledBack(fixture));
    fixture.time.ms += 1_799_000;
    expect(await stored(fixture, "a")).toBeDefined();
    fixture.time.ms += 1000;
    await pass(fixture, "GET", "/cart/1", browser("a"));
    expect(fixture.decisions.at(-1)).toBe("legacy rolled_back");
  });

  test("is not told as on a journey by what is asked after its end", async () => {
    const fixture = createFixture(all);
    const cookie = await pass(fixture, "POST", "/checkout", named("ann"));
    await pass(fixture, "POST", "/orders/X-1/pay", named("ann", "Cookie", cookie));
    fixture.time.ms += 200;
    fixture.set(rolledBack(fixture));
    await pass(fixture, "GET", "/cart/1", named("ann"));
    expect(fixture.decisions.at(-1)).toBe("new journey");
    expect(fixture.journeys.map(({ event }) => event)).toEqual(["start", "end"]);
  });

  test("has no journey in the store any more once the cookie has ended it", async () => {
    const fixture = createFixture(all);
    const cookie = await pass(fixture, "POST", "/checkout", browser("a"));
    await pass(fixture, "POST", "/orders/X-1/pay", browser("a", cookie));
    expect(await stored(fixture, "a")).toMatchObject({ ended: true });
    fixture.time.ms += 60_000;
    expect(await stored(fixture, "a")).toBeUndefined();
  });

  test("asks the store for nothing while it browses, however lately the percent was changed", async () => {
    const { pinNews } = createMemoryStores({ now: () => 0 });
    let finds = 0;
    const fixture = createFixture({
      ...all,
      pinNews,
      pins: {
        async find() {
          finds += 1;
          return undefined;
        },
      },
    });
    await settleDown();
    fixture.set({ percentThousandths: 50_000, updatedAt: new Date(fixture.time.ms).toISOString() });
    for (let i = 0; i < 20; i++) await pass(fixture, "GET", "/cart/1", browser(`s${i}`));
    expect(finds).toBe(0);
    await begin(fixture, "POST", "/checkout", browser("a"));
    await pass(fixture, "GET", "/cart/1", browser("a"));
    expect(finds).toBe(1);
  });
});

describe("a stranger who names somebody's x-shopper-id", () => {
  const begun = async (cutover: Readonly<Record<string, unknown>> = {}) => {
    const fixture = createFixture({ ...all, cutover });
    await pass(fixture, "POST", "/checkout", named("ann"), "X-1");
    return fixture;
  };
  const grace = 60_000;

  test("and pays an order of his own does not end that shopper's journey", async () => {
    const fixture = await begun();
    await pass(fixture, "POST", "/checkout", named("eve"), "X-2");
    await pass(fixture, "POST", "/orders/X-2/pay", named("ann"));
    await pass(fixture, "POST", "/orders/unheard-of/pay", named("ann"));
    fixture.set(rolledBack(fixture));
    fixture.time.ms += grace;
    await pass(fixture, "GET", "/cart/1", named("ann"));
    expect(fixture.decisions.at(-1)).toBe("new journey");
    expect(fixture.journeys.filter(({ event }) => event === "end")).toEqual([]);
  });

  test("and starts in it, and pays what that made, does not end it either", async () => {
    const fixture = await begun();
    await pass(fixture, "POST", "/checkout", named("ann"), "X-3");
    await pass(fixture, "POST", "/orders/X-3/pay", named("ann"));
    expect((await stored(fixture, "ann"))?.ended).toBeUndefined();
  });

  test("and shows the cookie of his own journey ends his own alone", async () => {
    const fixture = await begun();
    const cookie = await pass(fixture, "POST", "/checkout", browser("eve"), "X-2");
    await pass(fixture, "POST", "/orders/X-2/pay", named("ann", "Cookie", cookie));
    expect((await stored(fixture, "ann"))?.ended).toBeUndefined();
  });

  test("cannot say where that shopper's journey begins, by a key of his own or by his cookie", async () => {
    const fixture = createFixture(all);
    fixture.owned.set("X-2", "legacy");
    fixture.claims.set("K-2", "legacy");
    await pass(fixture, "POST", "/checkout", named("ann", "Idempotency-Key", "K-2"));
    expect(fixture.decisions.at(-1)).toBe("legacy owner");
    expect(await stored(fixture, "ann")).toBeUndefined();
    fixture.set({ percentThousandths: 0 });
    const cookie = await pass(fixture, "POST", "/checkout", browser("eve"));
    fixture.set(all.state);
    await pass(fixture, "POST", "/checkout", named("ann", "Cookie", cookie));
    expect(fixture.decisions.at(-1)).toBe("legacy journey");
    expect(await stored(fixture, "ann")).toBeUndefined();
  });

  test("is nobody where the header counts from trusted addresses alone, in every spelling, and the shop does not hear of it", async () => {
    const trustedShopper = { header: "x-shopper-id", from: ["10.0.0.0/8"] };
    const fixture = createFixture({ ...all, cutover: { trustedShopper } });
    const spelled = ["X-Shopper-Id", "ann", "x_shopper-id", "ann", "X_Shopper_Id", "ann"];
    for (const target of ["/cart/1", "/elsewhere"]) {
      fixture.send({ method: "GET", target, fields: [...host, ...spelled, "X-Shopper", "kept"] });
      const { fields = [] } = fixture.attempts.at(-1)?.request ?? {};
      expect(fields.join("\n")).not.toMatch(/shopper[-_]id/i);
      expect(valuesOf([...fields], "x-shopper")).toEqual(["kept"]);
    }
    expect(fixture.decisions).toEqual(["legacy anonymous"]);
    const peer = { address: "::ffff:10.1.2.3", encrypted: false };
    fixture.send({ method: "GET", target: "/cart/1", fields: named("ann"), peer });
    expect(fixture.decisions.at(-1)).toBe("new bucket");
    expect(valuesOf([...(fixture.attempts.at(-1)?.request.fields ?? [])], "x-shopper-id")).toEqual(["ann"]);
  });

  test("who comes by a trusted address is the shopper: his payment ends the journey, whatever it pays", async () => {
    const fixture = await begun({ trustedShopper: { header: "x-shopper-id", from: ["192.0.2.7"] } });
    await pass(fixture, "POST", "/orders/unheard-of/pay", named("ann"));
    expect(await stored(fixture, "ann")).toMatchObject({ ended: true });
  });
});

describe("a start whose cookie never came back", () => {
  const missing = (fixture: Fixture) => fixture.counted.filter((text) => text.startsWith("missing"));

  test("is counted when its journey is ended without it, and where it is started again", async () => {
    const fixture = createFixture(all);
    await pass(fixture, "POST", "/checkout", browser("a"), "X-1");
    fixture.time.ms += 11_000;
    await pass(fixture, "POST", "/checkout", browser("a"));
    fixture.time.ms += 11_000;
    await pass(fixture, "POST", "/orders/X-1/pay", browser("a"));
    expect(missing(fixture)).toEqual(["missing cookie", "missing cookie"]);
  });

  test("is told apart of clients that send no cookies at all", async () => {
    const fixture = createFixture(all);
    await pass(fixture, "POST", "/checkout", named("a"), "X-1");
    fixture.time.ms += 60_000;
    await pass(fixture, "POST", "/orders/X-1/pay", named("a"));
    expect(missing(fixture)).toEqual(["missing cookie of none"]);
  });

  test("is none where it came back, was in flight still, or would be over", async () => {
    const fixture = createFixture(all);
    const cookie = await pass(fixture, "POST", "/checkout", browser("a"));
    fixture.time.ms += 11_000;
    await pass(fixture, "POST", "/orders/X-1/pay", browser("a", cookie));
    await pass(fixture, "POST", "/checkout", browser("b"));
    await pass(fixture, "POST", "/checkout", browser("b"));
    fixture.time.ms += 1_800_000;
    await pass(fixture, "POST", "/checkout", browser("b"));
    expect(missing(fixture)).toEqual([]);
  });
});

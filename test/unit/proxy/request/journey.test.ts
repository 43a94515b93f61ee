import { describe, expect, test } from "vitest";
import { signPin } from "../../../../src/decide/pin.ts";
import { answer, createFixture } from "../../../support/exchange-fixture.ts";
import { valuesOf } from "../../../support/raw-upstream.ts";
import { turn, until } from "../../../support/until.ts";

type Fixture = ReturnType<typeof createFixture>;

const host = ["Host", "shop.example"];
const withCookie = (cookie: string) => [...host, "X-Shopper-Id", "a", "Cookie", cookie];

/** Sends a request, lets the upstream answer, and gives the journey cookie of the answer. */
async function pass(fixture: Fixture, method: string, target: string, cookie = "theme=dark", status = 200) {
  const body = method === "POST" ? "{}" : undefined;
  const client = fixture.send({ method, target, fields: withCookie(cookie) }, body);
  await turn();
  await turn();
  answer(fixture.attempts.at(-1), status);
  const fields = valuesOf(client.heads.at(-1)?.fields ?? [], "set-cookie");
  return fields.find((field) => field.startsWith("cutover_journey="))?.split(";")[0];
}

describe("what is told of journeys", () => {
  test("is their start, each further answer and their end, under one id", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    const cookie = await pass(fixture, "POST", "/checkout");
    fixture.time.ms += 1000;
    await pass(fixture, "GET", "/cart/1", cookie);
    await pass(fixture, "POST", "/checkout", cookie);
    await pass(fixture, "POST", "/orders/X-1/pay", cookie, 402);
    await pass(fixture, "POST", "/orders/X-1/pay", cookie, 200);
    expect(fixture.journeys.map(({ event }) => event)).toEqual(["start", "seen", "seen", "seen", "end"]);
    expect(new Set(fixture.journeys.map(({ pin }) => pin.id)).size).toBe(1);
    expect(fixture.journeys.every(({ cutover, pin }) => cutover === "checkout" && pin.side === "new")).toBe(
      true,
    );
  });

  test("is nothing of requests outside a journey", async () => {
    const fixture = createFixture();
    await pass(fixture, "GET", "/cart/1");
    await pass(fixture, "POST", "/orders/X-1/pay");
    expect(fixture.journeys).toEqual([]);
  });

  test("is another journey when it begins anew on the other side after a hard rollback", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    const cookie = await pass(fixture, "POST", "/checkout");
    fixture.set({ percentThousandths: 0, state: "rolled_back", pinEpoch: 1 });
    await pass(fixture, "POST", "/checkout", cookie);
    const [first, second] = fixture.journeys;
    expect(second).toMatchObject({ event: "start", pin: { side: "legacy", epoch: 1 } });
    expect(second?.pin.id).not.toBe(first?.pin.id);
  });
});

describe("what is told of orders", () => {
  test("is the one a 2xx has finished where journeys end, and no idempotency key", async () => {
    const fixture = createFixture();
    await pass(fixture, "POST", "/orders/X-1/pay", undefined, 402);
    await pass(fixture, "POST", "/orders/X-1/pay", undefined, 302);
    expect(fixture.finished).toEqual([]);
    const fields = [...host, "Idempotency-Key", "K-1"];
    fixture.send({ method: "POST", target: "/orders/X-2/pay", fields }, "{}");
    await until("it is sent on", () => fixture.attempts.length === 3);
    answer(fixture.attempts.at(-1), 201);
    expect(fixture.finished).toEqual(["checkout X-2"]);
  });

  test("is the one a payment names in its body, and nothing of a route that finishes none", async () => {
    const routes = [
      { name: "pay", path: "/pay", methods: ["POST"], payment: true },
      { name: "callback", path: "/callbacks/payment", methods: ["POST"] },
    ];
    const fixture = createFixture({ cutover: { routes, journey: undefined } });
    for (const target of ["/callbacks/payment", "/pay"]) {
      fixture.send({ method: "POST", target, fields: host }, '{"order_id":"X-3"}');
      const sent = fixture.attempts.length;
      await until("it is sent on", () => fixture.attempts.length > sent);
      answer(fixture.attempts.at(-1), 200);
    }
    expect(fixture.finished).toEqual(["checkout X-3"]);
  });
});

describe("an order whose form tells its side", () => {
  const owners = [
    {
      key: ["param:orderId", "json:/order_id"],
      learn: ["json:/orderId"],
      patterns: [{ pattern: "^SS-", side: "legacy" }],
    },
  ];
  /** @param named what the answer names */
  async function post(fixture: ReturnType<typeof createFixture>, target: string, named: string) {
    const sent = fixture.attempts.length;
    fixture.send({ method: "POST", target, fields: host }, "{}");
    await until("it is sent on", () => fixture.attempts.length > sent);
    answer(
      fixture.attempts.at(-1),
      200,
      ["Content-Type", "application/json"],
      JSON.stringify({ orderId: named }),
    );
    await turn();
  }

  test("is made by the answer that names it first, not by one to a request that names it itself", async () => {
    const fixture = createFixture({ cutover: { owners } });
    await post(fixture, "/checkout", "SS-1");
    expect(fixture.learned).toEqual(["SS-1 legacy"]);
    // Made long ago, or on another instance.
    await post(fixture, "/orders/SS-2/pay", "SS-2");
    expect(fixture.learned).toEqual(["SS-1 legacy"]);
    await post(fixture, "/orders/SS-2/pay", "SS-3");
    expect(fixture.learned).toEqual(["SS-1 legacy", "SS-3 legacy"]);
    expect(fixture.finished).toEqual(["checkout SS-2", "checkout SS-2"]);
  });
});

describe("the cookie of a journey", () => {
  test("lives for a minute after its end, for confirmation pages, and no longer however much they are loaded", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    const cookie = await pass(fixture, "POST", "/checkout");
    await pass(fixture, "POST", "/orders/X-1/pay", cookie, 402);
    fixture.time.ms += 1000;
    await pass(fixture, "GET", "/cart/1", cookie);
    const ended = await pass(fixture, "POST", "/orders/X-1/pay", cookie, 200);
    fixture.set({ percentThousandths: 0 });
    fixture.time.ms += 30_000;
    expect(await pass(fixture, "GET", "/cart/1", ended)).toBeUndefined();
    expect(fixture.decisions.at(-1)).toBe("new journey");
    fixture.time.ms += 29_999;
    await pass(fixture, "GET", "/cart/1", ended);
    expect(fixture.decisions.at(-1)).toBe("new journey");
    fixture.time.ms += 1;
    await pass(fixture, "GET", "/cart/1", ended);
    expect(fixture.decisions.at(-1)).toBe("legacy bucket");
    expect(fixture.counted).toContain("pin checkout expired");
  });
});

describe("a journey cookie that does not count", () => {
  const signed = (secret: string, cutover: string) => {
    const startedAt = 1_700_000_000;
    const pin = {
      id: "AbC_-0123xyz",
      side: "new",
      epoch: 0,
      startedAt,
      expiresAt: startedAt + 1800,
    } as const;
    return `cutover_journey=${signPin(secret, cutover, pin)}`;
  };

  test.each([
    ["tampered with", (cookie: string) => cookie.replace(".n.", ".l."), "signature"],
    ["cut short", (cookie: string) => cookie.slice(0, -1), "malformed"],
    ["anything", () => "cutover_journey=new", "malformed"],
    ["another cutover's", () => signed("s3cret", "wallet"), "signature"],
    ["signed with a secret of nobody's", () => signed("guess", "checkout"), "signature"],
  ])("is ignored and counted: %s", async (_, spoil, fault) => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    const cookie = (await pass(fixture, "POST", "/checkout")) ?? "";
    fixture.set({ percentThousandths: 0 });
    await pass(fixture, "GET", "/cart/1", spoil(cookie));
    expect(fixture.decisions.at(-1)).toBe("legacy bucket");
    expect(fixture.counted).toContain(`pin checkout ${fault}`);
  });

  test("is ignored and counted: expired", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    const cookie = await pass(fixture, "POST", "/checkout");
    fixture.set({ percentThousandths: 0 });
    fixture.time.ms += 1800 * 1000;
    await pass(fixture, "GET", "/cart/1", cookie);
    expect(fixture.decisions.at(-1)).toBe("legacy bucket");
    expect(fixture.counted).toContain("pin checkout expired");
  });

  test("is not what a request without one carries", async () => {
    const fixture = createFixture();
    await pass(fixture, "GET", "/cart/1", "sid=1");
    expect(fixture.counted).toEqual(["legacy ok"]);
  });
});

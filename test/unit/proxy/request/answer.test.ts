/** What an answer does, by what it holds: named after what shops were seen to answer. */
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { answer, createFixture, type FixtureOptions } from "../../../support/exchange-fixture.ts";
import { turn } from "../../../support/until.ts";

const json = ["Content-Type", "application/json"];
const shopper = ["Host", "shop.example", "X-Shopper-Id", "a"];
const keepsCookies = [...shopper, "Cookie", "a=b"];

async function turns() {
  for (let i = 0; i < 8; i++) await turn();
}

/** One path for everything, as GraphQL has it. */
const graphql = {
  routes: [
    {
      name: "api",
      path: "/graphql",
      methods: ["POST"],
      journey: {
        start: { when: "json:/data/addItemToOrder/code" },
        end: { when: "json:/data/addPaymentToOrder/code", unless: "json:/errors" },
      },
    },
  ],
  owners: [
    {
      key: "json:/variables/code",
      learn: ["json:/data/addItemToOrder/code", "json:/data/addPaymentToOrder/code"],
    },
  ],
};

function shop(options: FixtureOptions = {}) {
  const fixture = createFixture({ state: { percentThousandths: 100_000 }, ...options });
  let cookie = "a=b";
  /** @returns what the answer has given the client */
  async function exchange(target: string, status: number, body: unknown, fields: readonly string[] = json) {
    const given = [...shopper, "Cookie", cookie];
    const client = fixture.send({ method: "POST", target, fields: given }, "{}");
    await turns();
    const text = typeof body === "string" ? body : JSON.stringify(body);
    answer(fixture.attempts.at(-1), status, fields, text);
    await turns();
    expect(client.heads.map((head) => head.status)).toEqual([status]);
    expect(client.body()).toBe(text);
    expect(client.ended()).toBe(true);
    const { fields: told = [] } = client.heads[0] ?? {};
    const set = told[told.indexOf("Set-Cookie") + 1];
    if (set !== undefined && told.includes("Set-Cookie")) cookie = `a=b; ${set.split(";")[0]}`;
    return told.includes("Set-Cookie");
  }
  const events = () => fixture.journeys.map(({ event }) => event);
  return { ...fixture, exchange, events };
}

describe("a shop with one path for everything", () => {
  test("begins a journey with the first item, and ends it with the payment that was taken, not with one that was declined", async () => {
    const { exchange, events, set, decisions, finished } = shop({ cutover: graphql });
    expect(await exchange("/graphql", 200, { data: { products: [] } })).toBe(false);
    expect(events()).toEqual([]);
    expect(await exchange("/graphql", 200, { data: { addItemToOrder: { code: "C1" } } })).toBe(true);
    expect(events()).toEqual(["start"]);
    set({ percentThousandths: 0, state: "rolled_back" });
    const declined = { data: { addPaymentToOrder: { errorCode: "PAYMENT_DECLINED_ERROR", message: "no" } } };
    await exchange("/graphql", 200, declined);
    expect(events()).toEqual(["start", "seen"]);
    expect(finished).toEqual([]);
    await exchange("/graphql", 200, { data: { addPaymentToOrder: { code: "C1", state: "PaymentSettled" } } });
    expect(events()).toEqual(["start", "seen", "end"]);
    expect(decisions).toEqual(["new bucket", "new bucket", "new journey", "new journey"]);
    // Nobody named the order but the answers.
    expect(finished).toEqual(["checkout C1"]);
    await exchange("/graphql", 200, { data: { order: { code: "C1" } } });
    expect(decisions.at(-1)).toBe("new journey");
    await exchange("/graphql", 200, { data: { addItemToOrder: { code: "C2" } } });
    expect(events().at(-1)).toBe("start");
  });

  test("keeps no side for a client without cookies whose request was no start", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 }, cutover: graphql });
    const send = async (body: unknown) => {
      fixture.send({ method: "POST", target: "/graphql", fields: shopper }, "{}");
      await turns();
      answer(fixture.attempts.at(-1), 200, json, JSON.stringify(body));
      await turns();
    };
    await send({ data: { products: [1] } });
    expect(await fixture.pins.find("checkout", "a", 60)).toBeUndefined();
    await send({ data: { addItemToOrder: { code: "C1" } } });
    const begun = await fixture.pins.find("checkout", "a", 60);
    expect(begun).toMatchObject({ side: "new" });
    expect(begun?.reserved).toBeUndefined();
    fixture.set({ percentThousandths: 0, state: "rolled_back" });
    await send({ data: { addPaymentToOrder: { errorCode: "DECLINED" } } });
    expect((await fixture.pins.find("checkout", "a", 60))?.ended).toBeUndefined();
    await send({ data: { addPaymentToOrder: { code: "C1" } } });
    expect((await fixture.pins.find("checkout", "a", 60))?.ended).toBe(true);
    expect(fixture.decisions).toEqual(["new bucket", "new bucket", "new journey", "new journey"]);
  });
});

describe("a journey", () => {
  const pay = (journey: unknown) => ({
    routes: [
      { name: "checkout", path: "/checkout", methods: ["POST"], journey: "start" },
      { name: "pay", path: "/orders/:orderId/pay", methods: ["POST"], payment: true, journey },
    ],
  });

  test("is not ended by a card that was declined with a 200, told by a field or by the body", async () => {
    for (const [rule, declined, taken] of [
      [{ unless: "json:/errors" }, [json, '{"errors":[{}]}'], [json, '{"errors":[]}']],
      [{ when: "header:x-payment=ok" }, [["X-Payment", "no"], ""], [["X-Payment", "ok"], ""]],
      [
        { unless: "body:#declined" },
        [["Content-Type", "text/html"], "<p>declined"],
        [["Content-Type", "text/html"], "<p>thanks"],
      ],
    ] as const) {
      const { exchange, events, finished } = shop({ cutover: pay({ end: rule }) });
      await exchange("/checkout", 201, { orderId: "77" });
      await exchange("/orders/77/pay", 200, declined[1], declined[0]);
      expect(events()).toEqual(["start", "seen"]);
      expect(finished).toEqual([]);
      await exchange("/orders/77/pay", 200, taken[1], taken[0]);
      expect(events()).toEqual(["start", "seen", "end"]);
      expect(finished).toEqual(["checkout 77"]);
    }
  });

  test("is ended by a 303 where its route says so", async () => {
    const { exchange, events, finished } = shop({ cutover: pay({ end: { when: "status:2xx,303" } }) });
    await exchange("/checkout", 201, { orderId: "77" });
    await exchange("/orders/77/pay", 303, "", ["Location", "/thanks"]);
    expect(events()).toEqual(["start", "end"]);
    expect(finished).toEqual(["checkout 77"]);
  });

  test("goes on where it cannot be told whether the answer ends it, and that is counted", async () => {
    for (const [why, fields, body] of [
      ["malformed", json, "{"],
      ["not_json", ["Content-Type", "text/html"], "<html>"],
      ["coding", [...json, "Content-Encoding", "zstd"], "zzz"],
      ["malformed", [...json, "Content-Encoding", "gzip"], "zzz"],
      ["too_large", json, `{"a":"${"x".repeat(2 ** 20)}"}`],
      ["stream", ["Content-Type", "text/event-stream"], "data: 1\n\n"],
    ] as const) {
      const { exchange, events, finished, counted } = shop({
        cutover: pay({ end: { unless: "json:/errors" } }),
      });
      await exchange("/checkout", 201, { orderId: "77" });
      await exchange("/orders/77/pay", 200, body, fields);
      expect(events(), why).toEqual(["start", "seen"]);
      expect(finished, why).toEqual([]);
      expect(counted, why).toContain(`unread answer new ${why}`);
    }
  });
});

describe("a start", () => {
  const checkout = (start: unknown) => ({
    routes: [{ name: "checkout", path: "/checkout", methods: ["POST"], journey: { start } }],
    owners: [],
  });

  test("binds nothing where its answer is below 400 and says that it failed", async () => {
    const { exchange, events } = shop({ cutover: checkout({ unless: "json:/error" }) });
    expect(await exchange("/checkout", 200, { error: "sold out" })).toBe(false);
    expect(await exchange("/checkout", 200, { error: null, id: 1 })).toBe(true);
    expect(events()).toEqual(["start"]);
  });

  test("binds with an answer of 400 and above where its route says so, and with no other", async () => {
    const { exchange, events } = shop({ cutover: checkout({ when: "status:2xx,409" }) });
    expect(await exchange("/checkout", 303, "", ["Location", "/"])).toBe(false);
    expect(await exchange("/checkout", 500, "")).toBe(false);
    expect(await exchange("/checkout", 409, { cart: "exists" })).toBe(true);
    expect(events()).toEqual(["start"]);
  });

  test("binds where it cannot be told whether it failed: a checkout must not part", async () => {
    const { exchange, events, counted } = shop({ cutover: checkout({ unless: "json:/error" }) });
    expect(await exchange("/checkout", 200, "<html>", ["Content-Type", "text/html"])).toBe(true);
    expect(events()).toEqual(["start"]);
    expect(counted).toContain("unread answer new not_json");
    expect(await exchange("/checkout", 500, "<html>", ["Content-Type", "text/html"])).toBe(false);
  });
});

describe("orders", () => {
  const learned = (route: object, owner: object = {}) => ({
    routes: [
      { name: "cart", path: "/cart/*" },
      { name: "checkout", path: "/checkout", methods: ["POST"], journey: "start" },
      { name: "complete", path: "/complete", methods: ["POST"], journey: "end", ...route },
    ],
    owners: [{ key: "json:/order_id", learn: ["json:/orderId"], ...owner }],
  });

  test("that the answer of an end or a payment names first are finished with it", async () => {
    const { exchange, learned: told, finished } = shop({ cutover: learned({}) });
    await exchange("/complete", 200, { orderId: "77" });
    expect(told).toEqual(["77 new"]);
    expect(finished).toEqual(["checkout 77"]);
    await exchange("/complete", 409, { orderId: "78" });
    expect(finished).toEqual(["checkout 77"]);
  });

  test("are finished though their client has left meanwhile", async () => {
    const { send, attempts, finished, learned: told } = shop({ cutover: learned({}) });
    const client = send({ method: "POST", target: "/complete", fields: keepsCookies }, "{}");
    await turns();
    client.leave();
    answer(attempts[0], 200, json, '{"orderId":"77"}');
    await turns();
    expect(told).toEqual(["77 new"]);
    expect(finished).toEqual(["checkout 77"]);
  });

  test("are learned and finished by the answers that the route says, and by no others", async () => {
    const rule = { learns: { when: "json:/made" }, finishes: { when: "json:/paid" } };
    const { exchange, owned, finished } = shop({ cutover: learned(rule) });
    await exchange("/complete", 200, { orderId: "77", paid: true });
    expect([...owned.keys()]).toEqual([]);
    expect(finished).toEqual([]);
    await exchange("/complete", 200, { orderId: "77", made: true });
    expect([...owned.keys()]).toEqual(["77"]);
    expect(finished).toEqual([]);
    await exchange("/complete", 200, { orderId: "77", made: true, paid: true });
    expect(finished).toEqual(["checkout 77"]);
  });

  test("are finished nowhere where the route says finishes: false", async () => {
    const { exchange, finished } = shop({ cutover: learned({ finishes: false }) });
    await exchange("/complete", 200, { orderId: "77" });
    expect(finished).toEqual([]);
  });

  test("are learned on the routes that their owner names alone", async () => {
    const owners = [
      { key: "json:/order_id", learn: ["json:/orderId"], on: ["complete"] },
      { key: "json:/cart_id", learn: ["json:/cartId"], on: ["cart"], what: "cart" },
    ];
    const { exchange, owned } = shop({ cutover: { ...learned({}), owners } });
    const both = (n: number) => ({ orderId: `o${n}`, cartId: `c${n}` });
    await exchange("/checkout", 200, both(1));
    expect([...owned.keys()]).toEqual([]);
    await exchange("/cart/new", 200, both(2));
    expect([...owned.keys()]).toEqual(["c2"]);
    await exchange("/complete", 200, both(3));
    expect([...owned.keys()]).toEqual(["c2", "o3"]);
  });

  test("are finished, and carts are not: they are no orders", async () => {
    const { exchange, learned: made, finished } = shop({ cutover: learned({}, { what: "cart" }) });
    await exchange("/complete", 200, { orderId: "77" });
    expect(made).toEqual(["77 new"]);
    expect(finished).toEqual([]);
  });

  test("of 14 lines and 70 kB are learned, and up to 1 MiB unless less is said", async () => {
    const large = (bytes: number) => ({ lines: "x".repeat(bytes), orderId: "77" });
    const one = shop({ cutover: learned({}) });
    await one.exchange("/checkout", 201, large(70_000));
    expect([...one.owned.keys()]).toEqual(["77"]);
    const most = shop({ cutover: learned({}) });
    await most.exchange("/checkout", 201, large(2 ** 20 - 26 - 2));
    expect([...most.owned.keys()]).toEqual(["77"]);
    const more = shop({ cutover: learned({}) });
    await more.exchange("/checkout", 201, large(2 ** 20));
    expect([...more.owned.keys()]).toEqual([]);
    expect(more.counted).toContain("unread answer new too_large");
    const { owners } = learned({});
    const less = shop({ cutover: { ...learned({}), owners: { learnBody: "1KiB", keys: owners } } });
    await less.exchange("/checkout", 201, large(1024));
    expect(less.counted).toContain("unread answer new too_large");
  });

  test("a key of more than 512 bytes is none, and counted for its side", async () => {
    const { exchange, owned, counted } = shop({ cutover: learned({}) });
    await exchange("/checkout", 201, { orderId: "7".repeat(513) });
    expect([...owned.keys()]).toEqual([]);
    expect(counted).toContain("unread answer new long_key");
  });

  test("what is told by a Location is enough: nobody misses a page's body", async () => {
    const routes = [
      { name: "checkout", path: "/checkout", methods: ["POST"], journey: "start" },
      { name: "order", path: "/orders/:orderId" },
    ];
    const owners = [{ key: "param:orderId", learn: ["json:/orderId", "header:location"] }];
    const { exchange, owned, counted } = shop({ cutover: { routes, owners } });
    await exchange("/checkout", 303, "<a href>", ["Content-Type", "text/html", "Location", "/orders/77"]);
    expect([...owned.keys()]).toEqual(["77"]);
    expect(counted.filter((text) => text.startsWith("unread"))).toEqual([]);
    await exchange("/checkout", 200, "<form>", ["Content-Type", "text/html"]);
    expect(counted).toContain("unread answer new not_json");
  });
});

test("only where a body is read are codings left out that cannot be", async () => {
  const routes = [
    { name: "cart", path: "/cart/*" },
    { name: "checkout", path: "/checkout", methods: ["POST"], journey: "start" },
    { name: "end", path: "/end", journey: { end: { when: "json:/ok" } }, learns: false },
    { name: "field", path: "/field", journey: { end: { when: "header:x-ok" } }, learns: false },
  ];
  const fixture = createFixture({ cutover: { routes } });
  const forwarded = async (method: string, target: string) => {
    fixture.send({ method, target, fields: [...keepsCookies, "Accept-Encoding", "zstd, gzip;q=0.5"] });
    await turns();
    const { fields = [] } = fixture.attempts.at(-1)?.request ?? {};
    return fields[fields.indexOf("Accept-Encoding") + 1];
  };
  expect(await forwarded("POST", "/checkout")).toBe("gzip;q=0.5");
  expect(await forwarded("GET", "/end")).toBe("gzip;q=0.5");
  for (const [method, target] of [
    ["POST", "/cart/1"],
    ["GET", "/field"],
    ["POST", "/elsewhere"],
    ["OPTIONS", "/checkout"],
  ] as const)
    expect(await forwarded(method, target), target).toBe("zstd, gzip;q=0.5");
});

test("a condition reads what is encoded", async () => {
  const routes = [{ name: "end", path: "/end", methods: ["POST"], journey: { start: { when: "json:/ok" } } }];
  const fixture = createFixture({ cutover: { routes, owners: [] } });
  const client = fixture.send({ method: "POST", target: "/end", fields: keepsCookies });
  await turns();
  const { sink } = fixture.attempts[0] ?? {};
  sink?.head({ status: 200, reason: "", fields: [...json, "Content-Encoding", "gzip"] });
  const body = gzipSync('{"ok":1}');
  sink?.data(body.subarray(0, 9));
  sink?.data(body.subarray(9));
  expect(client.heads).toEqual([]);
  sink?.end([]);
  await turns();
  expect(client.heads[0]?.fields).toContain("Set-Cookie");
});

describe("a cart's key", () => {
  const carts = {
    routes: [
      { name: "cart", path: "/cart", learns: true },
      { name: "checkout", path: "/checkout", methods: ["POST"], journey: "start" },
      {
        name: "pay",
        path: "/pay",
        methods: ["POST"],
        journey: { end: { unless: "json:/errors" } },
        payment: true,
      },
    ],
    owners: [
      { key: "header:idempotency-key" },
      { key: "header:x-order", learn: ["json:/order"] },
      { key: "header:x-cart", learn: ["json:/cart"], what: "cart" },
    ],
  };
  function open(options: FixtureOptions = {}) {
    const fixture = createFixture({ state: { percentThousandths: 100_000 }, cutover: carts, ...options });
    async function send(target: string, fields: readonly string[], status: number, body: unknown) {
      const client = fixture.send({ method: "POST", target, fields: [...keepsCookies, ...fields] }, "{}");
      await turns();
      answer(fixture.attempts.at(-1), status, json, JSON.stringify(body));
      await turns();
      return client;
    }
    return { ...fixture, begin: fixture.send, send };
  }

  test("is nobody's once its order is paid, not by a card that was declined, and no idempotency key goes with it", async () => {
    const { send, owned, claims, set, decisions, finished } = open();
    await send("/cart", [], 201, { cart: "C1" });
    await send("/cart", [], 201, { cart: "C2" });
    await send("/checkout", ["X-Cart", "C1"], 201, { order: "O1" });
    const named = ["X-Cart", "C1", "X-Order", "O1", "Idempotency-Key", "C1"];
    await send("/pay", named, 402, {});
    await send("/pay", named, 200, { errors: ["declined"] });
    expect([...owned.keys()]).toEqual(["C1", "C2", "O1"]);
    await send("/pay", named, 200, {});
    expect([...owned.keys()]).toEqual(["C2", "O1"]);
    expect(finished).toEqual(["checkout O1"]);
    expect([...claims]).toEqual([["C1", "new"]]);
    set({ percentThousandths: 0 });
    await send("/cart", ["X-Cart", "C2"], 200, {});
    await send("/cart", ["X-Cart", "C1"], 200, {});
    expect(decisions.slice(-2)).toEqual(["new owner", "legacy bucket"]);
  });

  test("that only the answer names, as the shop's own next to the order, ends with it", async () => {
    const { send, owned, learned } = open();
    await send("/pay", [], 200, { order: "O1", cart: "C1" });
    expect(learned).toEqual(["O1 new", "C1 new"]);
    expect([...owned.keys()]).toEqual(["O1"]);
  });

  test("of the other side stays that side's", async () => {
    const { send, owned, decisions, counted } = open();
    owned.set("O1", "new").set("C1", "legacy");
    await send("/pay", ["X-Order", "O1", "X-Cart", "C1"], 200, {});
    expect(decisions).toEqual(["new owner"]);
    expect(counted).toContain("conflict");
    expect(owned.get("C1")).toBe("legacy");
  });

  test("is released before the client is told, which does not wait for it; and though it has left", async () => {
    const released: unknown[] = [];
    const release = (...of: readonly unknown[]) => {
      released.push(of);
      return new Promise<boolean>(() => {});
    };
    const { send, begin, attempts } = open({ owners: { release } });
    expect((await send("/pay", ["X-Cart", "C1"], 200, {})).ended()).toBe(true);
    expect(released.splice(0)).toEqual([["checkout", "C1", "new"]]);
    const fields = [...keepsCookies, "X-Cart", "C2"];
    const client = begin({ method: "POST", target: "/pay", fields }, "{}");
    await turns();
    client.leave();
    answer(attempts.at(-1), 200, json, "{}");
    await turns();
    expect(released).toEqual([["checkout", "C2", "new"]]);
  });

  test("the confirmation page keeps to its side by the journey that has just ended", async () => {
    const { send, set, decisions, owned } = open();
    await send("/cart", [], 201, { cart: "C1" });
    const begun = await send("/checkout", ["X-Cart", "C1"], 201, { order: "O1" });
    const cookieOf = ({ heads }: typeof begun) => {
      const { fields = [] } = heads[0] ?? {};
      return ["Cookie", fields[fields.indexOf("Set-Cookie") + 1]?.split(";")[0] ?? ""];
    };
    const paid = await send("/pay", [...cookieOf(begun), "X-Cart", "C1"], 200, {});
    expect(owned.has("C1")).toBe(false);
    set({ percentThousandths: 0, state: "rolled_back" });
    await send("/cart", [...cookieOf(paid), "X-Cart", "C1"], 200, {});
    expect(decisions.at(-1)).toBe("new journey");
  });

  test("is kept for its time where no journey holds what comes after", async () => {
    const routes = [{ name: "pay", path: "/pay", methods: ["POST"], payment: true }];
    const { send, owned, finished } = open({ cutover: { ...carts, routes, journey: undefined } });
    owned.set("C1", "new");
    await send("/pay", ["X-Cart", "C1", "X-Order", "O1"], 200, {});
    expect(finished).toEqual(["checkout O1"]);
    expect(owned.get("C1")).toBe("new");
  });
});

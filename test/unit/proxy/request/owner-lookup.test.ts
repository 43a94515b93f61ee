/** Owners and journeys in the life of a request: what is asked, what is decided, what is never moved. */
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { StoreUnavailable, type StoreUnavailable as Unavailable } from "../../../../src/base/errors.ts";
import { answer, createFixture, type FixtureOptions } from "../../../support/exchange-fixture.ts";
import { valuesOf } from "../../../support/raw-upstream.ts";
import { turn, until } from "../../../support/until.ts";

type Fixture = ReturnType<typeof createFixture>;

const host = ["Host", "shop.example"];
const app = (shopper: string, ...more: string[]) => [...host, "X-Shopper-Id", shopper, ...more];
const changedAt = (fixture: Fixture) => ({ updatedAt: new Date(fixture.time.ms).toISOString() });
/** The header comes by those who are trusted to set it: the peer of the fixture is. */
const vouched = { trustedShopper: { header: "x-shopper-id", from: ["192.0.2.0/24"] } };
const out = (): Unavailable => new StoreUnavailable("off");

/** Sends and lets the upstream answer. @returns the client's side */
async function pass(
  fixture: Fixture,
  method: string,
  target: string,
  fields: string[],
  { status = 200, body = "{}", made }: { status?: number; body?: string; made?: string } = {},
) {
  const client = fixture.send({ method, target, fields }, method === "POST" ? body : undefined);
  const before = fixture.attempts.length;
  for (let i = 0; i < 5; i++) await turn();
  if (fixture.attempts.length >= before && !client.ended())
    answer(fixture.attempts.at(-1), status, [], made === undefined ? "" : JSON.stringify({ orderId: made }));
  for (let i = 0; i < 3; i++) await turn();
  return client;
}

const side = (fixture: Fixture) => (fixture.attempts.at(-1)?.upstream === "fresh" ? "new" : "legacy");

describe("a payment provider's callback", () => {
  const routes = [
    { name: "checkout", path: "/checkout", methods: ["POST"], journey: "start" },
    { name: "callback", path: "/callbacks/payment", methods: ["POST"], unknown: "retry" },
  ];
  const owners = [{ key: ["json:/order_id", "form:order_id"], learn: ["json:/orderId"] }];
  const part = (name: string, value: string) =>
    `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const file = '--b\r\nContent-Disposition: form-data; name="order_id"; filename="a.txt"\r\n\r\nNO\r\n';

  test.each([
    ["a form", "application/x-www-form-urlencoded", "status=paid&order_id=A+1%2F2&order_id=no"],
    [
      "a form whose field is spelled in another way",
      "Application/X-WWW-Form-Urlencoded; charset=utf-8",
      "order%5Fid=%41%201/2",
    ],
    [
      "a multipart form",
      "multipart/form-data; boundary=b",
      `${file}${part("x", "1")}${part("order_id", "A 1/2")}--b--\r\n`,
    ],
    [
      "a multipart form of a quoted boundary",
      'multipart/form-data; a=1; boundary="b"',
      `${part("order_id", "A 1/2")}--b--`,
    ],
    ["JSON behind a byte order mark", "application/json", '\ufeff{"order_id":"A 1/2"}'],
    ["JSON that is called text", "text/plain", ' {"order_id":"A 1/2"}'],
  ])("goes to the order's owner, byte for byte, when it is %s", async (_, type, body) => {
    const fixture = createFixture({ cutover: { routes, owners } });
    fixture.owned.set("A 1/2", "new");
    const fields = [...host, "Content-Type", type];
    fixture.send({ method: "POST", target: "/callbacks/payment", fields }, body);
    await until("it is sent on", () => fixture.attempts.length === 1);
    expect(fixture.attempts[0]).toMatchObject({
      upstream: "fresh",
      request: { body: { content: Buffer.from(body) } },
    });
    expect(fixture.counted).toEqual([]);
  });

  test.each([
    ["multipart/form-data; boundary=b", part("order_id", "7")],
    ["multipart/form-data", `${part("order_id", "7")}--b--`],
    ["text/xml", "<order>7</order>"],
  ])("gives no key and is counted when it cannot be read: %s", async (type, body) => {
    const guessing = routes.map((route) => ({ ...route, unknown: "bucket" }));
    const fixture = createFixture({ cutover: { routes: guessing, owners } });
    fixture.owned.set("7", "new");
    fixture.send(
      { method: "POST", target: "/callbacks/payment", fields: [...host, "Content-Type", type] },
      body,
    );
    await until("it is sent on", () => fixture.attempts.length === 1);
    expect(fixture.attempts[0]?.upstream).toBe("old");
    expect(fixture.counted).toEqual(["unread body"]);
  });

  test("is nothing that could not be read when it is empty: not counted, and no callback told to come again", async () => {
    const fixture = createFixture({ cutover: { routes, owners } });
    fixture.send({ method: "POST", target: "/callbacks/payment", fields: host }, "");
    await until("it is sent on", () => fixture.attempts.length === 1);
    expect(fixture.attempts[0]?.upstream).toBe("old");
    expect(fixture.counted).toEqual([]);
  });

  test("names a shopper by a form's field as received", async () => {
    const fixture = createFixture({
      cutover: { routes, owners, shopper: ["form:user"] },
      state: { percentThousandths: 100_000 },
    });
    const fields = [...host, "Content-Type", "application/x-www-form-urlencoded"];
    fixture.send({ method: "POST", target: "/callbacks/payment", fields }, "user=a%20b");
    await until("it is sent on", () => fixture.attempts.length === 1);
    expect(fixture.decisions).toEqual(["new bucket"]);
  });
});

describe("an answer that names an order", () => {
  /** @returns what is learned of an answer with this body, in one part or several */
  async function learnedFrom(type: string | undefined, ...parts: readonly string[]) {
    const fixture = createFixture();
    const client = fixture.send({ method: "POST", target: "/checkout" }, "{}");
    await until("it is sent on", () => fixture.attempts.length === 1);
    const sink = fixture.attempts[0]?.sink;
    sink?.head({ status: 200, reason: "", fields: type === undefined ? [] : ["Content-Type", type] });
    const early = parts.map((text) => {
      sink?.data(Buffer.from(text));
      return client.body();
    });
    sink?.end([]);
    await until("it is answered", () => client.ended());
    expect(client.body()).toBe(parts.join(""));
    return { learned: fixture.learned, early };
  }

  test.each([
    "application/json",
    "text/html",
    "text/json; charset=utf-8",
    "application/octet-stream",
    undefined,
  ])("in JSON is read whatever its type says: %s", async (type) => {
    expect((await learnedFrom(type, ' {"order', 'Id":"MP-7"}')).learned).toEqual(["MP-7 legacy"]);
    expect((await learnedFrom(type, '\ufeff{"orderId":"MP-7"}')).learned).toEqual(["MP-7 legacy"]);
  });

  test("does not keep a page or a stream of events back", async () => {
    expect(await learnedFrom("text/html", "<p>", "</p>")).toEqual({ learned: [], early: ["<p>", "<p></p>"] });
    const events = ["data: {}\n\n", '{"orderId":"MP-7"}'];
    expect(await learnedFrom("text/event-stream", ...events)).toEqual({
      learned: [],
      early: [events[0], events.join("")],
    });
  });
});

describe("an order with a colon in its number", () => {
  test.each(["/orders/2026:1001/pay", "/orders/2026%3A1001/pay", "/orders/2026%3a1001;v=1/pay"])(
    "is found by its owner in every spelling of it: %s",
    async (target) => {
      const fixture = createFixture();
      fixture.owned.set("2026:1001", "new");
      fixture.send({ method: "POST", target }, "{}");
      await until("it is sent on", () => fixture.attempts.length === 1);
      expect(fixture.attempts[0]).toMatchObject({ upstream: "fresh", request: { target } });
    },
  );

  test("is learned as one key from every spelling of a Location", async () => {
    const fixture = createFixture();
    fixture.send({ method: "POST", target: "/checkout" }, "{}");
    await until("it is sent on", () => fixture.attempts.length === 1);
    answer(fixture.attempts[0], 303, ["Location", "/orders/2026%3A1001"]);
    await turn();
    expect(fixture.learned).toEqual(["2026:1001 legacy"]);
  });
});

describe("a shopper whose client keeps no cookies", () => {
  const started = async (options: FixtureOptions = {}) => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 }, ...options });
    await pass(fixture, "POST", "/checkout", app("a"), { made: "X-1" });
    return fixture;
  };

  test("keeps the side where the checkout began when the percent falls", async () => {
    const fixture = await started();
    fixture.set({ percentThousandths: 0, ...changedAt(fixture) });
    await pass(fixture, "GET", "/cart/1", app("a"));
    expect(fixture.decisions.at(-1)).toBe("new journey");
    await pass(fixture, "GET", "/cart/1", app("b"));
    expect(fixture.decisions.at(-1)).toBe("legacy bucket");
  });

  test("begins with the bucket, once, and is told of under one id; only the start gives a cookie", async () => {
    const fixture = await started();
    expect(fixture.decisions).toEqual(["new bucket"]);
    fixture.set({ percentThousandths: 0, ...changedAt(fixture) });
    const second = await pass(fixture, "POST", "/checkout", app("a"));
    expect(fixture.decisions.at(-1)).toBe("new journey");
    const later = await pass(fixture, "GET", "/cart/1", app("a"));
    const cookies = (fields: string[] = []) => valuesOf(fields, "set-cookie").length;
    expect([cookies(second.heads[0]?.fields), cookies(later.heads[0]?.fields)]).toEqual([1, 0]);
    expect(fixture.journeys.map(({ event }) => event)).toEqual(["start", "seen", "seen"]);
    expect(new Set(fixture.journeys.map(({ pin }) => pin.id)).size).toBe(1);
    expect(fixture.journeys.every(({ pin }) => pin.expiresAt === pin.startedAt + 14_400)).toBe(true);
  });

  test("is told of as no journey where nobody keeps its pin, until it shows the cookie it was given", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000, state: "closed" } });
    const { heads } = await pass(fixture, "POST", "/checkout", app("a"));
    await pass(fixture, "POST", "/checkout", app("a"));
    await pass(fixture, "POST", "/orders/X-1/pay", app("a"));
    expect(fixture.journeys).toEqual([]);
    const [cookie = ""] = valuesOf(heads[0]?.fields ?? [], "set-cookie");
    await pass(fixture, "GET", "/cart/1", app("a", "Cookie", cookie.split(";")[0] ?? ""));
    expect(fixture.journeys.map(({ event }) => event)).toEqual(["seen"]);
  });

  test("is asked for only while the routing has changed within the longest journey's life", async () => {
    let finds = 0;
    const fixture = createFixture({
      state: { percentThousandths: 50_000 },
      pins: {
        find: async () => {
          finds += 1;
          return undefined;
        },
      },
    });
    await pass(fixture, "GET", "/cart/1", app("a"));
    expect(finds).toBe(0);
    fixture.set(changedAt(fixture));
    await pass(fixture, "GET", "/cart/1", app("a"));
    expect(finds).toBe(1);
    await pass(fixture, "GET", "/cart/1", app("a", "Cookie", "theme=dark"));
    expect(finds).toBe(2);
    await pass(fixture, "GET", "/cart/1", host);
    expect(finds).toBe(2);
    fixture.time.ms += 14_400_000 + 59_000;
    await pass(fixture, "GET", "/cart/1", app("a"));
    expect(finds).toBe(3);
    fixture.time.ms += 1000;
    await pass(fixture, "GET", "/cart/1", app("a"));
    expect(finds).toBe(3);
    fixture.set({ state: "closed", percentThousandths: 100_000, ...changedAt(fixture) });
    await pass(fixture, "GET", "/cart/1", app("a"));
    expect(finds).toBe(3);
  });

  test("goes to legacy at once after a hard rollback, and begins there anew", async () => {
    const fixture = await started();
    fixture.set({ percentThousandths: 0, state: "rolled_back", pinEpoch: 1, ...changedAt(fixture) });
    await pass(fixture, "GET", "/cart/1", app("a"));
    expect(fixture.decisions.at(-1)).toBe("legacy rolled_back");
    await pass(fixture, "POST", "/checkout", app("a"));
    fixture.set({ percentThousandths: 100_000, state: "open", ...changedAt(fixture) });
    await pass(fixture, "GET", "/cart/1", app("a"));
    expect(fixture.decisions.at(-1)).toBe("legacy journey");
  });

  test("keeps its side through a plain rollback", async () => {
    const fixture = await started();
    fixture.set({ percentThousandths: 0, state: "rolled_back", ...changedAt(fixture) });
    await pass(fixture, "POST", "/orders/X-2/pay", app("a"));
    expect(fixture.decisions.at(-1)).toBe("new journey");
  });

  test("is free to move a grace after its end, even where its pin was not read", async () => {
    const fixture = await started();
    await pass(fixture, "POST", "/orders/X-1/pay", app("a"));
    expect(fixture.journeys.map(({ event }) => event)).toEqual(["start", "end"]);
    fixture.set({ percentThousandths: 0, ...changedAt(fixture) });
    await pass(fixture, "GET", "/cart/1", app("a"));
    expect(fixture.decisions.at(-1)).toBe("new journey");
    fixture.time.ms += 60_000;
    await pass(fixture, "GET", "/cart/1", app("a"));
    expect(fixture.decisions.at(-1)).toBe("legacy bucket");
  });

  test("stays when its payment fails", async () => {
    const fixture = await started();
    await pass(fixture, "POST", "/orders/X-1/pay", app("a"), { status: 402 });
    fixture.time.ms += 120_000;
    fixture.set({ percentThousandths: 0, ...changedAt(fixture) });
    await pass(fixture, "GET", "/cart/1", app("a"));
    expect(fixture.decisions.at(-1)).toBe("new journey");
  });

  test("is outranked by a valid cookie", async () => {
    const fixture = await started();
    const client = await pass(fixture, "POST", "/checkout", app("b", "Cookie", "theme=dark"));
    const cookie =
      valuesOf(client.heads[0]?.fields ?? [], "set-cookie")
        .at(-1)
        ?.split(";")[0] ?? "";
    fixture.set({ percentThousandths: 0, ...changedAt(fixture) });
    await fixture.pins.start(
      "checkout",
      "b",
      { id: "x".repeat(12), side: "legacy", epoch: 0, startedAt: fixture.time.ms / 1000, expiresAt: 2e9 },
      14_400,
    );
    await pass(fixture, "GET", "/cart/1", app("b", "Cookie", cookie));
    expect(fixture.decisions.at(-1)).toBe("new journey");
  });

  test("goes by the bucket, counted, while the store is out of reach", async () => {
    const fixture = createFixture({
      state: { percentThousandths: 100_000, updatedAt: new Date(1_700_000_000_000).toISOString() },
      pins: { find: () => Promise.reject(out()), start: () => Promise.reject(out()) },
    });
    await pass(fixture, "GET", "/cart/1", app("a"));
    await pass(fixture, "POST", "/checkout", app("a"));
    expect(fixture.decisions).toEqual(["new bucket", "new bucket"]);
    expect(fixture.counted.filter((count) => count === "unknown pin")).toHaveLength(2);
  });

  test("begins where its key's owner is, also when only the claim tells, once nobody else can have named it", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 }, cutover: vouched });
    fixture.owned.set("k1", "legacy");
    await pass(fixture, "POST", "/checkout", app("a", "Idempotency-Key", "k1"));
    expect(fixture.decisions).toEqual(["legacy owner"]);
    const pin = await fixture.pins.find("checkout", "a", 14_400);
    expect(pin?.side).toBe("legacy");
    expect(fixture.journeys).toMatchObject([{ event: "start", pin: { id: pin?.id, side: "legacy" } }]);
  });

  describe("whose side cannot be connected to, where the cutover has a fallback", () => {
    const options = { state: { percentThousandths: 100_000 }, cutover: { fallback: true } };
    const refused = { outcome: "connect_failed", sent: false, code: "ECONNREFUSED" } as const;
    const begin = async (fixture: ReturnType<typeof createFixture>) => {
      const client = fixture.send({ method: "POST", target: "/checkout", fields: app("a") }, "{}");
      for (let i = 0; i < 5; i++) await turn();
      return client;
    };

    test("begins on legacy, though it had reserved new", async () => {
      const fixture = createFixture(options);
      const client = await begin(fixture);
      fixture.attempts[0]?.sink.failure(refused);
      for (let i = 0; i < 5; i++) await turn();
      answer(fixture.attempts[1], 200);
      for (let i = 0; i < 5; i++) await turn();
      expect(client.heads[0]?.status).toBe(200);
      expect(fixture.attempts.map(({ upstream }) => upstream)).toEqual(["fresh", "old"]);
      expect(fixture.counted).toEqual(["new connect_failed", "legacy ok"]);
      expect(await fixture.pins.find("checkout", "a", 14_400)).toMatchObject({ side: "legacy" });
    });

    test("leaves nothing behind when legacy fails, too", async () => {
      const fixture = createFixture(options);
      await begin(fixture);
      fixture.attempts[0]?.sink.failure(refused);
      for (let i = 0; i < 5; i++) await turn();
      fixture.attempts[1]?.sink.failure(refused);
      for (let i = 0; i < 5; i++) await turn();
      expect(await fixture.pins.find("checkout", "a", 14_400)).toBeUndefined();
    });

    test("does not part from another start that is on its way to new", async () => {
      const fixture = createFixture(options);
      const client = await begin(fixture);
      await begin(fixture);
      fixture.attempts[0]?.sink.failure(refused);
      for (let i = 0; i < 5; i++) await turn();
      expect(client.heads[0]?.status).toBe(502);
      expect(fixture.counted).toEqual(["new connect_failed"]);
      answer(fixture.attempts[1], 200);
      for (let i = 0; i < 5; i++) await turn();
      expect(fixture.attempts).toHaveLength(2);
      expect(await fixture.pins.find("checkout", "a", 14_400)).toMatchObject({ side: "new" });
    });

    test("holds nothing for a client that has left meanwhile", async () => {
      const fixture = createFixture(options);
      const client = await begin(fixture);
      fixture.attempts[0]?.sink.failure(refused);
      client.leave();
      for (let i = 0; i < 8; i++) await turn();
      expect(fixture.attempts).toHaveLength(1);
      expect(await fixture.pins.find("checkout", "a", 14_400)).toBeUndefined();
    });
  });

  test("is never begun for nobody: a start without a shopper asks nothing", async () => {
    let starts = 0;
    const fixture = createFixture({
      pins: {
        start: async (_, __, offer) => {
          starts += 1;
          return offer;
        },
      },
    });
    await pass(fixture, "POST", "/checkout", host);
    expect(fixture.decisions).toEqual(["legacy anonymous"]);
    expect(starts).toBe(0);
  });
});

describe("a start of a shopper whose client keeps no cookies", () => {
  const all = { state: { percentThousandths: 100_000 } };
  const stored = (fixture: Fixture) => fixture.pins.find("checkout", "a", 14_400);
  const begin = async (fixture: Fixture) => {
    const client = fixture.send({ method: "POST", target: "/checkout", fields: app("a") }, "{}");
    for (let i = 0; i < 6; i++) await turn();
    return client;
  };
  const settleDown = async () => {
    for (let i = 0; i < 4; i++) await turn();
  };

  test.each([400, 422, 500, 503])("that is answered with %i leaves nothing behind", async (status) => {
    const fixture = createFixture(all);
    await pass(fixture, "POST", "/checkout", app("a"), { status });
    await settleDown();
    expect(await stored(fixture)).toBeUndefined();
    fixture.set({ percentThousandths: 0, state: "rolled_back", ...changedAt(fixture) });
    await pass(fixture, "POST", "/checkout", app("a"));
    expect(fixture.decisions).toEqual(["new bucket", "legacy rolled_back"]);
    expect(fixture.journeys.map(({ event, pin }) => `${event} ${pin.side}`)).toEqual(["start legacy"]);
  });

  test.each([
    ["cannot connect", { outcome: "connect_failed", sent: false, code: "ECONNREFUSED" }],
    ["gets no answer after bytes were sent", { outcome: "reset", sent: true, code: "ECONNRESET" }],
  ] as const)("that %s leaves nothing behind", async (_, failure) => {
    const fixture = createFixture(all);
    await begin(fixture);
    fixture.attempts[0]?.sink.failure(failure);
    await settleDown();
    expect(await stored(fixture)).toBeUndefined();
  });

  test("whose client leaves leaves nothing behind, before and after it was sent", async () => {
    const fixture = createFixture(all);
    (await begin(fixture)).leave();
    fixture.send({ method: "POST", target: "/checkout", fields: app("a") }, "{}").leave();
    for (let i = 0; i < 10; i++) await turn();
    expect(await stored(fixture)).toBeUndefined();
  });

  test("that was answered is a journey, whatever becomes of the body", async () => {
    const fixture = createFixture(all);
    await begin(fixture);
    fixture.attempts[0]?.sink.head({ status: 200, reason: "", fields: [] });
    fixture.attempts[0]?.sink.failure({ outcome: "reset", sent: true, code: "X" });
    await settleDown();
    expect(await stored(fixture)).toMatchObject({ side: "new" });
  });

  test("does not part from another that is in flight, though the percent falls between them", async () => {
    const fixture = createFixture(all);
    await begin(fixture);
    fixture.set({ percentThousandths: 0, state: "rolled_back", ...changedAt(fixture) });
    await begin(fixture);
    await pass(fixture, "GET", "/cart/1", app("a"));
    expect(fixture.decisions).toEqual(["new bucket", "new journey", "new journey"]);
    expect(fixture.journeys).toEqual([]);
    answer(fixture.attempts[0], 503);
    await settleDown();
    await begin(fixture);
    answer(fixture.attempts[1], 201);
    answer(fixture.attempts[3], 500);
    await settleDown();
    expect(fixture.attempts.map(({ upstream }) => upstream)).toEqual(["fresh", "fresh", "fresh", "fresh"]);
    const kept = await stored(fixture);
    expect(kept).toMatchObject({ side: "new" });
    expect(kept?.reserved).toBeUndefined();
    expect(fixture.journeys.map(({ event }) => event)).toEqual(["start"]);
  });

  test("on new after a rollback is not what prolongs its journey", async () => {
    const fixture = createFixture(all);
    await pass(fixture, "POST", "/checkout", app("a"));
    const before = await stored(fixture);
    fixture.set({ percentThousandths: 0, state: "rolled_back", ...changedAt(fixture) });
    fixture.time.ms += 3_600_000;
    await pass(fixture, "POST", "/checkout", app("a"));
    expect(fixture.decisions.at(-1)).toBe("new journey");
    expect(await stored(fixture)).toEqual(before);
  });

  test("within the grace of a journey that has ended begins a new one by the bucket", async () => {
    const fixture = createFixture(all);
    await pass(fixture, "POST", "/checkout", app("a"), { made: "X-1" });
    await pass(fixture, "POST", "/orders/X-1/pay", app("a"));
    fixture.set({ percentThousandths: 0, ...changedAt(fixture) });
    await pass(fixture, "GET", "/cart/1", app("a"));
    await pass(fixture, "POST", "/checkout", app("a"));
    expect(fixture.decisions.slice(2)).toEqual(["new journey", "legacy bucket"]);
  });
});

describe("an owner's pattern", () => {
  const cutover = {
    owners: [
      {
        key: ["param:orderId", "json:/order_id"],
        learn: ["json:/orderId"],
        patterns: [
          { pattern: "^SS-", side: "legacy" },
          { pattern: "^MP-", side: "new" },
          { pattern: "^Ü", side: "new" },
        ],
      },
    ],
  };

  test.each([
    ["SS-1", "legacy owner"],
    ["MP-1", "new owner"],
    ["X-MP-1", "legacy anonymous"],
    ["Ü1", "new owner"],
  ])("decides for the key %s: %s", async (key, decision) => {
    const fixture = createFixture({ cutover });
    await pass(fixture, "POST", "/callbacks/payment", host, { body: JSON.stringify({ order_id: key }) });
    expect(fixture.decisions).toEqual([decision]);
  });

  test("is tried before the store, and what matches is never recorded", async () => {
    const calls: string[] = [];
    const fixture = createFixture({
      cutover,
      state: { percentThousandths: 100_000 },
      owners: {
        lookup: async (_, keys) => {
          calls.push(`lookup ${keys.length}`);
          return keys.map(() => "legacy");
        },
        record: async (_, { key }) => void calls.push(`record ${key}`),
      },
    });
    await pass(fixture, "POST", "/orders/MP-1/pay", app("a"));
    const client = fixture.send({ method: "POST", target: "/checkout", fields: app("a") }, "{}");
    for (let i = 0; i < 5; i++) await turn();
    answer(fixture.attempts.at(-1), 201, ["Content-Type", "application/json"], '{"orderId":"MP-2"}');
    await turn();
    expect(client.body()).toBe('{"orderId":"MP-2"}');
    expect(calls).toEqual([]);
  });
});

describe("unknown: retry", () => {
  const retry = {
    routes: [
      { name: "cart", path: "/cart/*" },
      { name: "checkout", path: "/checkout", methods: ["POST"], journey: "start" },
      { name: "callback", path: "/callbacks/payment", methods: ["POST"], unknown: "retry" },
      { name: "pay", path: "/orders/:orderId/pay", methods: ["POST"], unknown: "retry" },
    ],
  };
  const callback = { body: '{"order_id":"INV-7"}' };
  const away: FixtureOptions["owners"] = {
    lookup: () => Promise.reject(out()),
    record: () => Promise.reject(out()),
  };

  test("answers 503 with Retry-After instead of guessing, forwards nothing, and counts it as rejected", async () => {
    const fixture = createFixture({ cutover: retry, owners: away });
    const client = await pass(fixture, "POST", "/callbacks/payment", host, callback);
    expect(client.heads[0]?.status).toBe(503);
    expect(valuesOf(client.heads[0]?.fields ?? [], "retry-after")).toEqual(["5"]);
    expect(JSON.parse(client.body())).toMatchObject({
      status: 503,
      code: "owner_unknown",
      outcome: "rejected",
    });
    expect(fixture.attempts).toHaveLength(0);
    expect(fixture.counted).toEqual(["unknown owner", "none rejected"]);
  });

  test("guesses by the bucket, counted, on a route that does not say so", async () => {
    const fixture = createFixture({ owners: away });
    await pass(fixture, "POST", "/callbacks/payment", host, callback);
    expect(fixture.decisions).toEqual(["legacy anonymous"]);
    expect(fixture.counted).toContain("unknown owner");
  });

  test("a callback before the checkout is answered comes again, and meets the order's side", async () => {
    const fixture = createFixture({ cutover: retry, state: { percentThousandths: 0 } });
    const first = await pass(fixture, "POST", "/callbacks/payment", host, callback);
    expect(first.heads[0]?.status).toBe(503);
    expect(valuesOf(first.heads[0]?.fields ?? [], "retry-after")).toEqual(["5"]);
    expect(JSON.parse(first.body())).toMatchObject({ code: "owner_unknown" });
    expect(fixture.attempts).toHaveLength(0);
    fixture.owned.set("INV-7", "new");
    const second = await pass(fixture, "POST", "/callbacks/payment", host, callback);
    expect(second.heads[0]?.status).toBe(200);
    expect(fixture.decisions).toEqual(["new owner"]);
    expect(fixture.counted).toEqual(["awaited", "none rejected", "new ok"]);
  });

  test("what nobody owns for as long as is configured goes by the bucket, counted", async () => {
    const [, , of] = retry.routes;
    const fixture = createFixture({ cutover: { routes: [{ ...of, unknownFor: "10s" }] } });
    const send = async () =>
      (await pass(fixture, "POST", "/callbacks/payment", host, callback)).heads[0]?.status;
    expect(await send()).toBe(503);
    fixture.time.ms += 9999;
    expect(await send()).toBe(503);
    fixture.time.ms += 1;
    expect(await send()).toBe(200);
    expect(fixture.decisions).toEqual(["legacy anonymous"]);
    expect(fixture.counted).toContain("guessed");
  });

  test.each([
    ["no JSON", "order_id is INV-7", host],
    ["a coding that is not known", '{"order_id":"INV-7"}', [...host, "Content-Encoding", "zstd"]],
    ["too large", `{"order_id":"INV-7","x":"${"x".repeat(70_000)}"}`, host],
  ])("a body that was to hold the key and is %s: comes again, for as long", async (_, body, fields) => {
    const fixture = createFixture({ cutover: retry });
    const send = async () =>
      (await pass(fixture, "POST", "/callbacks/payment", fields, { body })).heads[0]?.status;
    expect(await send()).toBe(503);
    fixture.time.ms += 30_000;
    expect(await send()).toBe(200);
    expect(fixture.counted.filter((what) => what === "awaited" || what === "guessed")).toEqual([
      "awaited",
      "guessed",
    ]);
  });

  test.each([
    ["a body that is read and names nothing", "/callbacks/payment", host, "{}"],
    ["a key that is claimed by its use", "/callbacks/payment", [...host, "Idempotency-Key", "k1"], "{}"],
    ["another route", "/cart/1", host, "no JSON"],
  ])("%s waits for nobody", async (_, target, fields, body) => {
    const fixture = createFixture({ cutover: retry });
    const client = await pass(fixture, "POST", target, fields, { body });
    expect(client.heads[0]?.status).toBe(200);
    expect(fixture.counted).not.toContain("awaited");
  });

  test("a preflight, and what its journey or its own words lead, wait for nobody", async () => {
    const fixture = createFixture({ cutover: retry, state: { percentThousandths: 100_000 } });
    const preflight = [...host, "Access-Control-Request-Method", "POST", "Origin", "https://shop.example"];
    const asked = await pass(fixture, "OPTIONS", "/orders/INV-8/pay", preflight);
    expect(asked.heads[0]?.status).toBe(200);
    fixture.set({ state: "closed" });
    const closed = await pass(fixture, "POST", "/callbacks/payment", host, callback);
    expect([closed.heads[0]?.status, fixture.decisions.at(-1)]).toEqual([200, "new closed"]);
  });

  test("does not matter where the owner is remembered, or its journey says where to go", async () => {
    let isAway = false;
    const fixture = createFixture({
      cutover: retry,
      state: { percentThousandths: 100_000 },
      owners: {
        lookup: (_, keys) => (isAway ? Promise.reject(out()) : Promise.resolve(keys.map(() => "new"))),
      },
    });
    await pass(fixture, "POST", "/callbacks/payment", host, callback);
    const client = await pass(fixture, "POST", "/checkout", app("a", "Cookie", "theme=dark"));
    const cookie =
      valuesOf(client.heads[0]?.fields ?? [], "set-cookie")
        .at(-1)
        ?.split(";")[0] ?? "";
    isAway = true;
    fixture.set({ percentThousandths: 0 });
    await pass(fixture, "POST", "/callbacks/payment", host, callback);
    expect(fixture.decisions.at(-1)).toBe("new owner");
    await pass(fixture, "POST", "/orders/X-1/pay", app("a", "Cookie", cookie));
    expect(fixture.decisions.at(-1)).toBe("new journey");
  });

  test("claims nothing for a request it refuses", async () => {
    const fixture = createFixture({ cutover: retry, owners: { record: () => Promise.reject(out()) } });
    const key = ["Idempotency-Key", "k1"];
    const client = await pass(fixture, "POST", "/callbacks/payment", app("a", ...key), { body: "{}" });
    expect(client.heads[0]?.status).toBe(503);
    expect(fixture.spooled).toEqual([]);
  });
});

describe("a claim in an outage", () => {
  test("is good on this instance, waits in the spool, and has no fallback", async () => {
    const fixture = createFixture({
      state: { percentThousandths: 100_000 },
      cutover: { fallback: true },
      owners: { record: () => Promise.reject(out()), lookup: () => Promise.reject(out()) },
    });
    const pay = app("a", "Cookie", "theme=dark", "Idempotency-Key", "k1");
    await pass(fixture, "POST", "/cart/1", pay);
    fixture.set({ percentThousandths: 0 });
    await pass(fixture, "POST", "/cart/1", pay);
    expect(fixture.decisions).toEqual(["new bucket", "new owner"]);
    expect(fixture.spooled).toMatchObject([{ key: "k1", claimed: true, side: "new" }]);
    fixture.send({ method: "POST", target: "/cart/1", fields: pay }, "{}");
    for (let i = 0; i < 5; i++) await turn();
    fixture.attempts.at(-1)?.sink.failure({ outcome: "connect_failed", sent: false, code: "ECONNREFUSED" });
    expect(fixture.attempts).toHaveLength(3);
  });
});

describe("keys", () => {
  test("longer than 512 bytes count as none, in requests and responses, and are counted", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    const long = "k".repeat(513);
    await pass(fixture, "POST", "/cart/1", app("a", "Cookie", "a=b", "Idempotency-Key", long));
    await pass(fixture, "POST", "/cart/1", app("a", "Cookie", "a=b", "Idempotency-Key", long.slice(1)));
    fixture.send({ method: "POST", target: "/checkout", fields: app("a", "Cookie", "a=b") }, "{}");
    for (let i = 0; i < 5; i++) await turn();
    answer(fixture.attempts.at(-1), 201, ["Location", `/orders/${long}`]);
    expect([...fixture.claims.keys(), ...fixture.owned.keys()]).toEqual([long.slice(1)]);
    expect(fixture.counted.filter((count) => count === "long key")).toHaveLength(2);
  });

  test.each(["gzip", "deflate", "deflate without its zlib format", "br", "identity"])(
    "are read in JSON with the coding %s (RFC 9110 §8.4.1)",
    async (coding) => {
      const { brotliCompressSync, deflateRawSync, deflateSync } = await import("node:zlib");
      const codings: Readonly<Record<string, (content: Buffer) => Buffer>> = {
        gzip: gzipSync,
        deflate: deflateSync,
        "deflate without its zlib format": deflateRawSync,
        br: brotliCompressSync,
      };
      const code = codings[coding] ?? ((content: Buffer) => content);
      const body = code(Buffer.from('{"orderId":"INV-9"}'));
      const fixture = createFixture({ state: { percentThousandths: 100_000 } });
      const client = fixture.send(
        { method: "POST", target: "/checkout", fields: app("a", "Cookie", "a=b") },
        "{}",
      );
      for (let i = 0; i < 5; i++) await turn();
      const sink = fixture.attempts[0]?.sink;
      const fields = [
        "Content-Type",
        "application/json; charset=utf-8",
        "Content-Encoding",
        coding.split(" ")[0] ?? "",
      ];
      sink?.head({ status: 201, reason: "", fields });
      sink?.data(body);
      sink?.end([]);
      for (let i = 0; i < 5; i++) await turn();
      expect(fixture.owned.get("INV-9")).toBe("new");
      expect(client.ended()).toBe(true);
    },
  );

  test("are learned from the head alone of an answer that is too large, which goes on whole", async () => {
    const owners = {
      learnBody: "64KiB",
      keys: [{ key: "param:orderId", learn: ["json:/orderId", "header:location"] }],
    };
    const fixture = createFixture({ state: { percentThousandths: 100_000 }, cutover: { owners } });
    const fields = app("a", "Cookie", "a=b");
    const client = fixture.send({ method: "POST", target: "/checkout", fields }, "{}");
    for (let i = 0; i < 5; i++) await turn();
    const body = `{"orderId":"INV-1","pad":"${Buffer.alloc(90_000, "0123456789").toString()}"}`;
    const sink = fixture.attempts[0]?.sink;
    const told = ["Content-Type", "application/json", "Location", "/orders/INV-2"];
    sink?.head({ status: 201, reason: "", fields: told });
    for (let at = 0; at < body.length; at += 7000) {
      sink?.data(Buffer.from(body.slice(at, at + 7000)));
      // The client hears nothing before what there is to learn is safe.
      if (at < 60_000) expect(client.heads).toEqual([]);
      for (let i = 0; i < 3; i++) await turn();
    }
    sink?.end([]);
    expect(client.body()).toBe(body);
    expect(client.ended()).toBe(true);
    expect([...fixture.owned.keys()]).toEqual(["INV-2"]);
  });

  test("are not sought in what unfolds to more than it should", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    const client = fixture.send(
      { method: "POST", target: "/checkout", fields: app("a", "Cookie", "a=b") },
      "{}",
    );
    for (let i = 0; i < 5; i++) await turn();
    const bomb = gzipSync(Buffer.from(`{"orderId":"INV-9","pad":"${" ".repeat(2 ** 20)}"}`));
    const fields = ["Content-Type", "application/json", "Content-Encoding", "gzip"];
    fixture.attempts[0]?.sink.head({ status: 201, reason: "", fields });
    fixture.attempts[0]?.sink.data(bomb);
    fixture.attempts[0]?.sink.end([]);
    for (let i = 0; i < 5; i++) await turn();
    expect(fixture.owned.size).toBe(0);
    expect(client.ended()).toBe(true);
  });
});

describe("a client that is gone after it has ordered", () => {
  const order = (fixture: Fixture) =>
    fixture.send({ method: "POST", target: "/checkout", fields: app("a", "Cookie", "a=b") }, "{}");

  test("does not keep the proxy from learning where the order is", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    const client = order(fixture);
    for (let i = 0; i < 5; i++) await turn();
    client.leave();
    expect(fixture.attempts[0]?.aborted).toBe(false);
    expect(fixture.counted).toEqual(["new client_aborted"]);
    answer(fixture.attempts[0], 201, ["Location", "/orders/INV-7"]);
    await turn();
    expect(fixture.owned.get("INV-7")).toBe("new");
    expect(fixture.counted).toEqual(["new client_aborted"]);
    expect(fixture.journeys).toEqual([]);
  });

  test("is no reason to count or send anything again when the upstream fails too", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 }, cutover: { fallback: true } });
    const client = order(fixture);
    for (let i = 0; i < 5; i++) await turn();
    client.leave();
    fixture.attempts[0]?.sink.failure({ outcome: "connect_failed", sent: false, code: "ECONNREFUSED" });
    expect(fixture.counted).toEqual(["new client_aborted"]);
    expect(fixture.attempts).toHaveLength(1);
  });

  test("is given up where its request can make nothing", async () => {
    const fixture = createFixture();
    const client = fixture.send({ method: "GET", target: "/cart/1", fields: app("a", "Cookie", "a=b") });
    client.leave();
    expect(fixture.attempts[0]?.aborted).toBe(true);
  });

  test("has its order learned from the head when the body breaks off", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    order(fixture);
    for (let i = 0; i < 5; i++) await turn();
    const sink = fixture.attempts[0]?.sink;
    const fields = ["Content-Type", "application/json", "Location", "/orders/INV-8"];
    sink?.head({ status: 201, reason: "", fields });
    sink?.data(Buffer.from('{"orde'));
    sink?.failure({ outcome: "reset", sent: true, code: "X" });
    await turn();
    expect(fixture.owned.get("INV-8")).toBe("new");
  });
});

test("a login in the middle of a checkout does not move it: the cookie goes on under another shopper", async () => {
  const fixture = createFixture({ state: { percentThousandths: 100_000 } });
  const client = await pass(fixture, "POST", "/checkout", [...host, "Cookie", "sid=guest"]);
  const cookie =
    valuesOf(client.heads[0]?.fields ?? [], "set-cookie")
      .at(-1)
      ?.split(";")[0] ?? "";
  fixture.set({ percentThousandths: 0, ...changedAt(fixture) });
  await pass(fixture, "GET", "/cart/1", app("member", "Cookie", `sid=other; ${cookie}`));
  expect(fixture.decisions.at(-1)).toBe("new journey");
  expect(side(fixture)).toBe("new");
});

describe("claims past what a client may have in a minute", () => {
  const limited = (budget: number, more: FixtureOptions = {}) =>
    createFixture({ cutover: { owners: { budget, keys: [{ key: "header:idempotency-key" }] } }, ...more });
  const pay = (key: string, ...more: string[]) => [...host, "Idempotency-Key", key, ...more];
  const exceeded = (fixture: Fixture) => fixture.counted.filter((each) => each.startsWith("over budget"));

  test("are refused with 429 and never forwarded unclaimed; the next minute they go on", async () => {
    const fixture = limited(2);
    for (const key of ["a", "b", "c"]) await pass(fixture, "POST", "/callbacks/payment", pay(key));
    expect(fixture.attempts).toHaveLength(2);
    expect([...fixture.claims.keys()]).toEqual(["a", "b"]);
    const client = await pass(fixture, "POST", "/callbacks/payment", pay("d"));
    expect(client.heads[0]).toMatchObject({ status: 429, reason: "Too Many Requests" });
    expect(client.heads[0]?.fields.slice(-2)).toEqual(["Retry-After", "60"]);
    expect(fixture.entries.at(-1)).toMatchObject({ code: "claims_spent", outcome: "rejected", status: 429 });
    expect(exceeded(fixture)).toEqual(["over budget client refused", "over budget client refused"]);
    // A retry names a key that is claimed already.
    await pass(fixture, "POST", "/callbacks/payment", pay("a"));
    expect(fixture.attempts).toHaveLength(3);
    fixture.time.ms += 60_000;
    await pass(fixture, "POST", "/callbacks/payment", pay("d"));
    expect(fixture.attempts).toHaveLength(4);
  });

  test("do not stop a shopper whose journey says where to go, who is served without a claim", async () => {
    const fixture = limited(1, { state: { percentThousandths: 100_000 } });
    const start = await pass(fixture, "POST", "/checkout", pay("a", "X-Shopper-Id", "ana", "Cookie", "x=1"));
    const cookie = valuesOf(start.heads[0]?.fields ?? [], "set-cookie")[0]?.split(";")[0] ?? "";
    fixture.set({ percentThousandths: 0 });
    await pass(fixture, "POST", "/callbacks/payment", pay("b", "Cookie", cookie));
    expect(fixture.attempts).toHaveLength(2);
    expect(side(fixture)).toBe("new");
    expect([...fixture.claims.keys()]).toEqual(["a"]);
    await pass(fixture, "POST", "/callbacks/payment", pay("b", "Cookie", `${cookie.slice(0, -1)}_`));
    expect(fixture.attempts).toHaveLength(2);
    expect(exceeded(fixture)).toEqual(["over budget client unclaimed", "over budget client refused"]);
  });

  test("are counted by the client that a trusted proxy tells of, and of a proxy itself not at all", async () => {
    const fixture = limited(1, { trusts: (address) => address === "192.0.2.7" });
    const post = async (...more: string[]) => {
      const key = `${fixture.claims.size}${more.join()}`;
      const client = await pass(fixture, "POST", "/callbacks/payment", pay(key, ...more));
      return client.heads[0]?.status;
    };
    expect([await post(), await post(), await post()]).toEqual([200, 200, 200]);
    // What stands before the client's own address the client may have made up.
    expect(await post("X-Forwarded-For", "1.1.1.1, 198.51.100.1, 192.0.2.7")).toBe(200);
    expect(await post("X-Forwarded-For", "2.2.2.2", "X-Forwarded-For", "198.51.100.1:4711")).toBe(429);
    expect(await post("Forwarded", 'for=3.3.3.3, for="198.51.100.1:1";proto=https')).toBe(429);
    expect(await post("Forwarded", 'For="[2001:db8::1]:1"')).toBe(200);
    expect(await post("X-Forwarded-For", "2001:db8::2")).toBe(429);
    expect(await post("X-Forwarded-For", "192.0.2.7")).toBe(200);
  });

  test("are not made by GET, and a client that is not trusted says in vain for whom it speaks", async () => {
    const fixture = limited(1);
    for (const key of ["a", "b", "c"]) await pass(fixture, "GET", "/cart/1", pay(key));
    expect(fixture.attempts).toHaveLength(3);
    await pass(fixture, "POST", "/callbacks/payment", pay("a"));
    await pass(fixture, "POST", "/callbacks/payment", pay("b", "X-Forwarded-For", "198.51.100.1"));
    expect(fixture.attempts).toHaveLength(4);
  });

  test("are refused to everybody while the store has little memory left", async () => {
    const fixture = limited(1000, { owners: { memoryInUse: async () => 0.8 } });
    await pass(fixture, "POST", "/callbacks/payment", pay("a"));
    const client = await pass(fixture, "POST", "/callbacks/payment", pay("b"));
    expect(client.heads[0]?.status).toBe(429);
    expect(fixture.entries.at(-1)).toMatchObject({ code: "store_filling", outcome: "rejected" });
    expect(exceeded(fixture)).toEqual(["over budget memory refused"]);
    await pass(fixture, "POST", "/callbacks/payment", pay("a"));
    expect(fixture.attempts).toHaveLength(2);
  });
});

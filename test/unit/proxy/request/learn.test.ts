/** What an answer may teach of who made an order, and what nobody can have taught. */
import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { answer, createFixture, type FixtureOptions } from "../../../support/exchange-fixture.ts";
import { turn } from "../../../support/until.ts";

const host = ["Host", "shop.example"];
const json = ["Content-Type", "application/json"];
const routes = [
  { name: "cart", path: "/cart/*" },
  { name: "checkout", path: "/checkout", methods: ["POST"], journey: "start" },
  { name: "step", path: "/checkout/steps/confirm", methods: ["POST"], payment: true },
  { name: "pay", path: "/orders/:orderId/pay", methods: ["POST"], journey: "end", payment: true },
  { name: "history", path: "/orders/history", methods: ["GET"] },
  { name: "callback", path: "/callbacks/payment", methods: ["POST"] },
  { name: "made", path: "/made", learns: true },
  { name: "silent", path: "/silent", methods: ["POST"], payment: true, learns: false },
];

interface Sent {
  readonly method?: string;
  readonly target?: string;
  readonly fields?: readonly string[];
  readonly body?: string | Buffer;
}

interface Told {
  readonly status?: number;
  readonly location?: string;
  readonly body?: string;
}

/** @returns the keys that new owns after it has answered one request */
async function taught(sent: Sent, told: Told, options: FixtureOptions = {}) {
  const state = { percentThousandths: 100_000 };
  const fixture = createFixture({ state, cutover: { routes }, ...options });
  const { method = "POST", target = "/checkout", fields = [], body = "{}" } = sent;
  const framing = typeof body === "string" ? {} : { framing: { kind: "chunked" as const } };
  const sender = ["X-Shopper-Id", "a", "Cookie", "a=b"];
  const head = { method, target, ...framing, fields: [...host, ...sender, ...fields] };
  const content = typeof body === "string" ? body : Readable.from([body]);
  const client = fixture.send(head, method === "POST" ? content : undefined);
  for (let i = 0; i < 6; i++) await turn();
  const { status = 201, location, body: text = "" } = told;
  const location_ = location === undefined ? [] : ["Location", location];
  answer(fixture.attempts[0], status, [...(text === "" ? [] : json), ...location_], text);
  for (let i = 0; i < 4; i++) await turn();
  expect(client.heads[0]?.status).toBe(status);
  return [...fixture.owned.keys()];
}

describe("an order of legacy is not new's", () => {
  const victim = "LEG-556";

  test("because new answered a payment of it with 303 to it", async () => {
    const told = { status: 303, location: `/orders/${victim}` };
    expect(await taught({ target: `/orders/${victim}/pay` }, told)).toEqual([]);
  });

  test("because new echoed its number in JSON", async () => {
    const told = { status: 200, body: `{"orderId":"${victim}"}` };
    expect(await taught({ target: `/orders/${victim}/pay` }, told)).toEqual([]);
    expect(await taught({ body: `{"order_id":"${victim}"}` }, told)).toEqual([]);
  });

  const form = ["Content-Type", "application/x-www-form-urlencoded"];
  const named: readonly (readonly [string, Sent])[] = [
    ["the answer's own member", { body: `{"orderId":"${victim}"}` }],
    ["a member that stands twice, the first of them", { body: `{"order_id":"${victim}","order_id":"9"}` }],
    ["a member in another case", { body: `{"Order_ID":"${victim}"}` }],
    ["a member further in", { body: `{"order":{"order_id":"${victim}"}}` }],
    ["a member that is escaped", { body: `{"order\\u005fid":"\\u004cEG-556"}` }],
    ["JSON with a comma too many", { body: `{"order_id":"${victim}",}` }],
    ["JSON without quotes", { body: `{order_id:'${victim}'}` }],
    ["JSON that is no UTF-8", { body: Buffer.from(`{"order_id":"${victim}","x":"\xff"}`, "latin1") }],
    ["UTF-16", { body: Buffer.from(`{"order_id":"${victim}"}`, "utf16le") }],
    ["a form", { fields: form, body: `x=1&order_id=LEG%2D556` }],
    ["a form's field that stands twice", { fields: form, body: `orderId=9&orderId=${victim}` }],
    ["JSON that says it is a form", { fields: form, body: `{"order_id":"${victim}"}` }],
    ["a form that says it is JSON", { fields: json, body: "order_id=LEG%2D556" }],
    ["the query", { target: `/checkout?a=1&ORDERID=${victim}` }],
    [
      "a multipart field that stands twice",
      {
        fields: ["Content-Type", "multipart/form-data; boundary=b"],
        body: ["9", victim]
          .map((one) => `--b\r\nContent-Disposition: form-data; name="order_id"\r\n\r\n${one}\r\n`)
          .concat("--b--\r\n")
          .join(""),
      },
    ],
  ];

  test.each(named)("because new echoed what was named in %s", async (_, sent) => {
    expect(await taught(sent, { body: `{"orderId":"${victim}"}` })).toEqual([]);
    expect(await taught(sent, { status: 303, location: `/orders/${victim}` })).toEqual([]);
    expect(await taught(sent, { body: '{"orderId":"77"}' })).toEqual(["77"]);
  });

  const leading: readonly (readonly [string, Sent])[] = [
    ["told where to go on to in the query", { target: `/checkout?next=/orders/${victim}` }],
    ["told so in a form", { fields: form, body: `return_to=%2Forders%2F${victim}%2Fthanks` }],
    ["told so in JSON", { body: `{"to":"//shop.example/orders/${victim}"}` }],
    ["going back to the page before", { fields: ["Referer", `https://shop.example/orders/${victim}?a=1`] }],
  ];

  test.each(leading)("because new led to its page, %s", async (_, sent) => {
    expect(await taught(sent, { status: 303, location: `/orders/${victim}` })).toEqual([]);
    expect(await taught(sent, { status: 303, location: "/orders/77" })).toEqual(["77"]);
  });

  test("because new echoed it where requests name orders in their paths alone", async () => {
    const owners = [{ key: "param:orderId", learn: ["json:/orderId", "header:location"] }];
    const sent = { body: `{"orderId":"${victim}"}` };
    const told = { status: 303, location: `/orders/${victim}`, body: `{"orderId":"${victim}"}` };
    expect(await taught(sent, told, { cutover: { routes, owners } })).toEqual([]);
  });

  test("an order that has the number of its cart is learned all the same", async () => {
    expect(await taught({ body: '{"cart":"c-7"}' }, { body: '{"orderId":"c-7"}' })).toEqual(["c-7"]);
  });

  test("because it was named behind another one", async () => {
    const sent = { target: "/orders/X-1/pay", body: `{"order_id":"${victim}"}` };
    expect(await taught(sent, { body: `{"orderId":"${victim}"}` })).toEqual([]);
  });

  test("because an open redirect of new's led to its page on another host", async () => {
    for (const location of [
      `https://evil.example/orders/${victim}`,
      `//evil.example/orders/${victim}`,
      `https://shop.example@evil.example/orders/${victim}`,
      `/\\evil.example/orders/${victim}`,
      `https:orders/${victim}`,
    ])
      expect(await taught({}, { status: 302, location }), location).toEqual([]);
  });

  test("because a request named it on a route that makes no orders", async () => {
    const told = { status: 200, body: `{"orderId":"${victim}"}`, location: `/orders/${victim}` };
    for (const target of ["/cart/add", "/callbacks/payment", "/silent"])
      expect(await taught({ target }, told), target).toEqual([]);
  });
});

test("Post/Redirect/Get to login, cart or the next step makes no owner of that name", async () => {
  for (const location of [
    "/login",
    "/cart",
    "/checkout/checkoutnow",
    "/orders",
    "/orders/",
    "/orders/history",
  ])
    expect(await taught({}, { status: 303, location }), location).toEqual([]);
});

test.each([
  "/orders/77",
  "/orders/77/thanks",
  "/orders/77?paid=1#top",
  "https://shop.example/orders/77",
  "http://SHOP.example:8080/orders/77/",
  "//shop.example/orders/77",
  "orders/77",
  // Shops write what they would tell as it is; browsers encode it.
  "/orders/77/thanks?told=Thank you",
  "/orders/77?told=Danke sch\xf6n",
])("a Location of the own host that begins like a route's path names the order: %s", async (location) => {
  expect(await taught({}, { location })).toEqual(["77"]);
});

test("a relative Location begins where the request was", async () => {
  expect(await taught({ target: "/checkout/steps/confirm" }, { location: "orders/77" })).toEqual([]);
  expect(await taught({ target: "/checkout/steps/confirm" }, { location: "../../orders/77" })).toEqual([]);
});

test("a Location's expression reads it whole, on the own host alone", async () => {
  const owners = [{ key: "json:/order_id", learn: ["header:location#[?&]order=([0-9]+)"] }];
  const options = { cutover: { routes, owners } };
  expect(await taught({}, { location: "/thanks?order=77" }, options)).toEqual(["77"]);
  expect(await taught({}, { location: "https://evil.example/?order=77" }, options)).toEqual([]);
});

test.each([199, 400, 409, 422, 500, 503])("an answer of %i teaches nothing", async (status) => {
  if (status < 200) return;
  expect(await taught({}, { status, location: "/orders/77", body: '{"orderId":"78"}' })).toEqual([]);
});

test("a GET teaches where its route says so, and a HEAD or OPTIONS never", async () => {
  const told = { status: 200, location: "/orders/77" };
  expect(await taught({ method: "GET", target: "/made" }, told)).toEqual(["77"]);
  expect(await taught({ method: "HEAD", target: "/made" }, told)).toEqual([]);
  expect(await taught({ method: "OPTIONS", target: "/made" }, told)).toEqual([]);
  expect(await taught({ method: "GET", target: "/orders/history" }, told)).toEqual([]);
});

test("a GET with a stranger's idempotency key claims nothing, and meets the side that owns it", async () => {
  const fixture = createFixture({ state: { percentThousandths: 100_000 } });
  const get = async (key: string) => {
    const fields = [...host, "X-Shopper-Id", "a", "Cookie", "a=b", "Idempotency-Key", key];
    fixture.send({ method: "GET", target: "/cart/1", fields });
    for (let i = 0; i < 5; i++) await turn();
  };
  await get("k1");
  expect(fixture.claims.size).toBe(0);
  fixture.claims.set("k2", "legacy");
  await get("k2");
  expect(fixture.decisions).toEqual(["new bucket", "legacy owner"]);
});

test("whatever is asked and answered, no request has what it names itself learned", async () => {
  const key = fc.constantFrom("77", "78", "LEG-556", "history", "a b", "ü");
  const location = fc.oneof(
    key.map((one) => `/orders/${one}`),
    key.map((one) => `https://shop.example/orders/${one}/thanks`),
    key.map((one) => `//evil.example/orders/${one}`),
    fc.string(),
  );
  const target = fc.oneof(
    fc.constantFrom("/checkout", "/cart/1", "/callbacks/payment", "/made"),
    fc.constantFrom("77", "78", "LEG-556").map((one) => `/orders/${one}/pay`),
  );
  const method = fc.constantFrom("POST", "GET", "PUT", "DELETE");
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
  await fc.assert(
    fc.asyncProperty(
      fc.record({ target, method, named: key, other: key, claim: key, location, body: key }),
      fc.constantFrom(200, 201, 202, 303, 302, 402, 500),
      async ({ target, method, named, other, claim, location, body }, status) => {
        if (/[^\t -~]/.test(location) || /[^ -~]/.test(claim)) return;
        const sent = { method, target, fields: ["Idempotency-Key", claim], body: `{"order_id":"${named}"}` };
        const learned = await taught(sent, {
          status,
          location,
          body: `{"orderId":"${body}","x":"${other}"}`,
        });
        const own = [target.split("/")[2] ?? "", ...(method === "POST" ? [named] : [])];
        for (const one of own) expect(learned, `seed ${seed}`).not.toContain(one);
        if (status >= 400 || !/checkout|orders|made/.test(target)) expect(learned).toEqual([]);
        const places = [
          Buffer.from(body).toString("latin1"),
          /^(?:https:\/\/shop.example)?\/orders\/([^/?#]+)/.exec(location)?.[1],
        ];
        for (const one of learned) expect(places.includes(one) || location.includes(one)).toBe(true);
      },
    ),
    { numRuns: 300, seed },
  );
});

describe("what is neither JSON nor a form", () => {
  const owners = [
    { key: ["param:orderId", "body:#<OrderId>([^<]+)</OrderId>"], learn: ["body:#<Id>([^<]+)</Id>"] },
  ];
  const cutover = { routes, owners };
  const xml = (id: string) => `<?xml version="1.0"?><Made><Id>${id}</Id></Made>`;

  test("teaches by an expression, and a request is led by one", async () => {
    expect(await taught({}, { body: xml("77") }, { cutover })).toEqual(["77"]);
    const fixture = createFixture({ cutover });
    fixture.owned.set("77", "new");
    fixture.send({ method: "POST", target: "/callbacks/payment" }, "<Paid><OrderId>77</OrderId></Paid>");
    for (let i = 0; i < 6; i++) await turn();
    expect(fixture.decisions).toEqual(["new owner"]);
    expect(fixture.counted).not.toContain("unread body");
  });

  test("gives no key of more than 512 bytes, and that is counted", async () => {
    const fixture = createFixture({ cutover });
    fixture.send({ method: "POST", target: "/callbacks/payment" }, `<OrderId>${"7".repeat(513)}</OrderId>`);
    for (let i = 0; i < 6; i++) await turn();
    expect(fixture.decisions).toEqual(["legacy anonymous"]);
    expect(fixture.counted).toContain("long key");
    expect(await taught({}, { body: xml("7".repeat(513)) }, { cutover })).toEqual([]);
  });

  test("gives no key where the search takes too long, and that is counted as a body that was not read", async () => {
    const slow = { ...cutover, owners: [{ key: "body:#(.{1,120}):y([0-9])", learn: ["body:#.{100}(y)z"] }] };
    const hostile = "ab:y".repeat(16_000);
    const fixture = createFixture({ cutover: slow });
    fixture.send({ method: "POST", target: "/callbacks/payment" }, hostile);
    for (let i = 0; i < 6; i++) await turn();
    expect(fixture.decisions).toEqual(["legacy anonymous"]);
    expect(fixture.counted).toContain("unread body");
    expect(await taught({}, { body: hostile }, { cutover: slow })).toEqual([]);
  });

  test("is named by the request and not learned from its answer", async () => {
    const sent = { body: "<OrderId>LEG-1</OrderId>" };
    expect(await taught(sent, { body: xml("LEG-1") }, { cutover })).toEqual([]);
  });
});

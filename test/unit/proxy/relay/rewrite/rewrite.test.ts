import { Duplex } from "node:stream";
import { expect, test } from "vitest";
import { answer, createFixture, type FixtureOptions } from "../../../../support/exchange-fixture.ts";
import { valuesOf } from "../../../../support/raw-upstream.ts";

const rewrite = {
  path: [
    { from: "/checkout", to: "/api/v2/checkout" },
    { from: "/cart/*", to: "/api/v2/cart/*" },
    { from: "/orders/*", to: "/api/v2/orders/*" },
  ],
  request: {
    set: { "X-Tenant": "social", "X-Shopper": "{shopper}", "X-Order": "{param:orderId}" },
    add: { "X-Way": "{side} {requestId}" },
    remove: ["X-Debug"],
  },
  response: { set: { "X-Served": "{side}" }, add: { "X-Note": "{shopper}" }, remove: ["Server"] },
};
const fresh = { host: "upstream", rewrite };
const old = {};
const onNew = { percentThousandths: 100_000 };
const fixture = (options: FixtureOptions = {}) => createFixture({ state: onNew, old, fresh, ...options });
const host = ["Host", "shop.example"];
const shopper = (name: string) => [...host, "X-Shopper-Id", name];

test("a request goes there under the upstream's path, its query untouched, with the fields of the rules", () => {
  const { send, attempts } = fixture();
  send({
    method: "GET",
    target: "/cart/a%20b?x=%41&y",
    fields: [...shopper("anna"), "X-Debug", "1", "x_tenant", "evil", "X-Way", "edge", "X-Request-Id", "id-7"],
  });
  const request = attempts[0]?.request;
  expect(request?.target).toBe("/api/v2/cart/a%20b?x=%41&y");
  const told = (name: string) => valuesOf(request?.fields ?? [], name);
  expect([told("x-tenant"), told("x_tenant"), told("x-debug")]).toEqual([["social"], [], []]);
  expect([told("x-shopper"), told("x-way")]).toEqual([["anna"], ["edge", "new id-7"]]);
  expect([told("host"), told("x-forwarded-host")]).toEqual([["127.0.0.1:2"], ["shop.example"]]);
});

test("the other side, which has no rules, gets every byte", () => {
  const { send, attempts } = fixture({ state: {} });
  send({ method: "GET", target: "/cart/a?x", fields: [...shopper("anna"), "X-Debug", "1"] });
  expect(attempts[0]?.request.target).toBe("/cart/a?x");
  expect(valuesOf(attempts[0]?.request.fields ?? [], "x-debug")).toEqual(["1"]);
  expect(valuesOf(attempts[0]?.request.fields ?? [], "x-tenant")).toEqual([]);
});

test("a parameter is the route's, and what a request has none of is not said, whoever says it", async () => {
  const { send, attempts } = fixture();
  const forged = [...shopper("anna"), "X-Order", "1", "X-Shopper", "root"];
  send({ method: "POST", target: "/orders/7%207/pay", fields: forged });
  send({ method: "POST", target: "/callbacks/payment", fields: forged });
  await expect.poll(() => attempts.length).toBe(2);
  const orders = attempts.map(({ request }) => valuesOf(request.fields, "x-order"));
  expect(orders.sort()).toEqual([[], ["7%207"]]);
});

test("an anonymous request can name no shopper", () => {
  const { send, attempts } = createFixture({ old: { rewrite } });
  send({ method: "GET", target: "/cart/1", fields: [...host, "X-Shopper", "root"] });
  expect(valuesOf(attempts[0]?.request.fields ?? [], "x-shopper")).toEqual([]);
});

test.each([
  ["anna", "anna"],
  ["a b\tc", "a%20b%09c"],
  ["\xe4\xff%", "%E4%FF%25"],
  ["a\r\nX-Admin: 1", "a%0D%0AX-Admin%3A%201"],
])("the shopper %j is said as %s: no name ends a field", (name, said) => {
  const { send, attempts } = fixture();
  const client = send({ method: "GET", target: "/cart/1", fields: shopper(name) });
  answer(attempts[0], 200);
  expect(valuesOf(attempts[0]?.request.fields ?? [], "x-shopper")).toEqual([said]);
  expect(valuesOf(client.heads[0]?.fields ?? [], "x-note")).toEqual([said]);
});

test("a visitor who is named here and now is said at once", () => {
  const { send, attempts } = fixture({ cutover: { shopper: ["visitor"] } });
  send({ method: "GET", target: "/cart/1", fields: [...host, "Sec-Fetch-Mode", "navigate"] });
  expect(valuesOf(attempts[0]?.request.fields ?? [], "x-shopper")).toEqual([
    expect.stringMatching(/^[\w-]{22}$/),
  ]);
});

test("an answer comes back with the shopper's addresses and cookies, and the fields of the rules", () => {
  const { send, attempts } = fixture();
  const client = send({ method: "GET", target: "/cart/1", fields: shopper("anna") });
  const fields = [
    ...["Location", "http://127.0.0.1:2/api/v2/orders/7", "Content-Location", "/api/v2/cart/2"],
    ...["Link", "</api/v2/cart/a.css>; rel=preload", "Refresh", "5; url=http://127.0.0.1:2/api/v2/checkout"],
    ...["Set-Cookie", "sid=1; Domain=127.0.0.1; Path=/api/v2/cart; Secure", "Set-Cookie", "b=2; Path=/"],
    ...["Server", "nginx", "X-Served", "somebody", "X-Note", "own"],
  ];
  answer(attempts[0], 302, fields);
  const told = (name: string) => valuesOf(client.heads[0]?.fields ?? [], name);
  expect(told("location")).toEqual(["http://shop.example/orders/7"]);
  expect(told("content-location")).toEqual(["/cart/2"]);
  expect(told("link")).toEqual(["</cart/a.css>; rel=preload"]);
  expect(told("refresh")).toEqual(["5; url=http://shop.example/checkout"]);
  expect(told("set-cookie")).toEqual(["sid=1; Path=/cart", "b=2; Path=/"]);
  expect([told("server"), told("x-served"), told("x-note")]).toEqual([[], ["new"], ["own", "anna"]]);
});

test("a field of the rules stays although the upstream names it in Connection", () => {
  const { send, attempts } = fixture();
  const client = send({ method: "GET", target: "/cart/1", fields: shopper("anna") });
  answer(attempts[0], 200, ["Connection", "X-Served", "X-Served", "a"]);
  expect(valuesOf(client.heads[0]?.fields ?? [], "x-served")).toEqual(["new"]);
});

test("what is taken away comes by no trailer either", () => {
  const { send, attempts } = fixture();
  let trailers: readonly string[] = [];
  const client = send({ method: "GET", target: "/cart/1", fields: shopper("anna") });
  client.end = (given) => {
    trailers = given;
  };
  attempts[0]?.sink.head({ status: 200, reason: "", fields: [] });
  attempts[0]?.sink.end(["Server", "nginx", "X-Sum", "1"]);
  expect(trailers).toEqual(["X-Sum", "1"]);
});

test("who speaks TLS to a trusted proxy is led back there, by the name that it says", () => {
  const { send, attempts } = fixture({ trustedProxies: ["192.0.2.7"] });
  const told = ["X-Forwarded-Proto", "https", "X-Forwarded-Host", "www.shop.example"];
  const client = send({ method: "GET", target: "/cart/1", fields: [...shopper("anna"), ...told] });
  answer(attempts[0], 302, [
    ...["Location", "http://127.0.0.1:2/api/v2/orders/7", "Set-Cookie", "sid=1; Path=/; Secure"],
  ]);
  const heard = (name: string) => valuesOf(client.heads[0]?.fields ?? [], name);
  expect(heard("location")).toEqual(["https://www.shop.example/orders/7"]);
  expect(heard("set-cookie")).toEqual(["sid=1; Path=/; Secure"]);
});

test("a cookie stays Secure where somebody says TLS whose word is not believed", () => {
  const { send, attempts } = fixture();
  const fields = [...shopper("anna"), "X-Forwarded-Proto", "https"];
  const client = send({ method: "GET", target: "/cart/1", fields });
  answer(attempts[0], 200, ["Set-Cookie", "sid=1; Path=/; Secure"]);
  expect(valuesOf(client.heads[0]?.fields ?? [], "set-cookie")).toEqual(["sid=1; Path=/; Secure"]);
});

test.each(["http://127.0.0.1:2/api/v2/orders/77", "/api/v2/orders/77/thanks", "../v2/orders/77"])(
  "an order is learned from the Location %s, by the path that shoppers see",
  async (location) => {
    const { send, attempts, learned } = fixture();
    const client = send({ method: "POST", target: "/checkout", fields: shopper("anna") });
    await expect.poll(() => attempts.length).toBe(1);
    answer(attempts[0], 303, ["Location", location]);
    await expect.poll(() => client.ended()).toBe(true);
    expect(learned).toEqual(["77 new"]);
  },
);

test.each([{ rewrite }, {}])(
  "an order is learned from a Location of the host that a trusted proxy was asked for: %j",
  async (fresh) => {
    const { send, attempts, learned } = fixture({ trustedProxies: ["192.0.2.7"], fresh });
    const told = ["X-Forwarded-Proto", "https", "X-Forwarded-Host", "www.shop.example"];
    const client = send({ method: "POST", target: "/checkout", fields: [...shopper("anna"), ...told] });
    await expect.poll(() => attempts.length).toBe(1);
    answer(attempts[0], 303, ["Location", "https://www.shop.example/orders/77"]);
    await expect.poll(() => client.ended()).toBe(true);
    expect(learned).toEqual(["77 new"]);
  },
);

test("nobody else's word makes another host this one", async () => {
  const { send, attempts, learned } = fixture();
  const told = ["X-Forwarded-Host", "evil.example"];
  const client = send({ method: "POST", target: "/checkout", fields: [...shopper("anna"), ...told] });
  await expect.poll(() => attempts.length).toBe(1);
  answer(attempts[0], 303, ["Location", "https://evil.example/orders/77"]);
  await expect.poll(() => client.ended()).toBe(true);
  expect(learned).toEqual([]);
});

test("a path that other rules would make of it is learned by nobody: it is the upstream's own", async () => {
  const { send, attempts, learned } = fixture();
  const client = send({ method: "POST", target: "/checkout", fields: shopper("anna") });
  await expect.poll(() => attempts.length).toBe(1);
  answer(attempts[0], 303, ["Location", "http://127.0.0.1:3/api/v2/orders/77"]);
  await expect.poll(() => client.ended()).toBe(true);
  expect(learned).toEqual([]);
});

test("a request that falls back is the other side's whole: path, fields and way back", async () => {
  const { send, attempts } = fixture({ cutover: { fallback: true, owners: [], journey: undefined } });
  const client = send({ method: "GET", target: "/cart/1", fields: [...shopper("anna"), "X-Debug", "1"] });
  attempts[0]?.sink.failure({ outcome: "connect_failed", sent: false, code: "ECONNREFUSED" });
  await expect.poll(() => attempts.length).toBe(2);
  expect(attempts[1]).toMatchObject({ upstream: "old", request: { target: "/cart/1" } });
  expect(valuesOf(attempts[1]?.request.fields ?? [], "x-debug")).toEqual(["1"]);
  answer(attempts[1], 302, ["Location", "http://127.0.0.1:2/api/v2/cart/1", "Server", "nginx"]);
  expect(valuesOf(client.heads[0]?.fields ?? [], "location")).toEqual(["http://127.0.0.1:2/api/v2/cart/1"]);
  expect(valuesOf(client.heads[0]?.fields ?? [], "server")).toEqual(["nginx"]);
});

test("a change of protocol goes there and comes back by the same rules", () => {
  const { send, attempts } = fixture();
  const ends: Duplex[] = [];
  const stream = () => {
    const made = new Duplex({ read: () => {}, write: (_, __, done) => done() });
    ends.push(made);
    return made;
  };
  let answered: readonly string[] = [];
  const fields = [...shopper("anna"), "Connection", "Upgrade", "Upgrade", "websocket"];
  const client = send({ method: "GET", target: "/cart/live?x", fields, upgrade: "websocket" });
  client.switchProtocols = (given) => {
    answered = given;
    return { stream: stream(), first: Buffer.alloc(0) };
  };
  expect(attempts[0]?.request.target).toBe("/api/v2/cart/live?x");
  const received = ["Upgrade", "websocket", "Set-Cookie", "io=1; Path=/api/v2/cart", "Server", "nginx"];
  const connection = { stream: stream(), first: Buffer.alloc(0) };
  const limits = { idleMs: 1000, lifetimeMs: 1000 };
  attempts[0]?.sink.switched?.({ status: 101, reason: "", fields: received }, connection, limits);
  expect(valuesOf(answered, "set-cookie")).toEqual(["io=1; Path=/cart"]);
  expect([valuesOf(answered, "server"), valuesOf(answered, "x-served")]).toEqual([[], ["new"]]);
  for (const end of ends) end.destroy();
});

test.each([
  ["/cart/../../admin", { onRoutes: "pass" }],
  ["/cart/%2e%2e/x", { onRoutes: "pass" }],
  ["/cart/a%2fb", { onRoutes: "pass" }],
])(
  "%s is refused where a rule is for it, whatever `paths` says: it may be read as another's",
  (target, paths) => {
    const { send, attempts } = fixture({ paths });
    const client = send({ method: "GET", target, fields: shopper("anna") });
    expect(client.heads[0]?.status).toBe(400);
    expect(attempts).toEqual([]);
  },
);

test("so it is where no cutover has the path; and what no rule is for goes on", () => {
  const { send, attempts } = createFixture({
    old: { rewrite: { path: [{ from: "/shop/*", to: "/tenants/1/*" }] } },
    fresh: {},
  });
  expect(send({ method: "GET", target: "/shop/../admin" }).heads[0]?.status).toBe(400);
  send({ method: "GET", target: "/products/a%2fb" });
  send({ method: "GET", target: "/shop/a" });
  expect(attempts.map(({ request }) => request.target)).toEqual(["/products/a%2fb", "/tenants/1/a"]);
});

test("OPTIONS * is of the server, and no path", () => {
  const { send, attempts } = createFixture({ old: { rewrite: { path: [{ from: "/*", to: "/shop/*" }] } } });
  send({ method: "OPTIONS", target: "*" });
  expect(attempts[0]?.request.target).toBe("*");
});

import { expect, test } from "vitest";
import { tryRequest } from "../../../../../src/proxy/relay/rewrite/trial.ts";
import { configOf, least } from "../../../config/support.ts";

const text = [
  "upstreams:",
  '  old: { url: "http://127.0.0.1:7001" }',
  "  next:",
  '    url: "https://market.example"',
  "    host: upstream",
  "    rewrite:",
  '      path: [{ from: "/orders/*", to: "/api/orders/*" }]',
  `      request: { set: { Authorization: "Bearer \${TOKEN}", X-Shopper: "{shopper}", X-Order: "{side} {param:id}" } }`,
  "default: old",
  "cutovers:",
  "  shop:",
  "    legacy: old",
  "    new: next",
  '    shopper: ["header:x-account", visitor]',
  '    routes: [{ name: pay, path: "/orders/:id/pay", methods: [POST] }]',
  "",
].join("\n");
const config = configOf(text, { TOKEN: "t0ken" });

function linesOf(method: string, url: string) {
  const tried = tryRequest(config, method, url);
  return "sides" in tried
    ? tried.sides.map(({ side, upstream, lines }) => [side, upstream, ...lines])
    : tried;
}

test("each side would get the request as it is forwarded", () => {
  const lines = linesOf("POST", "https://shop.example/orders/77/pay?x=1");
  expect(lines).toEqual([
    [
      "legacy",
      "old",
      "POST /orders/77/pay?x=1 HTTP/1.1",
      "Host: shop.example",
      "X-Forwarded-For: {client}",
      "X-Forwarded-Proto: https",
      "X-Forwarded-Host: shop.example",
      'Forwarded: for={client};host="shop.example";proto=https',
      "X-Request-Id: {requestId}",
      "traceparent: {traceparent}",
      "Via: 1.1 cutover",
    ],
    expect.arrayContaining([
      "new",
      "next",
      "POST /api/orders/77/pay?x=1 HTTP/1.1",
      "Host: market.example",
      "Authorization: Bearer t0ken",
      "X-Shopper: {shopper}",
      "X-Order: new 77",
    ]),
  ]);
});

test("a path of no cutover goes to the default", () => {
  expect(linesOf("GET", "http://shop.example/about")).toMatchObject([
    ["default", "old", "GET /about HTTP/1.1", "Host: shop.example", ...Array(7).fill(expect.any(String))],
  ]);
});

test("a request that gets no further says why", () => {
  expect(linesOf("POST", "http://shop.example/orders/a%2Fb/pay")).toMatchObject({
    status: 400,
    code: "ambiguous_path",
  });
});

test("a configuration without cutovers is tried, too", () => {
  expect(tryRequest(configOf(least), "GET", "http://shop.example/")).toMatchObject({
    cutover: "none",
    sides: [{ side: "default" }],
  });
});

test("routes that share the path are told in the order in which they are asked", () => {
  const shared = text.replace(
    "methods: [POST] }]",
    "methods: [POST] }, { name: buy, path: /graphql, when: { graphql: pay } }, { name: rest, path: /graphql }]",
  );
  const tried = (url: string) => tryRequest(configOf(shared, { TOKEN: "t0ken" }), "POST", url);
  expect(tried("https://shop.example/graphql")).toMatchObject({
    route: "rest",
    routes: [
      { cutover: "shop", name: "buy", when: "graphql pay" },
      { cutover: "shop", name: "rest", when: undefined },
    ],
  });
  expect(tried("https://shop.example/orders/77/pay")).toMatchObject({ route: "pay", routes: [] });
});

const added = configOf(
  [
    ...text.trimEnd().split("\n").slice(0, -1),
    "    routes:",
    '      - { name: order, path: "/orders/:id/pay" }',
    "      - { name: pay, path: /graphql, when: { graphql: pay } }",
    '      - { name: form, path: /graphql, when: { form: "a=b" } }',
    'routes: [{ name: admin, path: "/admin/*", upstream: next }]',
    "",
  ].join("\n"),
  { TOKEN: "t0ken" },
);

test("a path whose routes all have a when is not told to be of no cutover: its first route's sides are", () => {
  expect(tryRequest(added, "POST", "https://shop.example/graphql")).toMatchObject({
    cutover: "shop",
    route: "pay",
    sides: [{ side: "legacy" }, { side: "new" }],
    routes: [{ name: "pay" }, { name: "form" }],
  });
});

test("a fixed route is told by its name, and its requests name no shopper", () => {
  const tried = tryRequest(added, "GET", "https://shop.example/admin/x");
  expect(tried).toMatchObject({
    cutover: "none",
    route: "admin",
    sides: [{ side: "fixed", upstream: "next" }],
  });
  expect(JSON.stringify(tried)).not.toContain("X-Shopper");
});

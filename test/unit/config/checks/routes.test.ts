import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { least, problemsOf, warningsOf } from "../support.ts";

/** Lines 1–4 are `least`; a cutover `shop` follows on 5, with its hosts on 9 and its routes on 10; further text from 11 on. */
function file(hosts: string, routes: string, ...more: readonly string[]): string {
  return [
    // Not to the legacy of the cutover, which would be a warning.
    `${least.replace("default: old", "default: next")}cutovers: {`,
    "  shop: {",
    "    legacy: old, new: next,",
    '    shopper: ["cookie:sid", visitor],',
    `    ${hosts}`,
    `    routes: ${routes} } }`,
    ...more,
    "",
  ].join("\n");
}

const cart = "[{ name: cart, path: /cart/* }]";
const form = "expected a host such as shop.example or *.shop.example";
const name = "expected an upstream's name: old or next";

describe("check names the line of each wrong host and route", () => {
  test.each<[what: string, text: string, problem: string]>([
    [
      "hosts that are no list",
      file("hosts: shop.my,", cart),
      "9:12 cutovers.shop.hosts: expected a list; found a text",
    ],
    [
      "an empty list",
      file("hosts: [],", cart),
      "9:12 cutovers.shop.hosts: expected a list that is not empty",
    ],
    [
      "a port",
      file("hosts: [shop.my, 'shop.id:443'],", cart),
      '9:22 cutovers.shop.hosts[1]: expected a host without a port: every port counts; found "shop.id:443"',
    ],
    [
      "a scheme",
      file("hosts: ['https://shop.my'],", cart),
      '9:13 cutovers.shop.hosts[0]: expected a host without scheme, user or path; found "https://shop.my"',
    ],
    [
      "a wildcard of all",
      file("hosts: ['*'],", cart),
      '9:13 cutovers.shop.hosts[0]: expected a host: where none are named, all count; found "*"',
    ],
    [
      "a wildcard in a label",
      file("hosts: ['shop*.my'],", cart),
      '9:13 cutovers.shop.hosts[0]: expected * only as the whole first label, as in *.shop.example; found "shop*.my"',
    ],
    [
      "a wildcard in the middle",
      file("hosts: ['a.*.my'],", cart),
      '9:13 cutovers.shop.hosts[0]: expected * only as the whole first label, as in *.shop.example; found "a.*.my"',
    ],
    [
      "letters that are not ASCII",
      file("hosts: [bücher.my],", cart),
      "9:13 cutovers.shop.hosts[0]: expected a host in ASCII: other names as xn--…",
    ],
    [
      "an IPv6 address without brackets",
      file("hosts: ['::1'],", cart),
      '9:13 cutovers.shop.hosts[0]: expected an IPv6 address in brackets, as in [::1]; found "::1"',
    ],
    [
      "what is no address",
      file("hosts: ['[::z]'],", cart),
      '9:13 cutovers.shop.hosts[0]: expected an IPv6 address in brackets; found "[::z]"',
    ],
    [
      "an empty label",
      file("hosts: [shop..my],", cart),
      `9:13 cutovers.shop.hosts[0]: ${form}; found "shop..my"`,
    ],
    [
      "a host twice, however spelled",
      file("hosts: [shop.my, Shop.MY.],", cart),
      '9:22 cutovers.shop.hosts[1]: expected each host once: the same as cutovers.shop.hosts[0]; found "Shop.MY."',
    ],
    [
      "a route's host that is none of its cutover's",
      file("hosts: ['*.shop.my'],", "[{ name: a, path: /a, hosts: [a.shop.my, shop.my] }]"),
      '10:54 cutovers.shop.routes[0].hosts[1]: expected a host that is one of the cutover\'s hosts; found "shop.my"',
    ],
    [
      "a route's host that is no host",
      file("", "[{ name: a, path: /a, hosts: ['a b'] }]"),
      '10:43 cutovers.shop.routes[0].hosts[0]: expected a host in ASCII: other names as xn--…; found "a b"',
    ],
    [
      "one path twice for one host",
      file("", "[{ name: a, path: /a, hosts: [shop.my, shop.id] }, { name: b, path: /a, hosts: [shop.id] }]"),
      "10:81 cutovers.shop.routes[1].path: expected a path, methods or hosts of its own: the same as cutovers.shop.routes[0].path",
    ],
    [
      "a fixed route's path that is a cutover's",
      file("", cart, "routes: [{ path: /cart/*, upstream: next }]"),
      "11:18 routes[0].path: expected a path, or methods, of its own: the same as cutovers.shop.routes[0].path",
    ],
    [
      "a fixed route's path that is a cutover's for that host",
      file("hosts: [shop.my],", cart, "routes: [{ path: /cart/*, hosts: [shop.my], upstream: next }]"),
      "11:18 routes[0].path: expected a path, methods or hosts of its own: the same as cutovers.shop.routes[0].path",
    ],
    [
      "a fixed route without an upstream",
      file("", cart, "routes: [{ path: /a }]"),
      "11:10 routes[0].upstream: expected a text; found nothing",
    ],
    [
      "a fixed route to nowhere",
      file("", cart, "routes: [{ path: /a, upstream: nowhere }]"),
      `11:32 routes[0].upstream: ${name}; found "nowhere"`,
    ],
    [
      "a fixed route with a key of cutovers' routes",
      file("", cart, "routes: [{ path: /a, upstream: next, journey: start }]"),
      "11:38 routes[0].journey: unknown key: expected one of name, path, methods, hosts, match, timeouts, upstream, except",
    ],
    [
      "two fixed routes of one name",
      file(
        "",
        cart,
        "routes: [{ name: a, path: /a, upstream: next }, { name: a, path: /b, upstream: next }]",
      ),
      '11:57 routes[1].name: expected a name of its own for each fixed route: the same as routes[0].name; found "a"',
    ],
    [
      "a fixed route that is named like no route",
      file("", cart, "routes: [{ name: none, path: /a, upstream: next }]"),
      '11:18 routes[0].name: expected another name: what is on no route is counted as none; found "none"',
    ],
    [
      "an exception beside the route",
      file("", cart, "routes: [{ path: /a/*, upstream: next, except: [/a/b, /b] }]"),
      "11:55 routes[0].except[1]: expected a path that the route's own includes",
    ],
    [
      "an exception of an exact path",
      file("", cart, "routes: [{ path: /a, upstream: next, except: [/a/*] }]"),
      "11:47 routes[0].except[0]: expected a path that the route's own includes",
    ],
    [
      "an exception of all",
      file("", cart, "routes: [{ path: /a/*, upstream: next, except: [/a/*] }]"),
      "11:49 routes[0].except[0]: expected less than the route's own path: nothing of it is left",
    ],
    [
      "an exception twice",
      file("", cart, "routes: [{ path: /a/*, upstream: next, except: [/a/:b, /a/:c] }]"),
      "11:56 routes[0].except[1]: expected each exception once: the same as routes[0].except[0]",
    ],
    [
      "an exception that is no path",
      file("", cart, "routes: [{ path: /a/*, upstream: next, except: [a] }]"),
      '11:49 routes[0].except[0]: expected a path that starts with /; found "a"',
    ],
    [
      "a default of what is no host",
      file("", cart, "hosts: { 'shop.my:80': { default: next } }"),
      '11:10 hosts["shop.my:80"]: expected a host without a port: every port counts',
    ],
    [
      "a host's default that is no upstream",
      file("", cart, "hosts: { 'shop.my': { default: nowhere } }"),
      `11:32 hosts["shop.my"].default: ${name}; found "nowhere"`,
    ],
    [
      "a host without a default",
      file("", cart, "hosts: { my: {} }"),
      '11:10 hosts["my"].default: expected a text; found nothing',
    ],
    [
      "hosts that are one",
      file("", cart, "hosts: { my: { default: next }, MY: { default: old } }"),
      '11:33 hosts["MY"]: expected each host once: the same as hosts["my"]',
    ],
    [
      "TLS that is neither one nor a list",
      file("", cart, "listeners: { proxy: { tls: a } }"),
      "11:28 listeners.proxy.tls: expected { cert, key }, or a list of these; found a text",
    ],
    [
      "a list of no certificates",
      file("", cart, "listeners: { proxy: { tls: [] } }"),
      "11:28 listeners.proxy.tls: expected a list that is not empty",
    ],
    [
      "a certificate of a list without its key",
      file("", cart, "listeners: { proxy: { tls: [{ cert: a }] } }"),
      "11:29 listeners.proxy.tls[0].key: expected a text; found nothing",
    ],
    [
      "another word for the other side",
      file("", "[{ name: a, path: /a, orElse: legacy }]"),
      '10:43 cutovers.shop.routes[0].orElse: expected other; found "legacy"',
    ],
    [
      "files of a route that is for writing",
      file("", "[{ name: a, path: /a, methods: [POST, PUT], orElse: other }]"),
      '10:65 cutovers.shop.routes[0].orElse: expected GET or HEAD among the methods; found "other"',
    ],
    ...["payment: true", "learns: true, methods: [GET]", "learns: true, failure: { status: 404 }"].map(
      (key): [string, string, string] => [
        `files of a route with ${key}`,
        file(
          "owners: [{ key: 'param:id', learn: ['json:/id'] }],",
          `[{ name: a, path: '/a/:id', ${key}, orElse: other }]`,
        ),
        'cutovers.shop.routes[0].orElse: expected a route of files: no journey, payment, learns, finishes or failure; found "other"',
      ],
    ),
  ])("%s", (_, text, problem) => {
    expect(problemsOf(text)[0]).toContain(problem);
    expect(problemsOf(text)).toHaveLength(1);
  });

  test("one pattern may stand for several hosts, each its own", () => {
    const two =
      "[{ name: a, path: /a, hosts: [shop.my] }, { name: b, path: /a, hosts: ['*.my'] }, { name: c, path: /a }]";
    expect(problemsOf(file("", two))).toEqual([]);
  });
});

describe("check warns of hosts and routes that are probably not meant", () => {
  test.each<[what: string, text: string, warning: string]>([
    [
      "a host that another one covers",
      file("hosts: ['*.my', shop.my],", cart),
      "9:21 cutovers.shop.hosts[1]: it is one of *.my already",
    ],
    [
      "a cutover's host that none of its routes is for",
      file("hosts: [shop.my, shop.id],", "[{ name: a, path: /a, hosts: [shop.my] }]"),
      "9:22 cutovers.shop.hosts[1]: no route of this cutover is for it: each names hosts of its own",
    ],
    [
      "a fixed route in the middle of a cutover's",
      file("", cart, "routes: [{ path: /cart/help, upstream: next }]"),
      "11:12 routes[0].path: this route takes some of the requests of cutovers.shop.routes[0]: these move with no percent",
    ],
    [
      "a fixed route with all of a host",
      file("", cart, "routes: [{ path: /*, hosts: [shop.my], upstream: next }]"),
      "11:12 routes[0].path: this route takes all requests for shop.my of cutovers.shop.routes[0]: these move with no percent",
    ],
    [
      "a fixed route with a part of a host",
      file("", cart, "routes: [{ path: /cart/a/*, hosts: [shop.my], upstream: next }]"),
      "11:12 routes[0].path: this route takes some of the requests for shop.my of cutovers.shop.routes[0]: these move with no percent",
    ],
    [
      "a fixed route for one of a cutover's wildcard",
      file("hosts: ['*.my'],", cart, "routes: [{ path: /*, hosts: [shop.my], upstream: next }]"),
      "11:12 routes[0].path: this route takes all requests for shop.my of",
    ],
    [
      "a fixed route before several",
      file(
        "",
        "[{ name: a, path: /a }, { name: b, path: /b }]",
        "routes: [{ path: /*, hosts: [shop.my], upstream: next }]",
      ),
      "of cutovers.shop.routes[0], and of 1 more routes: these move with no percent",
    ],
    [
      "a default behind a route of every path",
      file("", cart, "hosts: { my: { default: next } }", "routes: [{ path: /*, upstream: next }]"),
      '11:16 hosts["my"].default: nothing goes there: routes[0] takes every path of this host',
    ],
  ])("%s", (_, text, warning) => {
    expect(warningsOf(text)).toEqual([expect.stringContaining(warning)]);
  });

  test.each<[what: string, text: string]>([
    ["a fixed route beside", file("", cart, "routes: [{ path: /help/*, upstream: next }]")],
    ["one behind the cutover's", file("", cart, "routes: [{ path: /*, upstream: next }]")],
    [
      "one that excepts the cutover's",
      file(
        "",
        "[{ name: a, path: /cart/a }]",
        "routes: [{ path: /*, hosts: [my], upstream: next, except: [/cart/*] }]",
      ),
    ],
    [
      "one for hosts that the cutover is not for",
      file("hosts: [shop.id],", cart, "routes: [{ path: /*, hosts: [shop.my], upstream: next }]"),
    ],
    [
      "one of other methods",
      file(
        "",
        "[{ name: a, path: '/cart/:id', methods: [POST] }]",
        "routes: [{ path: /cart/help, methods: [GET], upstream: next }]",
      ),
    ],
    [
      "a default beside routes",
      file(
        "",
        cart,
        "hosts: { my: { default: next } }",
        "routes: [{ path: /a/*, hosts: [my], upstream: next }]",
      ),
    ],
  ])("not of %s", (_, text) => expect(warningsOf(text)).toEqual([]));

  test("of another cutover that has all of a host", () => {
    const text = file("", cart).replace(
      "] } }\n",
      "] },\n  id: { legacy: old, new: next, shopper: ['cookie:sid', visitor], hosts: [shop.id], routes: [{ name: all, path: /* }] } }\n",
    );
    expect(warningsOf(text)).toEqual([
      expect.stringContaining(
        "cutovers.id.routes[0].path: this route takes all requests for shop.id of cutovers.shop.routes[0]",
      ),
    ]);
  });
});

test("the example of docs/operations.md loads, without a warning but of what it leaves to its default", () => {
  const text = readFileSync(new URL("../../../../docs/operations.md", import.meta.url), "utf8");
  const [, section = ""] = text.split("\n## Hosts, and what moves with no cutover\n");
  const [, example = ""] = /^```yaml\n([\s\S]*?)^```$/m.exec(section) ?? [];
  const head = least.replaceAll("old", "social-shop").replaceAll("next", "marketplace");
  expect(warningsOf(`${head}${example}`)).toEqual([
    expect.stringContaining("default: what is on no route goes to the legacy of malaysia"),
  ]);
});

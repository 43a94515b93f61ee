import { hash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { isLoopback } from "../../../../src/config/checks/access-checks.ts";
import { guardActor } from "../../../../src/guard/watch/act.ts";
import { configOf, least, problemsOf, warningsOf, withCutover } from "../support.ts";

const sha = (digit: string) => digit.repeat(64);

describe("upstreams", () => {
  test("default, legacy and new name an upstream", () => {
    const text = withCutover("routes: [{ name: a, path: /a }]")
      .replace("default: next", "default: constructor")
      .replace("legacy: old", "legacy: a")
      .replace("new: next", "new: b");
    expect(problemsOf(text)).toEqual([
      `c.yaml:4:10 default: expected an upstream's name: old or next; found "constructor"`,
      `c.yaml:7:13 cutovers.shop.legacy: expected an upstream's name: old or next; found "a"`,
      `c.yaml:8:10 cutovers.shop.new: expected an upstream's name: old or next; found "b"`,
    ]);
  });

  test("legacy and new differ", () => {
    const text = withCutover("routes: [{ name: a, path: /a }]").replace("new: next", "new: old");
    expect(problemsOf(text)).toEqual([
      'c.yaml:8:10 cutovers.shop.new: expected another upstream than legacy; found "old"',
    ]);
  });

  test("an upstream that is wrong still counts as named", () => {
    const text = withCutover("routes: [{ name: a, path: /a }]").replace("http://127.0.0.1:7002", "nonsense");
    expect(problemsOf(text)).toHaveLength(1);
  });
});

describe("what an upstream has set", () => {
  const set = (text: string) => least.replace('7001" }', `7001", set: ${text} }`);

  test.each(["X-Real-IP", "True-Client-IP", "X-Client-IP", "X-Original-Client"])("may be %s", (name) => {
    expect(problemsOf(set(`{ ${name}: client-address }`))).toEqual([]);
  });

  test.each([
    ...[
      "Connection",
      "keep-alive",
      "TE",
      "Trailer",
      "Transfer-Encoding",
      "Content-Length",
      "Upgrade",
      "Host",
    ],
    ...["Cookie", "Expect", "Proxy-Authorization", "Proxy-Connection", "Via", "CDN-Loop", "Forwarded"],
    ...["X-Forwarded-For", "x-forwarded-proto", "X-Forwarded-Host", "X-Request-Id", "traceparent"],
  ])("is not %s", (name) => {
    expect(problemsOf(set(`{ ${name}: client-address }`))).toEqual([
      `c.yaml:2:47 upstreams.old.set.${name}: expected a field that neither HTTP nor this proxy has a meaning for`,
    ]);
  });

  test("is known by its name, in any case, and says what it is set to", () => {
    expect(problemsOf(set("{ x-a: client-address, X-A: client-address }"))).toEqual([
      "c.yaml:2:68 upstreams.old.set.X-A: expected each field once: the same as upstreams.old.set.x-a",
    ]);
    expect(problemsOf(set("{ X_A: client-address }"))).toEqual([
      "c.yaml:2:47 upstreams.old.set.X_A: expected a header name",
    ]);
    expect(problemsOf(set("{ X-A: me }"))).toEqual([
      'c.yaml:2:52 upstreams.old.set.X-A: expected client-address; found "me"',
    ]);
  });
});

describe("listeners", () => {
  const listeners = (proxy: string, admin: string) =>
    `${least}listeners:\n  proxy: ${proxy}\n  admin: ${admin}\n`;
  const tokens = `auth: { tokens: [{ name: a, role: admin, sha256: "${sha("a")}" }] }\n`;

  test.each([
    ["{ port: 80 }", "{ port: 80 }"],
    ["{ host: 0.0.0.0, port: 80 }", "{ port: 80 }"],
    ["{ host: localhost, port: 80 }", "{ port: 80 }"],
    ["{ port: 9900 }", "{ host: localhost }"],
  ])("cannot share host and port: %s %s", (proxy, admin) => {
    const problems = problemsOf(listeners(proxy, admin));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain("listeners.admin.port: expected another port than listeners.proxy has");
  });

  test("may both be 0, or share a port on two addresses", () => {
    expect(problemsOf(listeners("{ port: 0 }", "{ port: 0 }"))).toEqual([]);
    expect(problemsOf(listeners("{ host: 127.0.0.2, port: 80 }", "{ port: 80 }"))).toEqual([]);
  });

  test("a target is in the head: it is no larger, and both have bounds", () => {
    const limits = (text: string) => problemsOf(`${least}limits: ${text}\n`);
    expect(limits("{ head: 64KiB, target: 64KiB }")).toEqual([]);
    expect(limits("{ head: 1KiB }")).toEqual([
      "c.yaml:5:1 limits.target: expected a size of at most limits.head",
    ]);
    expect(limits("{ target: 17KiB }")).toEqual([
      'c.yaml:5:19 limits.target: expected a size of at most limits.head; found "17KiB"',
    ]);
    expect(limits("{ head: 65KiB }")).toEqual([
      'c.yaml:5:17 limits.head: expected a size from 1KiB to 64KiB; found "65KiB"',
    ]);
    expect(limits("{ target: 255B }")).toEqual([
      'c.yaml:5:19 limits.target: expected a size from 256B to 64KiB; found "255B"',
    ]);
  });

  test("PROXY headers are read from trusted proxies alone: there must be some", () => {
    const text = listeners("{ proxyProtocol: true }", "{}");
    expect(problemsOf(text)).toEqual([
      "c.yaml:6:27 listeners.proxy.proxyProtocol: expected trustedProxies: a PROXY header is read from them alone; found true",
    ]);
    expect(problemsOf(`${text}trustedProxies: [10.0.0.0/8]\n`)).toEqual([]);
  });

  test("an admin API without tokens stays on loopback", () => {
    expect(problemsOf(listeners("{}", "{ host: 0.0.0.0 }"))).toEqual([
      'c.yaml:7:18 listeners.admin.host: expected a loopback address such as 127.0.0.1 while auth is none; found "0.0.0.0"',
    ]);
    expect(problemsOf(`${listeners("{}", "{ host: 0.0.0.0 }")}${tokens}`)).toEqual([]);
  });

  test.each(["127.0.0.1", "127.9.9.9", "localhost", "LOCALHOST", "::1", "0:0:0:0:0:0:0:1"])(
    "%s is loopback",
    (host) => {
      expect(isLoopback(host)).toBe(true);
    },
  );
  test.each([
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "example.org",
    "localhost.example.org",
    "127.1.example",
    "128.0.0.1",
  ])("%s is not loopback", (host) => {
    expect(isLoopback(host)).toBe(false);
  });

  test("the port is none that browsers refuse: the page would be blank, and nothing say why", () => {
    const at = (port: number) => problemsOf(`${least}listeners: { admin: { port: ${port} } }\n`);
    for (const port of [1, 6000, 6667, 10_080]) {
      expect(at(port)).toEqual([
        `c.yaml:5:29 listeners.admin.port: expected another port: browsers refuse to open this one; found ${port}`,
      ]);
    }
    expect([0, 80, 443, 6001, 9900].flatMap(at)).toEqual([]);
  });

  test("two tokens cannot have one secret", () => {
    const entry = (name: string, digit: string) => `{ name: ${name}, role: viewer, sha256: "${sha(digit)}" }`;
    const text = (second: string) =>
      `${least}auth:\n  tokens:\n    - ${entry("a", "a")}\n    - ${entry("b", second)}\n`;
    expect(problemsOf(text("b"))).toEqual([]);
    expect(problemsOf(text("a"))).toEqual([
      "c.yaml:8:40 auth.tokens[1].sha256: expected a secret of its own for each token: the same as auth.tokens[0].sha256",
    ]);
  });
});

test.each(["anonymous", "doctor", guardActor.name, "plan"])(
  "no token has the program's own name %s",
  (name) => {
    const text = (its: string) =>
      `${least}auth:\n  tokens:\n    - { name: ops, role: viewer, sha256: "${sha("a")}" }\n    - { name: ${its}, role: viewer, sha256: "${sha("b")}" }\n`;
    expect(problemsOf(text(`${name}-2`))).toEqual([]);
    expect(problemsOf(text(name))).toEqual([
      `c.yaml:8:15 auth.tokens[1].name: expected another name: the history calls the program itself so`,
    ]);
  },
);

describe("four eyes", () => {
  const limited = (over: string) =>
    withCutover("routes: [{ name: a, path: /a }]", `approval: { over: ${over} }`);
  const tokens = `auth: { tokens: [{ name: a, role: admin, sha256: "${sha("a")}" }] }\n`;

  test("need people who sign in", () => {
    expect(problemsOf(limited("10"))).toEqual([
      expect.stringContaining("approval: expected auth to name people: nobody could approve a raise"),
    ]);
    expect(problemsOf(limited("10") + tokens)).toEqual([]);
  });

  test.each(["-1", "101", "0.0001", "ten"])("have no limit of %s points", (over) => {
    expect(problemsOf(limited(over) + tokens)).toEqual([
      expect.stringContaining("approval.over: expected a number"),
    ]);
  });
});

describe("an OIDC issuer", () => {
  const text = (oidc: string) => `${least}auth:\n  oidc: { ${oidc} }\n`;
  const rest = "audience: cutover, claim: groups, roles: { sre: operator }";

  test("is reached by https, and by http on loopback alone", () => {
    for (const url of [
      "https://id.example/realms/shop",
      "http://127.0.0.1:1",
      "http://[::1]:1",
      "http://localhost",
    ]) {
      expect(problemsOf(text(`issuer: "${url}", ${rest}`))).toEqual([]);
      expect(problemsOf(text(`issuer: "https://id.example", jwksUri: "${url}", ${rest}`))).toEqual([]);
    }
    expect(problemsOf(text(`issuer: "http://id.example", jwksUri: "http://10.0.0.1/keys", ${rest}`))).toEqual(
      [
        "c.yaml:6:19 auth.oidc.issuer: expected https: http is for loopback alone",
        "c.yaml:6:49 auth.oidc.jwksUri: expected https: http is for loopback alone",
      ],
    );
    expect(problemsOf(text(`issuer: "https://id.example?a=b", ${rest}`))).toEqual([
      "c.yaml:6:19 auth.oidc.issuer: expected https://HOST/PATH without user, query or fragment",
    ]);
  });

  test("sends people to a page whose address is https, or of loopback", () => {
    const page = (url: string) =>
      text(`issuer: "https://id.example", ${rest}, page: { clientId: page, url: "${url}" }`);
    expect(problemsOf(page("https://cutover.example"))).toEqual([]);
    expect(problemsOf(page("http://127.0.0.1:9900"))).toEqual([]);
    expect(problemsOf(page("http://cutover.example"))[0]).toContain(
      "auth.oidc.page.url: expected https: http is for loopback alone",
    );
    expect(problemsOf(page("https://cutover.example/console"))[0]).toContain(
      "auth.oidc.page.url: expected http",
    );
  });

  test("gives at least one role", () => {
    const none = 'issuer: "https://id.example", audience: cutover, claim: groups, roles: {}';
    expect(problemsOf(text(none))).toEqual([
      "c.yaml:6:82 auth.oidc.roles: expected a mapping that is not empty",
    ]);
  });
});

test("requests on no route that go to the legacy of a cutover, also after its close, are a warning", () => {
  const text = withCutover("routes: [{ name: a, path: /a }]");
  expect(warningsOf(text)).toEqual([]);
  expect(warningsOf(text.replace("default: next", "default: old"))).toEqual([
    expect.stringMatching(/^c\.yaml:4:1 default: what is on no route goes to the legacy of shop, also once/),
  ]);
});

describe("nothing is on no route where one takes everything", () => {
  const warnings = (route: string, more = "") =>
    warningsOf(
      `${withCutover(`routes: [{ name: a, path: /a }, ${route}]`).replace("default: next", "default: old")}${more}`,
    ).filter((text) => text.includes(" default: what is on no route"));

  test("so that there is no such warning", () => {
    expect(warnings("{ name: all, path: '/*' }")).toEqual([]);
    expect(warnings("{ name: b, path: /b }", "routes: [{ path: '/*', upstream: next }]\n")).toEqual([]);
  });

  test.each([
    ["{ name: all, path: '/*', methods: [GET] }", ""],
    ["{ name: all, path: '/*', hosts: [a.example] }", ""],
    ["{ name: all, path: '/*', when: { query: a=b } }", ""],
    ["{ name: all, path: '/b/*' }", ""],
    ["{ name: b, path: /b }", "routes: [{ path: '/*', except: [/c], upstream: next }]\n"],
  ])("but for %s%s there is", (route, more) => {
    expect(warnings(route, more)).toHaveLength(1);
  });
});

describe("journeys", () => {
  const other = (journey: string) =>
    `  other: { legacy: old, new: next, shopper: ["cookie:sid"], routes: [{ name: b, path: /b, journey: start }], journey: ${journey} }\n`;
  const first = (journey: string) =>
    withCutover("routes: [{ name: a, path: /a, journey: start }]", `journey: ${journey}`);

  test.each([
    ["{}", "{}"],
    ["{}", "{ cookie: cutover_journey }"],
    ["{ cookie: j }", "{ cookie: j }"],
  ])("two cutovers cannot have one cookie name: %s %s", (one, two) => {
    const problems = problemsOf(`${first(one)}${other(two)}`);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(
      /^c\.yaml:12:\d+ cutovers\.other\.journey\.cookie: expected a cookie of its own/,
    );
  });

  test.each(["cutover_session", "__Secure-cutover_session", "cutover_sign_in"])(
    "a journey cookie is none of the page's: %s would be taken out of every request",
    (name) => {
      expect(problemsOf(first(`{ cookie: ${name}, secure: always }`))[0]).toMatch(
        /journey\.cookie: expected another name: the admin API's page has a cookie of it/,
      );
    },
  );

  test("two cutovers with two cookie names are fine", () => {
    expect(problemsOf(`${first("{}")}${other("{ cookie: j }")}`)).toEqual([]);
  });

  test("a route cannot start or end a journey there is none of", () => {
    const text = withCutover(
      "routes:",
      "  - { name: a, path: /a, journey: start }",
      "  - { name: b, path: /b, journey: end }",
    );
    expect(problemsOf(text)).toEqual([
      'c.yaml:11:39 cutovers.shop.routes[0].journey: expected a journey block in this cutover; found "start"',
      'c.yaml:12:39 cutovers.shop.routes[1].journey: expected a journey block in this cutover; found "end"',
    ]);
  });

  test("ttl is at most maxTtl", () => {
    expect(problemsOf(first("{ ttl: 5h }"))).toEqual([
      'c.yaml:11:21 cutovers.shop.journey.ttl: expected a ttl of at most maxTtl; found "5h"',
    ]);
    expect(problemsOf(first("{ ttl: 4h }"))).toEqual([]);
  });

  test.each([
    ["{ cookie: __Host-j }", "journey.cookie: expected secure: always"],
    ["{ cookie: __secure-j }", "journey.cookie: expected secure: always"],
    ["{ cookie: __Host-j, secure: always, domain: shop.example }", "journey.cookie: expected no domain"],
    ["{ sameSite: none }", "journey.sameSite: expected secure: always"],
  ])("a cookie that every browser would drop is refused: %s", (journey, problem) => {
    const problems = problemsOf(first(journey));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  test.each([
    "{ cookie: __Host-j, secure: always }",
    "{ cookie: __Secure-j, secure: always, domain: shop.example }",
    "{ sameSite: none, secure: always }",
    "{ sameSite: lax, domain: shop.example }",
  ])("a cookie that browsers keep is fine: %s", (journey) => {
    expect(problemsOf(first(journey))).toEqual([]);
  });

  test.each(["{ cookie: __Host-j }", "{ sameSite: none }"])(
    "behind a trusted balancer that may speak https, so is %s",
    (journey) => {
      expect(problemsOf(`${first(journey)}trustedProxies: [10.0.0.0/8]\n`)).toEqual([]);
    },
  );

  test("a journey no route starts is a warning, a short secret too", () => {
    const text = withCutover("routes: [{ name: a, path: /a, methods: [PUT] }]", "journey: { secret: abc }");
    expect(warningsOf(text)).toEqual([
      "c.yaml:11:5 cutovers.shop.journey: no route has journey: start, so no journey ever begins",
      "c.yaml:11:16 cutovers.shop.journey.secret: a secret shorter than 16 characters can be guessed",
    ]);
    const long = first(`{ secret: "${"s".repeat(16)}" }`).replace("cookie:sid", "query:sid");
    expect(warningsOf(long)).toEqual([]);
  });
});

describe("routes", () => {
  test("names are unique within a cutover", () => {
    const text = withCutover("routes:", "  - { name: a, path: /a }", "  - { name: a, path: /b }");
    expect(problemsOf(text)).toEqual([
      'c.yaml:12:17 cutovers.shop.routes[1].name: expected a name of its own for each route: the same as cutovers.shop.routes[0].name; found "a"',
    ]);
  });

  test.each([
    ["path: /a", "path: /a"],
    ["path: '/a/*'", "path: '/a/*', methods: [GET]"],
    ["path: '/a/:id'", "path: '/a/:other'"],
    ["path: /a, methods: [GET, POST]", "path: /a, methods: [PUT, POST]"],
  ])("two cannot claim the same requests: { %s } { %s }", (one, two) => {
    const text = withCutover("routes:", `  - { name: a, ${one} }`, `  - { name: b, ${two} }`);
    const problems = problemsOf(text);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(
      "c.yaml:12:26 cutovers.shop.routes[1].path: expected a path, or methods, of its own",
    );
  });

  test.each([
    ["path: /a", "path: /a/"],
    ["path: '/a/*'", "path: /a"],
    ["path: '/a/:id'", "path: /a/id"],
    ["path: /a, methods: [GET]", "path: /a, methods: [POST]"],
  ])("these differ: { %s } { %s }", (one, two) => {
    expect(problemsOf(withCutover("routes:", `  - { name: a, ${one} }`, `  - { name: b, ${two} }`))).toEqual(
      [],
    );
  });

  test("nor can routes of two cutovers", () => {
    const text = `${withCutover("routes: [{ name: a, path: /a }]")}  other: { legacy: old, new: next, shopper: ["cookie:sid"], routes: [{ name: a, path: /a }] }\n`;
    const problems = problemsOf(text);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain("cutovers.other.routes[0].path");
    expect(problems[0]).toContain("the same as cutovers.shop.routes[0].path");
  });
});

describe("path parameters", () => {
  test("an owner's param: source needs a route that has it", () => {
    const text = withCutover(
      "routes: [{ name: a, path: '/a/:id', payment: true }]",
      "owners:",
      '  - { key: "param:order" }',
      '  - { key: ["header:x", "param:order"], learn: ["param:no", "param:id"] }',
    );
    expect(problemsOf(text)).toEqual([
      'c.yaml:12:16 cutovers.shop.owners[0].key: expected a parameter that a route of this cutover has; found "param:order"',
      'c.yaml:13:29 cutovers.shop.owners[1].key[1]: expected a parameter that a route of this cutover has; found "param:order"',
      'c.yaml:13:53 cutovers.shop.owners[1].learn[0]: expected a parameter that a route of this cutover has; found "param:no"',
    ]);
  });

  test("a shopper's json: source on a route whose requests have no body is a warning", () => {
    const text = withCutover(
      "routes: [{ name: a, path: /a, methods: [GET] }, { name: b, path: /b }]",
    ).replace('["cookie:sid", visitor]', '["json:/user"]');
    expect(warningsOf(text)).toEqual([
      "c.yaml:9:15 cutovers.shop.shopper[0]: this source names no shopper on routes whose requests have no body: routes[0]",
    ]);
  });

  test("a shopper's source may have values that are none, and is checked as one without", () => {
    const of = (shopper: string, path = "/a") =>
      withCutover(`routes: [{ name: a, path: '${path}' }]`).replace('["cookie:sid", visitor]', shopper);
    expect(warningsOf(of('[{ source: header:x-id, except: [undefined, "null"] }]'))).toEqual([]);
    expect(problemsOf(of("[{ source: header:x-id, except: [undefined, null] }]"))).toEqual([
      "c.yaml:9:58 cutovers.shop.shopper[0].except[1]: expected a text: in quotes where it is null, true, false or a number; found nothing",
    ]);
    expect(problemsOf(of("[{ source: header:x-id, except: [] }]"))).toHaveLength(1);
    expect(problemsOf(of("[{ source: header:x-id, only: [a] }]"))).not.toEqual([]);
    expect(problemsOf(of("[{ source: 'header:x-id#(?!null)(.*)', except: [a] }]"))).toEqual([
      expect.stringMatching(
        /^c\.yaml:9:\d+ cutovers\.shop\.shopper\[0\]\.source: expected a regular expression/,
      ),
    ]);
    expect(warningsOf(of("[{ source: 'param:user', except: [a] }]"))).toEqual([
      expect.stringContaining("this source names no shopper on routes without the parameter: routes[0]"),
    ]);
  });

  test("a shopper's param: source that some route lacks is a warning", () => {
    const text = withCutover("routes: [{ name: a, path: '/a/:user' }, { name: b, path: /b }]").replace(
      '["cookie:sid", visitor]',
      '["param:user", "cookie:sid"]',
    );
    expect(warningsOf(text)).toEqual([
      "c.yaml:9:15 cutovers.shop.shopper[0]: this source names no shopper on routes without the parameter: routes[1]",
    ]);
  });
});

describe("what tells or waits for an owner", () => {
  const patterns = (text: string) =>
    withCutover(
      "routes: [{ name: a, path: /a }]",
      `owners: [{ key: "header:x", patterns: [{ pattern: '${text}', side: new }] }]`,
    );

  test.each(["^A", "^(?:A|B)-", "^A|^B", "^[|]", "^\\|"])("a pattern may be %s", (text) => {
    expect(warningsOf(patterns(text))).toEqual([]);
  });

  test.each(["A", "^A|B", "(?:^A)", "[A^]"])(
    "a pattern that may be found inside a key is a warning: %s",
    (text) => {
      expect(warningsOf(patterns(text))).toEqual([
        "c.yaml:11:46 cutovers.shop.owners[0].patterns[0].pattern: a pattern without ^ at its start also matches inside other keys",
      ]);
    },
  );

  test("an idempotency key kept for less than a day is a warning; an order is not, nor what is kept for long", () => {
    const owners = (...each: string[]) =>
      warningsOf(
        withCutover("routes: [{ name: a, path: /a, learns: true }]", `owners: [${each.join(", ")}]`),
      );
    expect(owners('{ key: "header:k", ttl: 23h }')).toEqual([
      "c.yaml:11:33 cutovers.shop.owners[0].ttl: a key claimed by use and kept for less than 24h: a later retry may run on the other side",
    ]);
    expect(
      owners('{ key: "header:k", ttl: 24h }', '{ key: "header:o", learn: ["json:/o"], ttl: 1h }'),
    ).toEqual([]);
    expect(owners('{ key: "header:k" }')).toEqual([]);
  });

  test("unknown: retry without owners is a warning", () => {
    const text = withCutover("routes: [{ name: a, path: /a, unknown: retry }]");
    expect(warningsOf(text)).toEqual([
      "c.yaml:10:35 cutovers.shop.routes[0].unknown: this cutover has no owners: there is nothing to wait for",
    ]);
  });

  test("spool: off is a warning where there are owners", () => {
    const owned = withCutover("routes: [{ name: a, path: /a }]", 'owners: [{ key: "header:x" }]');
    expect(warningsOf(`${owned}spool: off\n`)).toEqual([
      "c.yaml:12:1 spool: owners and notes of requests in doubt that could not be recorded are lost when this process ends before the store is back; killed it leaves in no doubt what it has sent within the last second or two",
    ]);
    expect(warningsOf(`${withCutover("routes: [{ name: a, path: /a }]")}spool: off\n`)).toEqual([]);
    expect(warningsOf(owned)).toEqual([]);
  });

  test("the engine http-proxy is a warning: it is dearer, and does not do all that undici does", () => {
    expect(warningsOf(`${least}engine: http-proxy\n`)).toEqual([
      "c.yaml:5:1 engine: http-proxy takes more CPU than undici, and sends repeated fields of a request next to each other, under the name of the first",
    ]);
    expect(warningsOf(`${least}engine: undici\n`)).toEqual([]);
  });

  test("an upstream that could hold every client connection", () => {
    const bounded = (max: number) =>
      least
        .replace('7001" }', `7001", concurrency: { max: ${max}, queue: 10 } }`)
        .concat("limits: { connections: 6000 }\n");
    expect(warningsOf(bounded(5990))).toEqual([
      "c.yaml:2:55 upstreams.old.concurrency.max: hung, this upstream could hold every client connection: limits.connections is no higher",
    ]);
    expect(warningsOf(bounded(5989))).toEqual([]);
  });

  test("each secret of a list is looked at", () => {
    const text = withCutover(
      "routes: [{ name: a, path: '/a/:id', journey: start }]",
      `journey: { secret: [${"s".repeat(16)}, short] }`,
    ).replace('"cookie:sid"', '"header:x-shopper"');
    expect(warningsOf(text)).toHaveLength(1);
    expect(warningsOf(text)[0]).toContain("journey.secret[1]: a secret shorter");
  });
});

describe("who names a shopper", () => {
  const end = 'owners: [{ key: "json:/id", learn: ["json:/id"] }]';
  const shop = (routes: string, shopper = '["cookie:sid"]', ...more: string[]) =>
    withCutover(`routes: [${routes}]`, "journey: {}", ...more).replace('["cookie:sid", visitor]', shopper);
  const start = "{ name: start, path: '/start', methods: [POST], journey: start }";
  const nameless = (text: string) =>
    warningsOf(text).flatMap((warning) => /names nobody: .* on (.*)\. Add visitor/.exec(warning)?.[1] ?? []);

  test.each([
    ["a start", start, ["routes[0]"]],
    ["a page", `${start}, { name: cart, path: '/cart/*' }`, ["routes[0], routes[1]"]],
    [
      "no step that names an order, no payment, no callback",
      `${start}, { name: order, path: '/orders/:id' }, { name: pay, path: /pay, payment: true }, { name: callback, path: /callback, methods: [POST] }`,
      ["routes[0]"],
    ],
  ])(
    "a route that a visitor may come to first is a warning where cookies alone name him: %s",
    (_, routes, expected) => {
      const owners = end.replace("json:/id", routes.includes(":id") ? "param:id" : "json:/id");
      expect(nameless(shop(routes, undefined, owners))).toEqual(expected);
      expect(nameless(shop(routes, '["cookie:account", "cookie:sid"]', owners))).toEqual(expected);
    },
  );

  test.each([
    ["a header", '["header:x-shopper", "cookie:sid"]'],
    ["a query", '["query:who"]'],
  ])("none is where %s may name him", (_, shopper) => {
    expect(nameless(shop(start, shopper, end))).toEqual([]);
  });

  test("cookies alone are a warning: most shops renew a session that they do not know", () => {
    const renewed = (shopper: string) =>
      warningsOf(shop(start, shopper, end)).filter((warning) => warning.includes("most shops renew"));
    expect(renewed('["cookie:sid"]')).toEqual([
      expect.stringMatching(/^c\.yaml:9:15 cutovers\.shop\.shopper\[0\]: .*; add visitor/),
    ]);
    expect(renewed('["cookie:account", "cookie:sid"]')).toHaveLength(1);
    expect(renewed('["cookie:account", visitor]')).toEqual([]);
    expect(renewed('["header:x-account", "cookie:sid"]')).toEqual([]);
  });

  test("a visitor has a cookie of his own, which browsers keep, and names no order", () => {
    const text = shop(start, '["header:x-account", visitor]', end);
    expect(problemsOf(text)).toEqual([]);
    const named = (cookie: string) => problemsOf(`${text}visitor: { ${cookie} }\n`);
    expect(named("cookie: __Host-v, secure: always, ttl: 30d, on: any")).toEqual([]);
    expect(named("cookie: cutover_journey")).toEqual([
      expect.stringContaining(
        "expected a cookie of its own for each journey, visit, link and force, and for visitors",
      ),
    ]);
    expect(named("cookie: __Host-v")[0]).toContain("visitor.cookie: expected secure: always");
    expect(named("sameSite: none")[0]).toContain("visitor.sameSite: expected secure: always");
    expect(problemsOf(text.replace('key: "json:/id"', "key: visitor"))[0]).toContain("expected header:NAME");
    expect(problemsOf(text.replace("visitor]", "visitors]"))[0]).toContain("or visitor");
  });

  test("a visit lasts for no longer than its maximum, and has a cookie of its own, which browsers keep", () => {
    const of = (visit: string) => problemsOf(`${shop(start, "[visitor]", end)}    visit: ${visit}\n`);
    expect(of("{}")).toEqual([]);
    expect(of("{ for: 10m, max: 2h, cookie: v, sameSite: lax }")).toEqual([]);
    expect(of("{ for: 2h, max: 10m }")).toEqual([
      expect.stringMatching(
        /^c\.yaml:\d+:\d+ cutovers\.shop\.visit\.for: expected a time of at most max; found "2h"$/,
      ),
    ]);
    expect(of("{ for: soon }")[0]).toMatch(/cutovers\.shop\.visit\.for: expected/);
    expect(of("{ idle: 5m }")[0]).toContain("cutovers.shop.visit.idle: unknown key");
    expect(of("{ cookie: cutover_journey }")[0]).toContain("expected a cookie of its own");
    expect(of("{ cookie: __Host-v }")[0]).toContain("visit.cookie: expected secure: always");
    expect(of("{ sameSite: none }")[0]).toContain("visit.sameSite: expected secure: always");
  });

  test("a link leads from a visitor to an account, and has a cookie of its own", () => {
    const of = (link: string, shopper = '["header:x-account", visitor]') =>
      problemsOf(`${shop(start, shopper, end)}    identity: { link: ${link} }\n`);
    expect(of("{}")).toEqual([]);
    expect(of("{ for: 2h, cookie: l }")).toEqual([]);
    for (const shopper of ['["header:x-account"]', "[visitor]", '[visitor, "header:x-account"]']) {
      expect(of("{}", shopper)).toEqual([
        expect.stringMatching(
          /^c\.yaml:\d+:\d+ cutovers\.shop\.identity\.link: expected visitor in shopper, behind what names an account/,
        ),
      ]);
    }
    expect(of("{ for: 1x }")[0]).toMatch(/cutovers\.shop\.identity\.link\.for: expected/);
    expect(of("{ max: 2h }")[0]).toContain("cutovers.shop.identity.link.max: unknown key");
    expect(of("{ cookie: cutover_journey }")[0]).toContain("expected a cookie of its own");
    expect(of("{ cookie: __Host-l }")[0]).toContain("identity.link.cookie: expected secure: always");
  });

  test("what names nobody goes to legacy, or to new at 100", () => {
    const of = (anonymous: string) =>
      problemsOf(`${shop(start, "[visitor]", end)}    anonymous: ${anonymous}\n`);
    expect([of("legacy"), of("new-at-100")]).toEqual([[], []]);
    expect(of("new")[0]).toMatch(/cutovers\.shop\.anonymous: expected legacy or new-at-100; found "new"$/);
  });

  test("a trusted header must be one that names shoppers, and have addresses", () => {
    const trusted = (value: string) => shop(start, '["header:x-shopper"]', `trustedShopper: ${value}`);
    expect(problemsOf(trusted("{ header: X-Shopper, from: [10.0.0.0/8, ::1] }"))).toEqual([]);
    expect(problemsOf(trusted("{ header: x-other, from: [10.0.0.0/8] }"))).toEqual([
      'c.yaml:12:31 cutovers.shop.trustedShopper.header: expected a header that names the shopper: one of shopper as header:x-other; found "x-other"',
    ]);
    expect(problemsOf(trusted("{ header: x-shopper, from: [] }"))).toHaveLength(1);
    expect(problemsOf(trusted("{ header: x-shopper }"))).toHaveLength(1);
    expect(problemsOf(trusted("{ header: x-shopper, from: [10.0.0.0/33] }"))).toHaveLength(1);
  });

  test("whom anybody may name is a warning where nothing can tell that he ends his own journey", () => {
    const routes = `${start}, { name: end, path: '/end/:id', methods: [POST], journey: end }`;
    const anybody = (...more: [string, ...string[]]) =>
      warningsOf(shop(routes, ...more)).filter((warning) => warning.includes("anybody may name"));
    expect(anybody('["header:x-shopper"]')).toHaveLength(1);
    expect(anybody('["header:x-shopper"]', 'owners: [{ key: "header:k" }]')).toHaveLength(1);
    expect(anybody('["header:x-shopper"]', end)).toEqual([]);
    expect(anybody('["cookie:sid"]')).toEqual([]);
    const trusted = "trustedShopper: { header: x-shopper, from: [10.0.0.0/8] }";
    expect(anybody('["header:x-shopper"]', trusted)).toEqual([]);
  });
});

describe("payments", () => {
  const warning = /payment: a payment with neither an owner key nor a journey/;
  const pay = "{ name: pay, path: '/pay/:id', payment: true }";

  test("with neither an owner key nor a journey are a warning", () => {
    const [only, ...others] = warningsOf(withCutover(`routes: [${pay}]`));
    expect(only).toMatch(warning);
    expect(only).toMatch(/^c\.yaml:10:\d+ cutovers\.shop\.routes\[0\]\.payment: /);
    expect(others).toEqual([]);
  });

  test("are kept by a key their route can carry, or by a journey", () => {
    expect(warningsOf(withCutover(`routes: [${pay}]`, 'owners: [{ key: "header:x" }]'))).toEqual([]);
    expect(warningsOf(withCutover(`routes: [${pay}]`, 'owners: [{ key: "param:id" }]'))).toEqual([]);
    const journey = withCutover(`routes: [${pay}, { name: b, path: /b, journey: start }]`, "journey: {}");
    expect(warningsOf(journey).join("\n")).not.toMatch(warning);
  });

  test("are not kept by a key only another route carries", () => {
    const text = withCutover(
      `routes: [${pay}, { name: b, path: '/b/:other' }]`,
      'owners: [{ key: "param:other" }]',
    );
    expect(warningsOf(text).join("\n")).toMatch(warning);
  });
});

describe("force", () => {
  const force = (header: string) =>
    withCutover("routes: [{ name: a, path: /a }]", `force: { header: ${header}, secrets: ["${sha("0")}"] }`);

  test.each(["Connection", "TE", "Transfer-Encoding", "content-length", "Host", "Cookie", "upgrade"])(
    "cannot take the header %s",
    (header) => {
      expect(problemsOf(force(header))).toEqual([
        "c.yaml:11:22 cutovers.shop.force.header: expected a header of its own: this one has a meaning in HTTP",
      ]);
    },
  );

  test.each(["Content-Length", "connection"])("nor can decisionHeader be %s", (header) => {
    expect(problemsOf(`${least}decisionHeader: ${header}\n`)).toEqual([
      `c.yaml:5:17 decisionHeader: expected a header of its own: this one has a meaning in HTTP; found "${header}"`,
    ]);
  });

  test("takes any other, in lower case", () => {
    expect(configOf(force("X-Side")).cutovers.shop?.force?.header).toBe("x-side");
  });

  test.each(["authorization", "x-forwarded-for", "content-type"])("shops need %s", (header) => {
    expect(problemsOf(force(header))).toHaveLength(1);
  });

  const declared = (of: string) => withCutover("routes: [{ name: a, path: /a }]", `force: { ${of} }`);
  const secrets = (...texts: string[]) =>
    `secrets: [${texts.map((text) => hash("sha256", text)).join(", ")}]`;

  test("names a header and a cookie that name nobody, and a cookie that no other has", () => {
    const shopper = (text: string) =>
      text.replace('["cookie:sid", visitor]', "['header:x-id', { source: cookie:sid, except: [a] }]");
    expect(problemsOf(shopper(declared(`header: x-id, cookie: sid, ${secrets("a long one")}`)))).toEqual([
      expect.stringMatching(
        /shop\.force\.header: expected a header of its own: this one names shoppers or keys/,
      ),
      expect.stringMatching(
        /shop\.force\.cookie: expected a cookie of its own: this one names shoppers or keys/,
      ),
    ]);
    const journey = "journey: { cookie: t, secret: 0123456789abcdef }";
    const both = `${declared(`header: x-f, cookie: t, ${secrets("a long one")}`)}    ${journey}\n`;
    expect(problemsOf(both)).toEqual([
      expect.stringMatching(/expected a cookie of its own for each journey/),
    ]);
    expect(problemsOf(declared(`header: x-f, cookie: __Host-t, ${secrets("a long one")}`))).toEqual([
      expect.stringMatching(/shop\.force\.cookie: expected TLS here or trustedProxies: browsers drop/),
    ]);
    expect(
      problemsOf(declared(`header: x-f, cookie: cutover_session, ${secrets("a long one")}`)),
    ).toHaveLength(1);
  });

  test("has a warning where its secret, or a token's, is one that everybody tries first", () => {
    const of = (...texts: string[]) => warningsOf(declared(`header: x-f, ${secrets(...texts)}`));
    expect(of("wR7-velvet-otter")).toEqual([]);
    expect(of("wR7-velvet-otter", "test")).toEqual([
      expect.stringMatching(
        /^c\.yaml:11:\d+ cutovers\.shop\.force\.secrets\[1\]: this secret is one that everybody tries first$/,
      ),
    ]);
    for (const text of ["", "Test123", "PASSWORD", "secret!", "shop", "next2026", "test\n"]) {
      expect(of(text), text).toHaveLength(1);
    }
    const token = `auth: { tokens: [{ name: a, role: admin, sha256: ${hash("sha256", "admin")} }] }\n`;
    expect(warningsOf(`${least.replace("default: old", "default: next")}${token}`)).toEqual([
      expect.stringMatching(/auth\.tokens\[0\]\.sha256: this secret is one/),
    ]);
  });
});

describe("owners learned from answers", () => {
  const learning = (route: string, owner: string) => withCutover(`routes: [${route}]`, `owners: [${owner}]`);
  const owner = '{ key: "param:id", learn: ["json:/id"] }';

  test("where no route learns are an error", () => {
    expect(problemsOf(learning("{ name: a, path: '/a/:id' }", owner))).toEqual([
      "c.yaml:11:40 cutovers.shop.owners[0].learn: expected a route that learns: one with journey: start, journey: end, payment: true or learns: true",
    ]);
    expect(
      problemsOf(learning("{ name: a, path: '/a/:id', payment: true, learns: false }", owner)),
    ).toHaveLength(1);
  });

  test.each(["payment: true", "learns: true"])("are in order where a route says %s", (says) => {
    expect(problemsOf(learning(`{ name: a, path: '/a/:id', ${says} }`, owner))).toEqual([]);
  });

  test("from a Location, where no parameter names the order in a path, are a warning", () => {
    const from = (key: string, source: string) =>
      warningsOf(
        learning("{ name: a, path: '/a/:id', payment: true }", `{ key: "${key}", learn: ["${source}"] }`),
      );
    expect(from("json:/id", "header:location")).toEqual([
      "c.yaml:11:41 cutovers.shop.owners[0].learn[0]: nothing is learned from a Location where no param: key names the order in a path",
    ]);
    expect(from("json:/id", "header:location#id=([0-9]+)")).toEqual([]);
    expect(from("param:id", "header:location")).toEqual([]);
  });
});

describe("which answers count", () => {
  const journey = "journey: { secret: 0123456789abcdef }";
  const order = '{ key: "json:/order_id", learn: ["json:/orderId"] }';
  const shop = (route: string, ...owners: string[]) =>
    withCutover(`routes: [{ name: a, path: /a, ${route} }]`, `owners: [${owners.join(", ")}]`, journey);
  const begin = "journey: start";

  test.each([
    'journey: { start: { when: "status:2xx,409" } }',
    'journey: { start: { unless: ["json:/errors", "header:x-failed=1"] }, end: { when: "json:/paid" } }',
    'journey: start, learns: { when: "json:/made" }',
    'journey: start, finishes: { when: "status:3xx", unless: "body:#declined" }',
    "journey: start, finishes: false",
  ])("%s is in order", (route) => {
    expect(problemsOf(shop(route, order))).toEqual([]);
  });

  test.each([
    ['when: "json:/a"', "routes[0].when: expected a mapping"],
    ["journey: { start: {} }", "routes[0].journey.start: expected when, unless, or both"],
    ["journey: {}", "routes[0].journey: expected start, end, or both"],
    ["journey: { pay: { when: 1 } }", "routes[0].journey.pay: unknown key: expected one of start, end"],
    ["journey: both", "routes[0].journey: expected start, end, or a mapping"],
    ['journey: { end: { when: "jsn:/a" } }', "routes[0].journey.end.when: expected status:2xx,303"],
    [
      'journey: { end: { when: ["json:/a", "json:b"] } }',
      "routes[0].journey.end.when[1]: expected a JSON pointer",
    ],
    [
      'journey: { end: { when: "header:x#(?=a)" } }',
      "routes[0].journey.end.when: expected a regular expression",
    ],
    [
      'journey: start, learns: { when: "status:404" }',
      "routes[0].learns.when: expected statuses of 2xx and 3xx",
    ],
  ])("%s is refused where it stands", (route, problem) => {
    const problems = problemsOf(shop(route, order)).join("\n");
    expect(problems).toContain(`shop.${problem}`);
    expect(problems).toMatch(/^c\.yaml:10:\d+ /m);
  });

  test("without a journey, or without an order, there is nothing that an answer could do", () => {
    const route = 'routes: [{ name: a, path: /a, journey: { end: { when: "json:/a" } } }]';
    expect(problemsOf(withCutover(route)).join()).toContain("expected a journey block");
    expect(problemsOf(shop('journey: start, learns: { when: "json:/a" }')).join()).toContain(
      "routes[0].learns: expected an owner with learn",
    );
    for (const finishes of ["true", '{ when: "json:/a" }']) {
      for (const owner of ['{ key: "header:k" }', order.replace("}", ", what: other }")]) {
        expect(problemsOf(shop(`${begin}, finishes: ${finishes}`, owner)).join()).toContain(
          "routes[0].finishes: expected an owner with learn that is an order or a cart",
        );
      }
      const cart = order.replace("}", ", what: cart }");
      expect(problemsOf(shop(`${begin}, finishes: ${finishes}`, cart))).toEqual([]);
    }
  });

  test("where an owner is learned must be a route that learns", () => {
    const on = (routes: string, ...names: string[]) =>
      withCutover(routes, `owners: [${order.replace("}", `, on: [${names.join(", ")}] }`)}]`);
    const routes =
      "routes: [{ name: a, path: /a }, { name: b, path: /b, learns: false }, { name: c, path: /c, methods: [GET] }]";
    expect(problemsOf(on(routes, "a"))).toEqual([]);
    expect(problemsOf(on(routes, "a", "nowhere")).join()).toContain(
      "owners[0].on[1]: expected the name of a route of this cutover",
    );
    expect(problemsOf(on(routes, "b")).join()).toContain("owners[0].on[0]: expected another route");
    expect(warningsOf(on(routes, "c")).join()).toContain("owners[0].on[0]: nothing is learned there");
    expect(warningsOf(on(routes.replace("[GET]", "[GET], learns: true"), "c"))).toEqual([]);
  });

  test("a key that is claimed by use is learned nowhere, and is no cart", () => {
    expect(problemsOf(shop(begin, '{ key: "header:k", on: [a] }')).join()).toContain(
      "owners[0].on: expected learn",
    );
    expect(problemsOf(shop(begin, '{ key: "header:k", what: cart }')).join()).toContain(
      "owners[0].what: expected learn",
    );
  });
});

test("a lenient upstream is named", () => {
  expect(warningsOf(least.replace('7001" }', '7001", lenient: true }'))).toContainEqual(
    expect.stringMatching(
      /^c\.yaml:2:\d+ upstreams\.old\.lenient: answers with an equal Content-Length twice/,
    ),
  );
  expect(warningsOf(least.replace('7001" }', '7001", lenient: false }')).join()).not.toContain("lenient");
});

test.each([
  ["redis://h/0", "redis://H:6379", "the same as store: owners are kept there without it"],
  ["redis://h", "redis://h/1", "another database of the same Redis as store: what fills one fills the other"],
  ["redis://h", "memory:", "the instances share the Redis of store, and no owners: each has its own"],
  ["redis://h", "redis://other", undefined],
  ["memory:", "redis://h", undefined],
])("store %s and owners.store %s: %s", (store, own, message) => {
  const owners = `owners: { store: "${own}", keys: [{ key: "header:x", ttl: 24h }] }`;
  const text = `store: "${store}"\n${withCutover(`routes: [{ name: a, path: /a }]`, owners)}`;
  const told = warningsOf(text).filter((line) => line.includes("owners.store"));
  expect(told).toEqual(message === undefined ? [] : [expect.stringContaining(message)]);
});

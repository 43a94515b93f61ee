import { describe, expect, test } from "vitest";
import { configHash } from "../../../../src/config/hash.ts";
import { configOf, problemsOf, readText } from "../support.ts";

/** Lines of `upstreams.next.rewrite`, from line 7 on. */
function withRewrite(...lines: readonly string[]): string {
  return [
    "upstreams:",
    '  old: { url: "http://127.0.0.1:7001" }',
    "  next:",
    '    url: "http://127.0.0.1:7002"',
    "    set: { X-Real-IP: client-address }",
    "    rewrite:",
    ...lines.map((line) => `      ${line}`),
    "default: old",
    "cutovers:",
    "  shop:",
    "    legacy: old",
    "    new: next",
    '    shopper: ["header:x-account", visitor]',
    '    routes: [{ name: pay, path: "/orders/:orderId/pay", methods: [POST] }]',
    "",
  ].join("\n");
}

/** As it stands in the file. */
const variable = (name: string) => `\${${name}}`;
const rule = (from: string, to: string) => `  - { from: "${from}", to: "${to}" }`;
const fields = "neither the connection's, nor the body's, nor this proxy's own";

describe("check names the line of each wrong rewrite", () => {
  test.each<[string, readonly string[], string]>([
    ["an unknown key", ["paths: []"], "7:7 upstreams.next.rewrite.paths: unknown key"],
    [
      "a rule without its other end",
      ["path:", '  - { from: "/a" }'],
      "8:11 upstreams.next.rewrite.path[0].to: expected",
    ],
    [
      "a path that does not begin with a slash",
      ["path:", rule("a", "/b")],
      "8:19 upstreams.next.rewrite.path[0].from: expected a path that starts with /",
    ],
    [
      "a path with a query",
      ["path:", rule("/a", "/b?c=1")],
      "8:29 upstreams.next.rewrite.path[0].to: expected a path without query",
    ],
    [
      "a path with dot segments",
      ["path:", rule("/a", "/b/../c")],
      "8:29 upstreams.next.rewrite.path[0].to: expected a path without dot segments",
    ],
    [
      "* within a path",
      ["path:", rule("/a/*/b", "/b")],
      "8:19 upstreams.next.rewrite.path[0].from: expected * only as the last segment",
    ],
    [
      "a prefix for a whole path",
      ["path:", rule("/a", "/b/*")],
      "8:29 upstreams.next.rewrite.path[0].to: expected * at the end of both",
    ],
    [
      "a whole path for a prefix",
      ["path:", rule("/a/*", "/b")],
      "8:31 upstreams.next.rewrite.path[0].to: expected * at the end of both",
    ],
    [
      "a parameter that gets lost",
      ["path:", rule("/a/:id", "/b/c")],
      "8:33 upstreams.next.rewrite.path[0].to: expected the parameters of from",
    ],
    [
      "a parameter from nowhere",
      ["path:", rule("/a/b", "/b/:id")],
      "8:31 upstreams.next.rewrite.path[0].to: expected the parameters of from",
    ],
    [
      "a parameter under another name",
      ["path:", rule("/a/:id", "/b/:key")],
      "8:33 upstreams.next.rewrite.path[0].to: expected the parameters of from",
    ],
    [
      "two rules to one path",
      ["path:", rule("/a", "/c"), rule("/b", "/c")],
      "9:29 upstreams.next.rewrite.path[1].to: expected a path that meets no other rule's: some are upstreams.next.rewrite.path[0].to too",
    ],
    [
      "a path below another rule's prefix",
      ["path:", rule("/a/*", "/api/*"), rule("/b", "/api/b")],
      "9:29 upstreams.next.rewrite.path[1].to: expected a path that meets",
    ],
    [
      "a prefix above another rule's",
      ["path:", rule("/a/*", "/api/v1/*"), rule("/b/*", "/api/*")],
      "9:31 upstreams.next.rewrite.path[1].to: expected a path that meets",
    ],
    [
      "a prefix of everything",
      ["path:", rule("/a", "/c"), rule("/b/*", "/*")],
      "9:31 upstreams.next.rewrite.path[1].to: expected a path that meets",
    ],
    [
      "a parameter in a literal's place",
      ["path:", rule("/a/b", "/c/b"), rule("/d/:id", "/c/:id")],
      "9:33 upstreams.next.rewrite.path[1].to: expected a path that meets",
    ],
    [
      "the third of three rules",
      ["path:", rule("/a", "/x"), rule("/b", "/y"), rule("/c", "/y")],
      "10:29 upstreams.next.rewrite.path[2].to: expected a path that meets no other rule's: some are upstreams.next.rewrite.path[1].to too",
    ],
    [
      "two rules for one path",
      ["path:", rule("/a", "/b"), rule("/a", "/c")],
      "9:19 upstreams.next.rewrite.path[1].from: expected a path of its own",
    ],
    [
      "two rules for one path under other parameters",
      ["path:", rule("/a/:x", "/b/:x"), rule("/a/:y", "/c/:y")],
      "9:19 upstreams.next.rewrite.path[1].from: expected a path of its own",
    ],
    [
      "a value that is no text",
      ["request:", "  set: { X-Tenant: 7 }"],
      "8:26 upstreams.next.rewrite.request.set.X-Tenant: expected a text",
    ],
    [
      "an empty value",
      ["request:", '  set: { X-Tenant: "" }'],
      "8:26 upstreams.next.rewrite.request.set.X-Tenant: expected a field's value",
    ],
    [
      "a value in two lines",
      ["request:", '  set: { X-Tenant: "a\\r\\nX-Admin: 1" }'],
      "8:26 upstreams.next.rewrite.request.set.X-Tenant: expected a field's value",
    ],
    [
      "a value with a letter that is not ASCII",
      ["request:", '  set: { X-Tenant: "süd" }'],
      "8:26 upstreams.next.rewrite.request.set.X-Tenant: expected a field's value",
    ],
    [
      "an unknown name in braces",
      ["request:", '  set: { X-A: "{account}" }'],
      "8:21 upstreams.next.rewrite.request.set.X-A: expected {shopper}, {requestId}, {side} or {param:NAME}",
    ],
    [
      "a brace left open",
      ["request:", '  add: { X-A: "{shopper" }'],
      "8:21 upstreams.next.rewrite.request.add.X-A: expected {shopper}",
    ],
    [
      "a brace left over",
      ["response:", '  add: { X-A: "a}" }'],
      "8:21 upstreams.next.rewrite.response.add.X-A: expected {shopper}",
    ],
    [
      "a parameter that no route to it has",
      ["request:", '  set: { X-A: "{param:cartId}" }'],
      "8:21 upstreams.next.rewrite.request.set.X-A: expected a parameter that the path of a route",
    ],
    [
      "a name that is none",
      ["request:", '  set: { "X A": b }'],
      "8:16 upstreams.next.rewrite.request.set.X A: expected a header name",
    ],
    [
      "a name with a line's end",
      ["request:", '  remove: ["X-A\\r\\nX-B"]'],
      "8:18 upstreams.next.rewrite.request.remove[0]: expected a header name",
    ],
    [
      "one field set and taken away",
      ["request:", "  set: { X-A: b }", "  remove: [x-a]"],
      "9:18 upstreams.next.rewrite.request.remove[0]: expected each field once, in set, add or remove",
    ],
    [
      "one field set and added",
      ["response:", "  set: { X-A: b }", "  add: { x-a: c }"],
      "9:16 upstreams.next.rewrite.response.add.x-a: expected each field once, in set, add or remove",
    ],
    [
      "a field of the upstream's set",
      ["request:", "  set: { x-real-ip: b }"],
      "8:16 upstreams.next.rewrite.request.set.x-real-ip: expected another field",
    ],
  ])("%s", (_, lines, expected) => {
    expect(problemsOf(withRewrite(...lines))).toEqual([expect.stringContaining(`c.yaml:${expected}`)]);
  });

  test.each([
    ...[
      "Content-Length",
      "transfer-encoding",
      "Connection",
      "keep-alive",
      "TE",
      "trailer",
      "Upgrade",
      "Expect",
    ],
    ...["proxy-connection", "proxy-authorization", "Host", "Cookie", "content-encoding", "content-type"],
    ...[
      "Via",
      "CDN-Loop",
      "Forwarded",
      "X-Forwarded-For",
      "x-forwarded-prefix",
      "X-Request-Id",
      "traceparent",
    ],
    ...["Sec-WebSocket-Key", "max-forwards", "x-cutover-handover"],
  ])("a request's %s, which no rule may set", (name) => {
    const found = problemsOf(withRewrite("request:", `  set: { ${name}: a }`));
    expect(found).toEqual([
      `c.yaml:8:16 upstreams.next.rewrite.request.set.${name}: expected a field that is ${fields}`,
    ]);
  });

  test.each([
    ...["Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Trailer", "Upgrade"],
    ...["Content-Encoding", "Content-Range", "Via", "Proxy-Status", "Location", "Set-Cookie"],
    ...["Content-Location", "Sec-WebSocket-Accept"],
  ])("an answer's %s, which no rule may set", (name) => {
    const found = problemsOf(withRewrite("response:", `  add: { ${name}: a }`));
    expect(found).toEqual([
      `c.yaml:8:16 upstreams.next.rewrite.response.add.${name}: expected a field that is ${fields}`,
    ]);
  });

  test("what an upstream of no cutover can know of neither shopper nor side", () => {
    const text = [
      "upstreams:",
      '  old: { url: "http://127.0.0.1:7001", rewrite: { request: { set: { X-A: "{side}" } } } }',
      "default: old",
      "",
    ].join("\n");
    expect(problemsOf(text)).toEqual([
      expect.stringMatching(
        /^c\.yaml:2:\d+ upstreams\.old\.rewrite\.request\.set\.X-A: expected no \{side\}/,
      ),
    ]);
  });

  test("several at once, each with its own line", () => {
    const lines = ["path:", rule("/a", "/c"), rule("/b", "/c"), "request:", "  set: { Host: a }"];
    expect(problemsOf(withRewrite(...lines)).map((text) => text.split(" ")[0])).toEqual([
      "c.yaml:9:29",
      "c.yaml:11:16",
    ]);
  });
});

describe("what is right", () => {
  test.each([
    ["nothing but the way back of addresses", ["{}"]],
    ["rules whose from meet: the most specific counts", ["path:", rule("/a/*", "/x/*"), rule("/a/b", "/y")]],
    ["siblings under one prefix", ["path:", rule("/a/*", "/api/a/*"), rule("/b/*", "/api/b/*")]],
    ["an exact path beside its prefix", ["path:", rule("/a/*", "/x/*"), rule("/a", "/x")]],
    ["two ways round", ["path:", rule("/a/*", "/b/*"), rule("/b/*", "/a/*")]],
    ["a parameter of a route", ["request:", '  set: { X-Order: "{param:orderId}" }']],
    ["braces that are braces", ["request:", "  set: { X-Json: '{{\"a\":1}}' }"]],
    ["cookies taken away", ["request:", "  remove: [cookie]", "response:", "  remove: [set-cookie, server]"]],
  ])("%s", (_, lines) => {
    expect(problemsOf(withRewrite(...lines))).toEqual([]);
  });
});

describe("a secret from the environment", () => {
  const text = withRewrite("request:", `  set: { Authorization: "Bearer ${variable("TOKEN")}" }`);
  const partsOf = (token: string) =>
    configOf(text, { TOKEN: token }).upstreams.next?.rewrite?.request.set.Authorization?.parts;

  test("is sent as it is, braces and all", () => {
    const whole = partsOf("a{shopper}}b")
      ?.map((part) => (part.kind === "text" ? part.text : part.kind))
      .join("");
    expect(whole).toBe("Bearer a{shopper}}b");
  });

  test("is said in no message", () => {
    expect(problemsOf(text, { TOKEN: "hunter2\n" })).toEqual([
      "c.yaml:8:31 upstreams.next.rewrite.request.set.Authorization: expected a field's value: ASCII, in one line, with no space around it",
    ]);
  });

  test("that stands in the file is said in no message either", () => {
    const [problem] = problemsOf(withRewrite("request:", '  set: { Authorization: "Bearer hunter2{" }'));
    expect(problem).toMatch(/^c\.yaml:8:31 /);
    expect(problem).not.toContain("hunter2");
  });

  test("is in no digest: instances that differ in it alone decide alike", () => {
    const hashOf = (token: string) => configHash(configOf(text, { TOKEN: token }));
    expect(hashOf("one")).toBe(hashOf("another"));
  });

  test("stands by its name where a person looks, and a default as it is", () => {
    const lines = [
      "request:",
      `  set: { X-A: "k ${variable("TOKEN")}", X-B: "${variable("UNSET:-plain")}" }`,
    ];
    const read = readText(withRewrite(...lines), { TOKEN: "hunter2" });
    if (!read.ok) throw new Error("refused");
    const texts = Object.values(read.shown().upstreams.next?.rewrite?.request.set ?? {}).map(({ parts }) =>
      parts.map((part) => (part.kind === "text" ? part.text : part.kind)).join(""),
    );
    expect(texts).toEqual([`k ${variable("TOKEN")}`, "plain"]);
    expect(read.explain().find(({ path }) => path.endsWith("X-A"))?.value).toBe("(masked)");
  });
});

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { loadConfig, readConfig } from "../../../../src/config/load/load.ts";
import { formatProblem } from "../../../../src/config/load/problems.ts";
import { configOf, least, problemsOf, readText, withCutover } from "../support.ts";

const demoFile = fileURLToPath(new URL("../../../../config/cutover.yaml", import.meta.url));

describe("loadConfig", () => {
  test("loads the demo's file without a warning but that the rest of the shop stays with legacy", async () => {
    const result = await loadConfig(demoFile, {});
    if (!result.ok) throw new Error(result.problems.map(formatProblem).join("\n"));
    expect(result.warnings.map(({ path }) => path)).toEqual(["default"]);
    const { config } = result;
    expect(config.listeners).toEqual({
      proxy: { host: "127.0.0.1", port: 8080, idle: 65_000, proxyProtocol: false },
      admin: { host: "127.0.0.1", port: 9900 },
      wait: 0,
    });
    const checkout = config.cutovers.checkout;
    expect(checkout?.routes.map(({ name, journey }) => [name, journey])).toEqual([
      ["cart", undefined],
      ["checkout", { start: {} }],
      ["pay", { end: {} }],
      ["callback", undefined],
    ]);
    expect(checkout?.journey).toEqual({
      cookie: "cutover_journey",
      sameSite: "lax",
      secure: "auto",
      ttl: 1_800_000,
      maxTtl: 14_400_000,
      secret: [],
    });
    expect(checkout?.owners.keys.map(({ key, ttl }) => [key.map(({ text }) => text), ttl])).toEqual([
      [["header:idempotency-key"], 86_400_000],
      [["param:orderId", "json:/order_id"], 15_552_000_000],
    ]);
  });

  test("reads the environment it is given", async () => {
    const directory = await mkdtemp(join(tmpdir(), "cutover-config-"));
    const file = join(directory, "c.yaml");
    try {
      await writeFile(file, `${least}prefix: \${PREFIX}\n`);
      const result = await loadConfig(file, { PREFIX: "team-a" });
      expect(result.ok && result.config.prefix).toBe("team-a");
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test.each([
    ["", "expected a file of 1 byte to 256 KiB"],
    ["x".repeat(256 * 1024 + 1), "expected a file of 1 byte to 256 KiB"],
    [Buffer.from([0x3c, 0xff]), "expected a page in UTF-8"],
    [undefined, "expected a file that can be read: ENOENT"],
    ["<p>", undefined],
  ])("the page of a maintenance is read with it", async (content, problem) => {
    const directory = await mkdtemp(join(tmpdir(), "cutover-page-"));
    const [file, page] = [join(directory, "c.yaml"), join(directory, "page.html")];
    try {
      if (content !== undefined) await writeFile(page, content);
      await writeFile(
        file,
        withCutover("routes: [{ name: a, path: /a }]", `maintenance: { page: '${page}' }`),
      );
      const result = await loadConfig(file, {});
      const problems = result.ok ? [] : result.problems.map(({ path, message }) => `${path}: ${message}`);
      expect(problems).toEqual(
        problem === undefined ? [] : [`cutovers.shop.maintenance.page: ${problem}; found "${page}"`],
      );
      if (!result.ok) expect(result.problems[0]?.line).toBeGreaterThan(5);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test.each([
    [join(tmpdir(), "no", "such", "file.yaml"), "ENOENT"],
    [tmpdir(), "EISDIR"],
    ["a\0b", "ERR_INVALID_ARG_VALUE"],
  ])("a file that cannot be read is a problem: %j", async (path, code) => {
    expect(await loadConfig(path, {})).toEqual({
      ok: false,
      problems: [
        { file: path, line: 1, column: 1, path: "", message: `expected a file that can be read: ${code}` },
      ],
    });
  });
});

describe("the file as a whole", () => {
  test.each([
    ["nothing", "", "c.yaml:1:1 expected a configuration; the file is empty"],
    ["comments alone", "# a\n# b\n", "c.yaml:1:1 expected a configuration; the file is empty"],
    ["a text", "hunter2\n", "c.yaml:1:1 expected a mapping; found a text"],
    ["a list", "- 1\n", "c.yaml:1:1 expected a mapping; found a list"],
  ])("%s is no configuration", (_, text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });

  test("bytes that are not UTF-8 are refused", () => {
    const bytes = Uint8Array.from([0x61, 0x3a, 0x20, 0xff, 0xfe]);
    const result = readConfig(bytes, "c.yaml", {});
    expect(result.ok ? [] : result.problems.map(formatProblem)).toEqual([
      "c.yaml:1:1 expected a file in UTF-8",
    ]);
  });

  test("a byte order mark is passed over", () => {
    expect(problemsOf(`\uFEFF${least}`)).toEqual([]);
  });

  test("more than 1 MiB is refused", () => {
    expect(problemsOf(`# ${"x".repeat(1_048_576)}`)).toEqual(["c.yaml:1:1 expected a file of at most 1 MiB"]);
  });

  test("a second document is refused", () => {
    expect(problemsOf(`${least}---\n${least}`)).toEqual([
      "c.yaml:5:1 not valid YAML: expected one document in the file",
    ]);
  });

  test("a syntax error is a problem at its position and quotes nothing of the file", () => {
    const problems = problemsOf(`${least}auth: { hunter2\n`);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems[0]).toMatch(/^c\.yaml:[56]:\d+ not valid YAML: expected/);
    expect(problems.join("\n")).not.toContain("hunter2");
  });

  test("a variable without quotes in a flow mapping was 190 problems, all but the first of them consequences", () => {
    const problems = problemsOf(`auth: { none: ${"$"}{X:-1} }\n${least}`);
    expect(problems.filter((each) => each.includes("expected something else here"))).toHaveLength(1);
    expect(problems.length).toBeLessThan(4);
  });

  test("store: memory: without its quotes was a riddle about a missing colon: the quotes are named", () => {
    const problem = 'c.yaml:5:8 expected quotes around a value that ends in a colon: "memory:"';
    expect(problemsOf(`${least}store: memory:\n`)).toContain(problem);
    expect(problemsOf(`${least}store: memory: # for a trial\n`)).toContain(problem);
    expect(problemsOf(`${least}store: "memory:"\n`)).toEqual([]);
    expect(problemsOf(`${least}store: hunter2:\n`).join("\n")).not.toContain("hunter2");
  });

  test("a key that stands twice is refused at the second", () => {
    expect(problemsOf(`${least}prefix: a\nprefix: b\n`)).toEqual([
      "c.yaml:6:1 prefix: expected each key once: it stands twice in this mapping",
    ]);
  });

  test("an alias is refused, so nothing in the file can grow", () => {
    const laughs = Array.from({ length: 30 }, (_, i) => `a${i + 1}: &b${i + 1} [*b${i}, *b${i}, *b${i}]`);
    const problems = problemsOf(`a0: &b0 [x, x]\n${laughs.join("\n")}\n${least}`);
    expect(problems).toContain("c.yaml:2:10 a1[0]: expected the value written out: aliases are not accepted");
  });

  test.each(["", "%YAML 1.1\n---\n"])("a merge key is refused (%j)", (head) => {
    const problems = problemsOf(`${head}${least}cutovers:\n  <<: { a: 1 }\n`);
    expect(problems.map((problem) => problem.replace(/^\S+ /, ""))).toEqual([
      "cutovers.<<: expected a key of the configuration: merge keys and the like are not accepted".replace(
        "<<",
        "?",
      ),
    ]);
  });

  test("__proto__ is no key", () => {
    expect(problemsOf(`${least}__proto__: { prefix: a }\n`)).toEqual([
      "c.yaml:5:1 __proto__: expected a key of the configuration: merge keys and the like are not accepted",
    ]);
  });

  test("nesting without end is a problem, not a stack overflow", () => {
    expect(problemsOf("[".repeat(50_000)).length).toBeGreaterThan(0);
    expect(problemsOf(`${"a: { ".repeat(100)}${"}".repeat(100)}`).length).toBeGreaterThan(0);
  });
});

describe("owners and journeys", () => {
  const routes = "routes: [{ name: a, path: /a }]";

  test("owners are a list of keys, or a mapping of what they share and the list", () => {
    const owners = (given: string) => configOf(withCutover(routes, `owners: ${given}`)).cutovers.shop?.owners;
    const plain = { budget: 6000, memoryShare: 80, learnBody: 1_048_576 };
    const [key] = owners('[{ key: "header:x" }]')?.keys ?? [];
    expect(owners("[]")).toEqual({ ...plain, keys: [] });
    expect(owners('[{ key: "header:x" }]')).toEqual({ ...plain, keys: [key] });
    expect(owners('{ keys: [{ key: "header:x" }] }')).toEqual({ ...plain, keys: [key] });
    expect(owners('{ budget: off, learnBody: 64KiB, keys: [{ key: "header:x" }] }')).toEqual({
      budget: undefined,
      memoryShare: 80,
      learnBody: 65_536,
      keys: [key],
    });
    const { store } = owners('{ store: "redis://r:1", keys: [{ key: "header:x" }] }') ?? {};
    expect(store).toBe("redis://r:1");
  });

  test.each([
    ["{ budget: 0 }", "owners.budget: expected a number of at least 1"],
    ["{ budget: 10, key: [] }", "owners.key: unknown key"],
    ['{ store: "postgres://r:1" }', "owners.store: expected memory:, file:PATH, redis://HOST:PORT"],
    ["{ keys: [{ key: nothing }] }", "owners.keys[0].key"],
    ["[{ key: nothing }]", "owners[0].key"],
    ["7", "owners: expected a list of keys, or a mapping of budget, memoryShare, learnBody, store and keys"],
    ['{ keys: [{ key: "param:no" }] }', "owners.keys[0].key: expected a parameter that a route"],
  ])("what is wrong inside owners is said where it stands: %s", (given, problem) => {
    expect(problemsOf(withCutover(routes, `owners: ${given}`)).join("\n")).toContain(`shop.${problem}`);
  });

  test("a number inside either form may come from the environment", () => {
    const text = withCutover(routes, `owners: { budget: "\${BUDGET}", keys: [{ key: "header:x" }] }`);
    const read = readConfig(Buffer.from(text), "c.yaml", { BUDGET: "12" });
    expect(read.ok && read.config.cutovers.shop?.owners.budget).toBe(12);
  });

  test("a pattern is an expression and a side", () => {
    const text = withCutover(
      "routes: [{ name: a, path: /a, unknown: retry }]",
      'owners: [{ key: "header:x", patterns: [{ pattern: "^SS-", side: legacy }] }]',
    );
    const { routes, owners } = configOf(text).cutovers.shop ?? {};
    expect(owners?.keys[0]?.patterns).toMatchObject([{ pattern: { text: "^SS-" }, side: "legacy" }]);
    expect(routes?.[0]?.unknown).toBe("retry");
  });

  test.each([
    [
      '{ pattern: "(?=S)", side: new }',
      'expected a regular expression as RE2 has them: no lookahead, lookbehind or backreference; found "(?=S)"',
    ],
    [
      '{ pattern: "^.{1000}.{1000}", side: new }',
      'expected a smaller regular expression: repeats written out, it has 2003 instructions of at most 2000; found "^.{1000}.{1000}"',
    ],
    ['{ pattern: "^a", side: both }', 'expected legacy or new; found "both"'],
  ])("%s is refused", (pattern, message) => {
    const text = withCutover(
      "routes: [{ name: a, path: /a }]",
      `owners: [{ key: "header:x", patterns: [${pattern}] }]`,
    );
    expect(problemsOf(text).map((problem) => problem.replace(/^\S+ \S+ /, ""))).toEqual([message]);
  });

  test.each([
    ["''", []],
    ["one", ["one"]],
    ["[two, one]", ["two", "one"]],
    ["['', one]", ["one"]],
  ])("journey.secret: %s is %j", (written, secrets) => {
    const text = withCutover("routes: [{ name: a, path: /a }]", `journey: { secret: ${written} }`);
    expect(configOf(text).cutovers.shop?.journey?.secret).toEqual(secrets);
  });

  test("spool: off is none", () => {
    expect(configOf(`${least}spool: off\n`).spool).toBeUndefined();
    expect(configOf(`${least}spool: /srv/spool\n`).spool).toBe("/srv/spool");
  });
});

const concurrency = { max: 4096, queue: 1024, wait: 1000 };
const timeouts = {
  connect: 2000,
  headers: 30_000,
  idle: 60_000,
  total: 300_000,
  upgrade: { handshake: 10_000, idle: 3_600_000, lifetime: 86_400_000 },
};

describe("defaults", () => {
  test("hold wherever the file is silent", () => {
    expect(configOf(least)).toEqual({
      listeners: {
        proxy: { host: "127.0.0.1", port: 8080, idle: 65_000, proxyProtocol: false },
        admin: { host: "127.0.0.1", port: 9900 },
        wait: 0,
      },
      instance: {},
      workers: 1,
      drain: { delay: 0, idle: 1000, grace: 10_000 },
      limits: { connections: 20_000, head: 16_384, target: 8192, body: 2_147_483_648, pace: 30_000 },
      freeze: [],
      engine: "undici",
      console: { links: {} },
      graphql: { manifests: [] },
      prefix: "cutover",
      staleAfter: 30_000,
      snapshot: "var/snapshot.json",
      spool: "var/spool",
      audit: "var/audit.ndjson",
      store: "file:var/state.json",
      trustedProxies: [],
      trustedFields: [],
      auth: "none",
      upstreams: {
        old: {
          url: "http://127.0.0.1:7001",
          connections: { maxAge: 300_000 },
          timeouts,
          concurrency,
          lenient: false,
          host: "preserve",
          protocol: "h1",
          via: "both",
          set: {},
        },
        next: {
          url: "http://127.0.0.1:7002",
          connections: { maxAge: 300_000 },
          timeouts,
          concurrency,
          lenient: false,
          host: "preserve",
          protocol: "h1",
          via: "both",
          set: {},
        },
      },
      visitor: {
        cookie: "cutover_visitor",
        ttl: 400 * 86_400_000,
        sameSite: "lax",
        secure: "auto",
        on: "navigation",
      },
      paths: { onRoutes: "refuse", elsewhere: "pass" },
      default: "old",
      hosts: {},
      routes: [],
      lists: {},
      webhooks: [],
      cutovers: {},
    });
  });

  test("a listener keeps the port it has when only its host is given", () => {
    const text = `${least}listeners:\n  proxy: { host: 0.0.0.0 }\n`;
    expect(configOf(text).listeners.proxy).toEqual({
      host: "0.0.0.0",
      port: 8080,
      idle: 65_000,
      proxyProtocol: false,
    });
  });

  test.each([
    ["off", ""],
    ["off", "%YAML 1.1\n---\n"],
  ])("snapshot: %s is none (%j)", (value, head) => {
    expect(configOf(`${head}${least}snapshot: ${value}\n`).snapshot).toBeUndefined();
  });
});

describe("positions", () => {
  test("a wrong value points at the value, with what was found", () => {
    expect(problemsOf(`${least}engine:   nginx\n`)).toEqual([
      'c.yaml:5:11 engine: expected undici or http-proxy; found "nginx"',
    ]);
  });

  test("an unknown key points at the key and says which there are", () => {
    expect(problemsOf(`${least}listeners: { proxi: {} }\n`)).toEqual([
      "c.yaml:5:14 listeners.proxi: unknown key: expected one of proxy, admin, wait",
    ]);
  });

  test("a missing key points at its parent's key", () => {
    expect(problemsOf(`${least.replace("next: { url", "next: { connections: 1 } #")}`)).toEqual([
      "c.yaml:3:3 upstreams.next.url: expected a text; found nothing",
    ]);
  });

  test("a number of connections, and a mapping with it, say the same", () => {
    for (const given of ["7", "{ max: 7 }"]) {
      const text = least.replace("next: { url", `next: { connections: ${given}, url`);
      expect(problemsOf(text)).toEqual([]);
    }
    expect(problemsOf(least.replace("next: { url", "next: { connections: 0, url"))).toHaveLength(1);
    expect(problemsOf(least.replace("next: { url", "next: { connections: { most: 7 }, url"))[0]).toContain(
      "connections",
    );
  });

  test("a value left out points at its key", () => {
    expect(problemsOf(`${least}cutovers:\n`)).toEqual([
      "c.yaml:5:1 cutovers: expected a mapping; found nothing",
    ]);
  });

  test("every problem is given at once, in the order of the file", () => {
    const text = withCutover(
      "routes:",
      "  - { name: Pay, path: pay }",
      "  - { name: pay, path: /a, methods: [post], payment: 1, colour: red }",
      "onStale: maybe",
    ).replace("legacy: old", "legacy: nowhere");
    expect(problemsOf(`${text}port: 1\n`).map((line) => line.replace(/: .*/, ""))).toEqual([
      "c.yaml:7:13 cutovers.shop.legacy",
      "c.yaml:11:17 cutovers.shop.routes[0].name",
      "c.yaml:11:28 cutovers.shop.routes[0].path",
      "c.yaml:12:42 cutovers.shop.routes[1].methods[0]",
      "c.yaml:12:58 cutovers.shop.routes[1].payment",
      "c.yaml:12:61 cutovers.shop.routes[1].colour",
      "c.yaml:13:14 cutovers.shop.onStale",
      "c.yaml:14:1 port",
    ]);
  });

  test("a wrong name of a cutover or upstream hides nothing of what it holds", () => {
    expect(
      problemsOf(`${least}cutovers:\n  Shop: { legacy: old, colour: red }\n`).map((p) => p.split(" ")[1]),
    ).toEqual([
      "cutovers.Shop:",
      "cutovers.Shop.new:",
      "cutovers.Shop.shopper:",
      "cutovers.Shop.routes:",
      "cutovers.Shop.colour:",
    ]);
  });
});

describe("what is not supported yet is refused by name at its key", () => {
  test.each(["shadow", "ledger"])("cutover: %s", (key) => {
    const text = withCutover("routes: [{ name: a, path: /a }]", `${key}: {}`);
    expect(problemsOf(text)).toEqual([
      `c.yaml:11:5 cutovers.shop.${key}: ${key} is not supported by this version`,
    ]);
  });

  test.each([
    ["workers: many\n", "c.yaml:5:10 workers: expected a number from 1 to 256, or auto; found a text"],
  ])("%j", (lines, problem) => {
    expect(problemsOf(`${least}${lines}`)).toEqual([problem]);
  });
});

describe("messages", () => {
  test.each([
    ["auth: open", "auth: expected none, or tokens: a list of { name, role, sha256 }, or oidc; found a text"],
    ["auth: {}", "auth: expected tokens, oidc, or both"],
    ["auth: { tokens: hunter2 }", "auth.tokens: expected a list; found a text"],
    ["auth: { tokens: [] }", "auth.tokens: expected a list that is not empty"],
    ["auth: { tokens: [5] }", "auth.tokens[0]: expected a mapping; found a number"],
    ["staleAfter: 30", "staleAfter: expected a text; found a number"],
    ["staleAfter: 30 s", 'staleAfter: expected a duration such as 250ms, 5s, 10m, 24h or 180d; found "30 s"'],
    ["staleAfter: 0s", 'staleAfter: expected a duration longer than 0; found "0s"'],
    ["staleAfter: 25h", 'staleAfter: expected a duration of at most 24h; found "25h"'],
    [
      "trustedProxies: [10.0.0.0/33]",
      'trustedProxies[0]: expected an address or a CIDR such as 10.0.0.0/8; found "10.0.0.0/33"',
    ],
    [
      "listeners: { admin: { port: 65536 } }",
      "listeners.admin.port: expected a number of at most 65535; found 65536",
    ],
    ["snapshot: 5", "snapshot: expected a file's path, or off; found a number"],
    [
      "limits: { body: 10MB }",
      'limits.body: expected a size such as 512B, 64KiB, 10MiB or 2GiB; found "10MB"',
    ],
    ["limits: { connections: 0 }", "limits.connections: expected a number of at least 1; found 0"],
  ])("%s", (line, message) => {
    expect(problemsOf(`${least}${line}\n`).map((problem) => problem.replace(/^\S+ /, ""))).toEqual([message]);
  });

  test.each([
    "auth: { tokens: [{ name: a, role: admin, sha256: hunter2 }] }",
    "auth: hunter2",
    "store: redis-sentinel://:hunter2@a:1",
    "store: postgres://u:hunter2@a",
    "upstreams: { a: { url: 'http://u:hunter2@h' } }",
    "cutovers: hunter2",
    "cutovers: { a: { force: { header: x, secrets: [hunter2] }, journey: hunter2 } }",
    "cutovers: { a: { journey: { secret: [hunter2] } } }",
    "listeners: { admin: { password:hunter2 } }",
    "prefix: &hunter2 !hunter2 '\\q' : hunter2",
    'prefix: "\\hunter2"',
    "prefix: *hunter2",
  ])("never show what could be a secret: %s", (line) => {
    const problems = problemsOf(`default: old\n${line}\n`);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join("\n")).not.toContain("hunter2");
  });

  test("never throw what the file holds at the caller", () => {
    expect(readText("a: !!binary x\nb: !!set { c }\nd: !!timestamp x\n").ok).toBe(false);
  });
});

/** `routes[].when`: the line of each wrong one, and what it says. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../../../src/config/load/load.ts";
import { formatProblem } from "../../../../src/config/load/problems.ts";
import { configOf, least, problemsOf, withCutover } from "../support.ts";

/** The route's `when` stands on line 11. */
const withWhen = (when: string, more = "") =>
  withCutover(
    "routes:",
    `  - { name: a, path: /graphql, when: ${when}${more} }`,
    "  - { name: b, path: /graphql }",
  );

const operation =
  "expected the name of an operation or of a field at its top, query:NAME, mutation:NAME, subscription:NAME, or * in place of the name";

test.each([
  ["{}", "when: expected header, query, form, json, graphql, or several of them"],
  ["pay", "when: expected a mapping"],
  ["[{ query: a }]", "when: expected a mapping"],
  ["{ graphql: a, cookie: a }", "when.cookie: unknown key"],
  ["{ graphql: a, operation: pay }", "when.operation: unknown key"],
  ["{ graphql: [] }", "when.graphql: expected"],
  ['{ graphql: "add payment" }', `when.graphql: ${operation}`],
  [
    "{ graphql: 7 }",
    "when.graphql: expected the name of an operation or of a field at its top, or a list of them",
  ],
  ['{ graphql: "mutate:*" }', `when.graphql: ${operation}`],
  ['{ graphql: [pay, "mutation:add-item"] }', `when.graphql[1]: ${operation}`],
  ['{ graphql: "pay*" }', `when.graphql: ${operation}`],
  [
    '{ query: "=1" }',
    "when.query: expected the name of a parameter of the query, optionally followed by =VALUE or #REGEX",
  ],
  ['{ query: "a&b=1" }', "when.query: expected the name of a parameter of the query"],
  ['{ query: ["ok=1", "route#("] }', "when.query[1]: expected a regular expression as RE2 has them"],
  ['{ query: "route#(?=x)" }', "when.query: expected a regular expression as RE2 has them"],
  ['{ query: "a=" }', "when.query: expected the name of a parameter of the query"],
  ['{ header: "x api=1" }', "when.header: expected a header's name, optionally followed by =VALUE or #REGEX"],
  ['{ header: ":path=1" }', "when.header: expected a header's name"],
  ['{ json: "type=pay" }', "when.json: expected a JSON pointer"],
  ['{ json: "/a~2" }', "when.json: expected a JSON pointer"],
  [
    '{ form: "a b" }',
    "when.form: expected the name of a form's field, optionally followed by =VALUE or #REGEX",
  ],
])("%s is refused on its line", (when, expected) => {
  const problems = problemsOf(withWhen(when));
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(/^c\.yaml:11:\d+ cutovers\.shop\.routes\[0\]\./);
  expect(problems[0]).toContain(expected);
});

test.each([
  [
    '{ json: "/a" }',
    ", methods: [GET]",
    "when.json: expected methods that have a body: this route is for reading",
  ],
  [
    "{ form: a }",
    ", methods: [GET, HEAD]",
    "when.form: expected methods that have a body: this route is for reading",
  ],
])("%s of a route for reading is refused on its line", (when, methods, expected) => {
  expect(problemsOf(withWhen(when, methods))).toEqual([
    expect.stringMatching(new RegExp(`^c\\.yaml:11:\\d+ cutovers\\.shop\\.routes\\[0\\]\\.${expected}`)),
  ]);
});

describe("two routes of one path", () => {
  const two = (one: string, other: string) =>
    problemsOf(
      withCutover(
        "routes:",
        `  - { name: a, path: /graphql${one} }`,
        `  - { name: b, path: /graphql${other} }`,
      ),
    );

  test("with the same when, however it is written, are refused", () => {
    const message = "expected a when of its own: the same as cutovers.shop.routes[0].when";
    for (const [one, other] of [
      [", when: { graphql: [a, b] }", ", when: { graphql: [b, a, b] }"],
      [', when: { query: "a=1", header: x-b }', ', when: { header: [X-B], query: ["a=1"] }'],
    ] as const)
      expect(two(one, other)).toEqual([
        expect.stringMatching(/^c\.yaml:12:\d+ cutovers\.shop\.routes\[1\]\.when: /),
      ]);
    expect(two(", when: { graphql: a }", ", when: { graphql: a }")[0]).toContain(message);
  });

  test("without any are refused as before", () => {
    expect(two("", "")[0]).toContain("expected a path, or methods, of its own");
  });

  test("with one when, with different ones, or with methods of their own are not", () => {
    expect(two(", when: { graphql: a }", "")).toEqual([]);
    expect(two(", when: { graphql: a }", ", when: { graphql: b }")).toEqual([]);
    expect(two(", when: { graphql: a }, methods: [GET]", ", when: { graphql: a }, methods: [POST]")).toEqual(
      [],
    );
  });

  test("one that cannot be read says nothing of the other", () => {
    expect(two(", when: { graphql: 7 }", "")).toHaveLength(1);
  });
});

describe("graphql: as a source", () => {
  const owner = (key: string, learn = "") =>
    withCutover(
      "routes: [{ name: a, path: /graphql, journey: start }]",
      "journey: {}",
      "owners:",
      `  - { key: "${key}"${learn} }`,
    );

  test("is a field at the top and what leads to its value", () => {
    expect(configOf(owner("graphql:/pay/input/order")).cutovers.shop?.owners.keys[0]?.key).toMatchObject([
      { kind: "graphql", name: "/pay/input/order" },
    ]);
  });

  test.each(["graphql:pay", "graphql:/pay", "graphql:/pay/", "graphql:/pay/2nd"])(
    "%s is refused on its line",
    (key) => {
      expect(problemsOf(owner(key))).toEqual([
        expect.stringMatching(/^c\.yaml:13:\d+ .*expected a field at the top of a document and its argument/),
      ]);
    },
  );

  test("is nothing that an answer has", () => {
    expect(problemsOf(owner("json:/id", ', learn: ["graphql:/pay/id"]'))).toEqual([
      expect.stringMatching(/^c\.yaml:13:\d+ .*learn\[0\]: expected json:\/data\/…/),
    ]);
  });
});

describe("manifests of documents", () => {
  const folder = mkdtempSync(join(tmpdir(), "manifests-"));
  const load = async (content: string | undefined) => {
    const manifest = join(folder, "manifest.json");
    if (content !== undefined) writeFileSync(manifest, content);
    const file = join(folder, "c.yaml");
    const name = content === undefined ? join(folder, "none.json") : manifest;
    writeFileSync(file, `${least}graphql: { manifests: ["${name}"] }\n`);
    const loaded = await loadConfig(file, {});
    return loaded.ok ? [] : loaded.problems.map(formatProblem);
  };

  test("are Apollo's or Relay's", async () => {
    const apollo = {
      format: "apollo-persisted-query-manifest",
      version: 1,
      operations: [{ id: "a", name: "A", type: "query", body: "{ a }" }],
    };
    expect(await load(JSON.stringify(apollo))).toEqual([]);
    expect(await load('{"abc": "{ a }"}')).toEqual([]);
  });

  test.each([
    ["[1]", "expected Apollo's persisted query manifest, or a JSON object of texts by their ids"],
    ["{", "expected Apollo's persisted query manifest, or a JSON object of texts by their ids"],
    ['{"a": 1}', "expected Apollo's persisted query manifest, or a JSON object of texts by their ids"],
    [undefined, "expected a file that can be read: ENOENT"],
  ])("%j is refused on its line", async (content, expected) => {
    const problems = await load(content);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/c\.yaml:5:\d+ graphql\.manifests\[0\]: /);
    expect(problems[0]).toContain(expected);
  });
});

test.each(["h2", "http2", "7"])(
  "upstreams are spoken to by h1: %s is refused by name, on its line",
  (protocol) => {
    const [problem, ...more] = problemsOf(least.replace("next: { url", `next: { protocol: ${protocol}, url`));
    expect(more).toEqual([]);
    expect(problem).toMatch(
      /^c\.yaml:3:21 upstreams\.next\.protocol: expected h1: h2 to upstreams is not supported/,
    );
  },
);

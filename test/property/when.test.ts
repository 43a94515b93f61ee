/**
 * Routes that share paths: whatever routes there are and whatever a request says, it is on the first route, in the order
 * that docs/shared-paths.md gives, whose path, method and `when` are its own. The reference looks at one route after the
 * other, and knows no tree and no chain.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type PathPattern, parsePath } from "../../src/config/values/path.ts";
import { parseNamedTest, parseOperationTest, rankOf, type When } from "../../src/config/values/when.ts";
import { compileRoutes, type Match } from "../../src/decide/route.ts";
import type { ReadOperations } from "../../src/decide/when/operations.ts";
import { type HeadView, holdsByBody, holdsByHead } from "../../src/decide/when/when.ts";

function sound<T>(parsed: T | string): T {
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

const paths = ["/", "/a", "/a/b", "/a/:x", "/a/*", "/:x", "/*"].map((text) => sound(parsePath(text)));
const query = fc.subarray(["a=1", "a=2", "a", "a#^1"], { minLength: 1, maxLength: 2 });
const operations = fc.subarray(["pay", "add", "mutation:*", "query:add", "*"], {
  minLength: 1,
  maxLength: 2,
});

const when: fc.Arbitrary<When | undefined> = fc.option(
  fc
    .record(
      {
        query: query.map((texts) => texts.map((text) => sound(parseNamedTest("query", text)))),
        graphql: operations.map((texts) => texts.map((text) => sound(parseOperationTest(text)))),
      },
      { requiredKeys: [] },
    )
    .filter((given) => Object.keys(given).length > 0),
  { nil: undefined },
);
const route = fc.record({
  pattern: fc.constantFrom(...paths),
  methods: fc.constantFrom<readonly string[] | undefined>(undefined, ["POST"], ["GET", "POST"]),
  when,
});
const request = fc.record({
  path: fc.constantFrom("/", "/a", "/a/b", "/a/c", "/b", "/b/c"),
  method: fc.constantFrom("GET", "POST"),
  query: fc.constantFrom("", "a=1", "a=2", "a=", "b=1", "a=2&a=1"),
  asked: fc.option(
    fc.record({ type: fc.constantFrom("query", "mutation"), field: fc.constantFrom("pay", "add", "look") }),
    { nil: undefined },
  ),
});

type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

const none: ReadOperations = {
  read: [],
  named: [],
  count: 0,
  isUnread: false,
  isUnknown: false,
  isBatch: false,
};

function operationsOf({ asked }: Request): ReadOperations {
  if (asked === undefined) return none;
  const fields = [{ name: asked.field, given: new Map() }];
  const type = asked.type === "query" ? "query" : "mutation";
  const operation = { type, name: undefined, fields, defaults: new Map() } as const;
  return { ...none, read: [{ operation, variables: undefined }], count: 1 };
}

function headOf({ query: text, asked }: Request): HeadView {
  return { fields: [], fieldNames: [], query: text, hasBody: asked !== undefined };
}

function holds(asked: When, of: Request): boolean {
  const byHead = holdsByHead(asked, headOf(of));
  return byHead ?? holdsByBody(asked, { kind: "none" }, () => operationsOf(of)) === "holds";
}

/** Digits of each segment from the left, the most specific first. */
function specificity({ segments, prefix }: PathPattern): string {
  return segments.map(({ kind }) => (kind === "literal" ? "0" : "1")).join("") + (prefix ? "2" : "");
}

function isOn({ segments, prefix }: PathPattern, path: string): boolean {
  const parts = path.slice(1).split("/");
  if (prefix ? parts.length <= segments.length : parts.length !== segments.length) return false;
  return segments.every((segment, i) =>
    segment.kind === "literal" ? segment.text === parts[i] : parts[i] !== "",
  );
}

test("a request is on the first route in the documented order that is for it", () => {
  fc.assert(
    fc.property(fc.array(route, { minLength: 1, maxLength: 8 }), request, (routes, asked) => {
      const router = compileRoutes(routes.map((each, value) => ({ ...each, value })));
      let found: Match<number> | undefined = router.match(asked.method, asked.path, (of) =>
        holdsByHead(of, headOf(asked)),
      );
      while (found?.when !== undefined && !holds(found.when, asked)) found = found.next;
      const [first] = routes
        .map((each, value) => ({ ...each, value }))
        .filter(
          ({ methods, pattern }) => (methods?.includes(asked.method) ?? true) && isOn(pattern, asked.path),
        )
        .filter((each) => each.when === undefined || holds(each.when, asked))
        .sort(
          (one, other) =>
            specificity(one.pattern).localeCompare(specificity(other.pattern)) ||
            rankOf(other.when) - rankOf(one.when) ||
            one.value - other.value,
        );
      expect(found?.value).toBe(first?.value);
    }),
    { numRuns: 2000 },
  );
});

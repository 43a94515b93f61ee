/** `routes[].failure`: what it takes, and where a file that it does not take is wrong. */
import { expect, test } from "vitest";
import { configSchema } from "../../../src/config/schema.ts";

const read = (failure: unknown) =>
  configSchema.safeParse({
    upstreams: { a: { url: "http://127.0.0.1:1" }, b: { url: "http://127.0.0.1:2" } },
    default: "a",
    cutovers: {
      checkout: {
        legacy: "a",
        new: "b",
        shopper: ["header:x-shopper-id"],
        routes: [{ name: "graphql", path: "/graphql", failure }],
      },
    },
  });
const conditionsOf = (failure: unknown) =>
  read(failure).data?.cutovers.checkout?.routes[0]?.failure?.map(({ kind, ...rest }) => ({ kind, ...rest }));
const none = { value: undefined, pattern: undefined };

test("statuses, pointers and fields may stand alone or in lists, each with a value", () => {
  expect(
    conditionsOf({ status: [409, "4xx"], json: ["/errors/0", "/data/*/code=E7"], header: "X-Err" }),
  ).toEqual([
    { kind: "status", codes: [409], classes: [4] },
    { kind: "header", name: "x-err", ...none },
    { kind: "json", name: "/errors/0", ...none },
    { kind: "json", name: "/data/*/code", value: "E7", pattern: undefined, each: true },
  ]);
  expect(conditionsOf({ status: 422 })).toEqual([{ kind: "status", codes: [422], classes: [] }]);
  expect(conditionsOf({ json: "/a*b" })).toEqual([{ kind: "json", name: "/a*b", ...none }]);
  expect(conditionsOf(undefined)).toBeUndefined();
});

test.each([
  [{}],
  [{ status: [] }],
  [{ status: 199 }],
  [{ status: "6xx" }],
  [{ json: "errors/0" }],
  [{ json: "/a#(" }],
  [{ header: "x err" }],
  [{ body: "#x" }],
])("%j is refused", (failure) => {
  expect(read(failure).success).toBe(false);
});

test("a client has given up after 3 s unless gaveUpAfter says another time", () => {
  expect(read({ status: 409 }).data?.cutovers.checkout?.gaveUpAfter).toBe(3000);
});

/**
 * Requests made from the API's own description, right and wrong in every part: none is ever answered by an
 * unforeseen error, and every answer is one that the description gives the call.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { problem } from "../../../src/admin/schemas.ts";
import { cutovers, type Rig, startRig } from "./rig.ts";

const seed = Number(process.env.FC_SEED ?? Date.now() % 2 ** 31);

const parameter = z.object({ name: z.string(), in: z.enum(["path", "query"]) });
const described = z.object({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        parameters: z.array(parameter).optional(),
        requestBody: z
          .object({
            content: z.object({
              "application/json": z.object({
                schema: z.object({ properties: z.record(z.string(), z.unknown()) }),
              }),
            }),
          })
          .optional(),
        responses: z.record(z.string(), z.unknown()),
      }),
    ),
  ),
});

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.close());

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: string | undefined;
  readonly type: string;
  readonly statuses: readonly string[];
}

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.constantFrom("", " ", "reason", "a".repeat(600)),
);
const value = fc.oneof(
  text,
  fc.constantFrom(0, 1, -1, 0.001, 12.345, 99.999, 100, 101, 1e21, 5e-324, true, false, null),
  fc.double({ noNaN: true }),
  fc.jsonValue({ maxDepth: 2 }),
);
const query = fc.oneof(text, fc.constantFrom("1", "1000", "0", "-1", "1e3", "GET", "/checkout"));

async function calls(): Promise<fc.Arbitrary<Call>> {
  const { paths } = described.parse((await rig.call("GET", "/openapi.json")).json);
  const arbitraries = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(() => path !== "/api/v1/events")
      .map(([method, { parameters = [], requestBody, responses }]) => {
        const keys = Object.keys(requestBody?.content["application/json"].schema.properties ?? {});
        const record = Object.fromEntries(
          keys.map((key) => [key, key === "waitMs" ? fc.constantFrom(0, -1, "x") : value]),
        );
        const object = fc.record(record, { requiredKeys: [] });
        const body = fc.oneof(
          { weight: 6, arbitrary: object.map((fields) => JSON.stringify({ waitMs: 0, ...fields })) },
          { weight: 1, arbitrary: fc.json() },
          { weight: 1, arbitrary: text },
        );
        const name = fc.oneof(
          { weight: 4, arbitrary: fc.constantFrom(...Object.keys(cutovers)) },
          { weight: 1, arbitrary: fc.string({ unit: "grapheme", minLength: 1 }) },
        );
        const queries = parameters.filter((one) => one.in === "query").map((one) => one.name);
        return fc
          .record({
            name,
            body: keys.length > 0 ? fc.option(body, { nil: undefined }) : fc.constant(undefined),
            type: fc.oneof(
              { weight: 8, arbitrary: fc.constant("application/json") },
              {
                weight: 1,
                arbitrary: fc.constantFrom("text/plain", "a/b; c", "application/json; charset=latin1"),
              },
            ),
            asked: fc.record(Object.fromEntries(queries.map((one) => [one, query])), { requiredKeys: [] }),
          })
          .map((drawn): Call => {
            const search = new URLSearchParams();
            for (const [key, one] of Object.entries(drawn.asked)) search.set(key, String(one));
            return {
              method: method.toUpperCase(),
              path: `${path.replace("{name}", safeName(drawn.name))}${search.size > 0 ? `?${search}` : ""}`,
              body: drawn.body,
              type: drawn.type,
              statuses: Object.keys(responses),
            };
          });
      }),
  );
  return fc.oneof(...arbitraries);
}

/** `.` and `..` would be taken out of the path by the client. */
function safeName(name: string): string {
  return /^\.{1,2}$/.test(name) ? "dots" : encodeURIComponent(name);
}

describe("requests made from the description", () => {
  it(`are never answered by an unforeseen error, nor by a status that is not described (seed ${seed})`, async () => {
    const seen = new Set<number>();
    await fc.assert(
      fc.asyncProperty(await calls(), async ({ method, path, body, type, statuses }) => {
        const headers = body === undefined ? {} : { "content-type": type };
        const reply = await rig.call(method, path, body === "" ? undefined : body, { headers });
        seen.add(reply.status);
        expect(reply.status, reply.text).toBeLessThan(500);
        expect(statuses).toContain(String(reply.status));
        if (reply.status < 400) return;
        expect(reply.headers.get("content-type")).toMatch(/^application\/problem\+json/);
        expect(problem.parse(reply.json).status).toBe(reply.status);
      }),
      { numRuns: 500, seed, verbose: 1 },
    );
    expect(rig.lines.filter(({ level }) => level === "error")).toEqual([]);
    // The generator must reach both what is right and what is wrong.
    for (const status of [200, 400, 404, 415, 422]) expect(seen).toContain(status);
  });
});

/**
 * Requests made from the API's own description, right and wrong in every part, of everybody and nobody, with and
 * without the store: none is ever answered by an unforeseen error, and every answer is one that the description gives
 * the call. CUTOVER_BARS=full: 20,000 of them.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { problemDetails } from "../../../src/admin/api/problem-details.ts";
import { roles } from "../../../src/state/rules/model.ts";
import { cutovers, type Rig, secretOf, startRig, tokens } from "./rig.ts";

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

const isFull = process.env.CUTOVER_BARS === "full";
const numRuns = isFull ? 20_000 : 1000;

let rig: Rig;
let session: Readonly<Record<string, string>> = {};
beforeAll(async () => {
  const approval = { over: 10, ttl: 60_000 };
  rig = await startRig({
    auth: tokens,
    cutovers: { ...cutovers, search: { ...cutovers.search, approval } },
  });
  await signIn();
});

const signedIn = z.object({ csrf: z.string(), path: z.string() });
/** Where the session's cookie goes. */
let root = "/";

async function signIn(): Promise<void> {
  const reply = await rig.call("POST", "/api/v1/session", undefined, { role: "operator" });
  const cookie = reply.headers.get("set-cookie")?.split(";")[0] ?? "";
  const { csrf, path } = signedIn.parse(reply.json);
  session = { cookie, "x-csrf-token": csrf };
  root = path;
}
afterAll(() => rig.close());

const callers = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...roles).map((role) => `Bearer ${secretOf(role)}`) },
  { weight: 6, arbitrary: fc.constant(`Bearer ${secretOf("admin")}`) },
  { weight: 1, arbitrary: fc.constantFrom("Bearer wrong", "Bearer a.b.c", "Basic x", "Bearer") },
  { weight: 3, arbitrary: fc.constantFrom("session", "cookie", "nobody") },
);

interface Call {
  readonly caller: string;
  /** Whether the store is out of reach just then. */
  readonly isCutOff: boolean;
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
/** What makes a change that can be made, so that more than refusals is met. */
const sound: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  percent: fc.constantFrom(0, 5, 12.5, 50, 99),
  reason: fc.constantFrom("step", "errors level for a day"),
  ifVersion: fc.constant(undefined),
};
/** What is closed stays so, and what is latched refuses: the rest of the run would meet little else. */
const weights = [
  ["/close", 1],
  ["/rollback", 10],
  ["/hold", 10],
  ["/resume", 40],
  ["/percent", 120],
] as const;
const query = fc.oneof(text, fc.constantFrom("1", "1000", "0", "-1", "1e3", "GET", "/checkout"));

async function calls(): Promise<fc.Arbitrary<Call>> {
  const { paths } = described.parse((await rig.call("GET", "/openapi.json")).json);
  const arbitraries = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(() => path !== "/api/v1/events")
      .map(([method, { parameters = [], requestBody, responses }]) => {
        const keys = Object.keys(requestBody?.content["application/json"].schema.properties ?? {});
        const record = Object.fromEntries(
          keys.map((key) => [
            key,
            // Nothing is waited for.
            key === "waitMs"
              ? fc.constantFrom(0, 0, 0, -1, "x")
              : fc.oneof({ weight: 6, arbitrary: sound[key] ?? value }, { weight: 1, arbitrary: value }),
          ]),
        );
        const object = fc.oneof(
          { weight: 3, arbitrary: fc.record(record) },
          { weight: 1, arbitrary: fc.record(record, { requiredKeys: [] }) },
        );
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
        const arbitrary = fc
          .record({
            name,
            caller: callers,
            isCutOff: fc.integer({ min: 0, max: 24 }).map((drawn) => drawn === 0),
            id: fc.oneof(fc.constant("OPEN"), fc.string({ unit: "grapheme", minLength: 1, maxLength: 9 })),
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
              caller: drawn.caller,
              isCutOff: drawn.isCutOff,
              path: `${path.replace("{name}", safeName(drawn.name)).replace(/\{(?:id|handle)\}/, safeName(drawn.id))}${search.size > 0 ? `?${search}` : ""}`,
              body: drawn.body,
              type: drawn.type,
              statuses: Object.keys(responses),
            };
          });
        return { path, arbitrary };
      }),
  );
  return fc.oneof(
    ...arbitraries.map(({ path, arbitrary }) => ({
      weight: weights.find(([call]) => path.endsWith(call))?.[1] ?? 25,
      arbitrary,
    })),
  );
}

/** `.` and `..` would be taken out of the path by the client. */
function safeName(name: string): string {
  return /^\.{1,2}$/.test(name) ? "dots" : encodeURIComponent(name);
}

function rootOf(caller: string): string {
  return caller === "session" || caller === "cookie" ? root : "/";
}

function headersOf(caller: string): Readonly<Record<string, string>> {
  if (caller === "session") return session;
  if (caller === "cookie") return { cookie: session.cookie ?? "" };
  return caller === "nobody" ? {} : { authorization: caller };
}

describe("requests made from the description", () => {
  test(`are never answered by an unforeseen error, nor by a status that is not described (seed ${seed})`, async () => {
    const seen = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(await calls(), async ({ caller, isCutOff, method, path, body, type, statuses }) => {
        const open = path.includes("/OPEN") ? await rig.store.proposal("search") : undefined;
        const headers = { ...headersOf(caller), ...(body === undefined ? {} : { "content-type": type }) };
        rig.connection = isCutOff ? "down" : "up";
        const target = rootOf(caller) + path.replace("/OPEN", `/${open?.id ?? "none"}`).slice(1);
        const reply = await rig.call(method, target, body === "" ? undefined : body, { headers });
        rig.connection = "up";
        seen.set(reply.status, (seen.get(reply.status) ?? 0) + 1);
        expect(statuses, reply.text).toContain(String(reply.status));
        if (reply.status === 204) await signIn();
        if (reply.status < 400) return;
        expect(reply.headers.get("content-type")).toMatch(/^application\/problem\+json/);
        const { code, status } = problemDetails.parse(reply.json);
        expect(status).toBe(reply.status);
        expect(reply.text).not.toMatch(/node_modules|\.ts\b|\bat [A-Za-z]+ \(/);
        if (reply.status >= 500)
          expect([reply.status, code, isCutOff]).toEqual([503, "store_unavailable", true]);
      }),
      { numRuns, seed, verbose: 1 },
    );
    const counts = [...seen].sort(([one], [other]) => one - other);
    console.info(
      `fuzz: ${numRuns} requests, ${counts.map(([status, count]) => `${status}: ${count}`).join(", ")}`,
    );
    expect(rig.lines.filter(({ message }) => message.includes("unexpected"))).toEqual([]);
    // The generator must reach both what is right and what is wrong.
    const rare = isFull ? [202, 204, 409, 429, 503] : [];
    for (const status of [200, 400, 401, 403, 404, 415, 422, ...rare]) {
      expect([...seen.keys()]).toContain(status);
    }
  }, 600_000);
});

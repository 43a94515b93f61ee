/** Spans of requests, as a collector of OTLP over HTTP receives them. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from "node:http";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { configSchema } from "../../src/config/schema.ts";
import { composeInstance, type Instance } from "../../src/instance/instance.ts";
import { freePort } from "../support/free-port.ts";
import { until } from "../support/until.ts";

const attribute = z.object({
  key: z.string(),
  value: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});
const span = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.int(),
  startTimeUnixNano: z.string().transform(BigInt),
  endTimeUnixNano: z.string().transform(BigInt),
  attributes: z
    .array(attribute)
    .transform((all) => Object.fromEntries(all.map(({ key, value }) => [key, Object.values(value)[0]]))),
  status: z.object({ code: z.int().default(0) }),
});
type Span = z.output<typeof span>;
const delivery = z.object({
  resourceSpans: z.array(z.object({ scopeSpans: z.array(z.object({ spans: z.array(span) })) })),
});

const kinds = { server: 2, client: 3 } as const;
const failed = 2;

interface Delivered {
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

const delivered: Delivered[] = [];
/** What the shop was told, by path. */
const told = new Map<string, string>();
const servers: Server[] = [];
let instance: Instance;

async function listen(handle: RequestListener): Promise<string> {
  const made = createServer(handle);
  servers.push(made);
  made.listen(0, "127.0.0.1");
  await once(made, "listening");
  const { port } = z.object({ port: z.int() }).parse(made.address());
  return `http://127.0.0.1:${port}`;
}

beforeAll(async () => {
  const collector = await listen(async (request, response) => {
    const { url, headers } = request;
    delivered.push({ url, headers, text: (await buffer(request)).toString() });
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
  });
  const shop = await listen((request, response) => {
    const path = request.url?.split("?")[0] ?? "";
    told.set(path, String(request.headers.traceparent));
    response.writeHead(path === "/cart/broken" ? 500 : 200, { "set-cookie": "sid=answered" }).end("well");
  });
  const config = configSchema.parse({
    listeners: { proxy: { port: 0 }, admin: { port: 0 } },
    store: "memory:",
    snapshot: "off",
    spool: "off",
    otlp: { url: collector, headers: { "x-collector-key": "k1" } },
    upstreams: { old: { url: shop }, fresh: { url: `http://127.0.0.1:${await freePort()}` } },
    default: "old",
    cutovers: {
      checkout: {
        legacy: "old",
        new: "fresh",
        fallback: true,
        shopper: ["header:x-shopper-id"],
        routes: [{ name: "cart", path: "/cart/*" }],
        force: {
          header: "x-force",
          // Of `sesame`.
          secrets: ["d0c04f4b1951e4aeaaec8223ed2039e542f3aae805a6fa7f6d794e5afff5d272"],
        },
      },
    },
  });
  instance = await composeInstance(config, { version: "test", logLevel: "silent", accessLog: false });
});

afterAll(async () => {
  await instance.close();
  for (const each of servers) each.close();
});

async function ask(path: string, headers: Readonly<Record<string, string>> = {}): Promise<number> {
  const answer = await fetch(new URL(path, instance.proxy.url), { headers });
  await answer.text();
  return answer.status;
}

function spansOf(traceId: string): Span[] {
  return delivered
    .flatMap(({ text }) => delivery.parse(JSON.parse(text)).resourceSpans)
    .flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
    .filter((one) => one.traceId === traceId);
}

async function awaited(traceId: string, count: number): Promise<readonly [Span, ...Span[]]> {
  await until(`${count} spans of ${traceId}`, () => spansOf(traceId).length >= count, 15_000);
  // The server's first.
  return z
    .tuple([z.custom<Span>()], z.custom<Span>())
    .parse(spansOf(traceId).sort((a, b) => a.kind - b.kind));
}

const traceId = (digit: string) => digit.repeat(32);
const parentId = "00f067aa0ba902b7";

test("a request of a trace is a span of it, with one for the side, which is told of that", async () => {
  const trace = traceId("a");
  const before = BigInt(Date.now()) * 1_000_000n;
  const headers = { traceparent: `00-${trace}-${parentId}-01`, "x-shopper-id": "anna" };
  expect(await ask("/cart/1", headers)).toBe(200);
  const [server, client] = await awaited(trace, 2);
  expect(server).toMatchObject({ kind: kinds.server, name: "GET checkout/cart", parentSpanId: parentId });
  expect(server.attributes).toMatchObject({
    "http.request.method": "GET",
    "http.response.status_code": 200,
    "cutover.name": "checkout",
    "cutover.route": "cart",
    "cutover.side": "legacy",
    "cutover.reason": "bucket",
    "cutover.outcome": "ok",
    "cutover.percent": 0,
    "cutover.state": "open",
  });
  expect(client).toMatchObject({ kind: kinds.client, name: "GET", parentSpanId: server.spanId });
  expect(told.get("/cart/1")).toBe(`00-${trace}-${client?.spanId}-01`);
  const after = BigInt(Date.now() + 1) * 1_000_000n;
  const [from = 0n, to = 0n] = [client?.startTimeUnixNano, client?.endTimeUnixNano];
  const times = [
    before - 2_000_000n,
    server.startTimeUnixNano,
    from,
    to,
    server.endTimeUnixNano,
    after + 2_000_000n,
  ];
  expect([...times].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))).toEqual(times);
  const [first] = delivered;
  expect(first?.url).toBe("/v1/traces");
  expect(first?.headers["x-collector-key"]).toBe("k1");
});

test("a request of no trace begins one, and one that is not to be kept is passed on as it came", async () => {
  expect(await ask("/elsewhere")).toBe(200);
  const [, begun = "", spanId = ""] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-01$/.exec(told.get("/elsewhere") ?? "") ?? [];
  const [server, client] = await awaited(begun, 2);
  expect(server.parentSpanId ?? "").toBe("");
  expect(server.attributes).toMatchObject({ "cutover.name": "none", "cutover.side": "none" });
  expect(client?.spanId).toBe(spanId);

  const unkept = `00-${traceId("b")}-${parentId}-00`;
  expect(await ask("/cart/unkept", { traceparent: unkept })).toBe(200);
  expect(told.get("/cart/unkept")).toBe(unkept);
  await ask("/cart/later", { traceparent: `00-${traceId("c")}-${parentId}-01` });
  await awaited(traceId("c"), 2);
  expect(spansOf(traceId("b"))).toEqual([]);
});

test("what fails is marked, and a request that falls back has a span for each side", async () => {
  await ask("/cart/broken", { traceparent: `00-${traceId("d")}-${parentId}-01` });
  const [server, client] = await awaited(traceId("d"), 2);
  expect([server.status.code, client?.status.code]).toEqual([failed, failed]);
  expect(client?.attributes).toMatchObject({ "cutover.outcome": "server_error" });

  const forced = { traceparent: `00-${traceId("e")}-${parentId}-01`, "x-force": "new sesame" };
  expect(await ask("/cart/2", { ...forced, "x-shopper-id": "anna" })).toBe(200);
  const [whole, ...attempts] = await awaited(traceId("e"), 3);
  expect(whole.attributes).toMatchObject({ "cutover.reason": "fallback", "cutover.side": "legacy" });
  expect(
    attempts.map(({ attributes, status }) => [attributes["cutover.outcome"], status.code]).sort(),
  ).toEqual([
    ["connect_failed", failed],
    ["ok", 0],
  ]);
  for (const each of attempts) expect(each.parentSpanId).toBe(whole.spanId);
});

test("nothing that a request says of its own is delivered", async () => {
  await ask("/cart/secret-path?token=secret-query", {
    traceparent: `00-${traceId("f")}-${parentId}-01`,
    "x-shopper-id": "secret-shopper",
    authorization: "Bearer secret-token",
    cookie: "sid=secret-cookie",
    "x-force": "new secret-force",
    "user-agent": "secret-agent",
  });
  await awaited(traceId("f"), 2);
  const all = delivered.map(({ text }) => text).join("\n");
  expect(all).not.toMatch(/secret-|sesame|anna|answered/);
});

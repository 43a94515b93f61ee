/**
 * What is asked of a shop directly, and through the proxy: the shop sees the same, and the same is answered, octet for
 * octet, but for what belongs to a connection, what tells of the way, the date and the request's id. Half of the URLs are
 * on a route of a cutover that reads keys, half on none. CUTOVER_BARS=full: 500 URLs.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RawUpstream, type ReceivedRequest, startRawUpstream } from "../../support/raw-upstream.ts";
import { connectRaw, type ReceivedHead, type ReceivedResponse } from "../../support/wire-client.ts";
import { engineNames, type Running, startProxy } from "../proxy/lab.ts";
import { digestOf, origin } from "./origin.ts";
import { requestOf, type Sent } from "./requests.ts";

const urls = process.env.CUTOVER_BARS === "full" ? 500 : 100;
const seed = Number(process.env.CUTOVER_SEED ?? Math.floor(Math.random() * 2 ** 31));

const ofTheConnection = [
  ...["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"],
];
const ofEachHop = ["host", "content-length"];
const ofTheWay = ["via", "date", "x-request-id", "forwarded", "traceparent", "tracestate"];

const reading = {
  owners: [
    { key: ["query:order_id", "form:order_id", "json:/order_id"], learn: ["json:/orderId"], ttl: "1h" },
  ],
  anonymous: "legacy",
};

describe.each(engineNames)(`${urls} URLs, directly and through %s (CUTOVER_SEED=${seed})`, (engine) => {
  const cleanups: (() => Promise<unknown>)[] = [];
  let raw: RawUpstream;
  let proxy: Running;
  beforeAll(async () => {
    raw = await startRawUpstream(origin);
    cleanups.push(() => raw.close());
    proxy = await startProxy(engine, raw, { cutover: reading }, cleanups);
  });
  afterAll(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  /** What the shop saw, and what it was heard to say. */
  async function ask(url: string | URL, { bytes, method }: Sent) {
    raw.requests().splice(0);
    const client = await connectRaw(url);
    client.write(bytes);
    const answer = await client.response(method);
    client.socket.destroy();
    const [seen, ...more] = raw.requests();
    if (seen === undefined || more.length > 0) throw new Error(`the shop has seen ${raw.requests().length}`);
    return { seen: essenceOfRequest(seen, engine), answer: essenceOfAnswer(answer) };
  }

  test("they are asked and answered alike", async () => {
    const statuses = new Map<number, number>();
    for (let number = 0; number < urls; number++) {
      const sent = requestOf(seed, number);
      const direct = await ask(raw.url, sent);
      const proxied = await ask(proxy.url, sent);
      expect({ number, ...proxied }, `${number}: ${sent.method} ${sent.target}`).toEqual({
        number,
        ...direct,
      });
      statuses.set(direct.answer.status, (statuses.get(direct.answer.status) ?? 0) + 1);
    }
    // What varies is not by chance all the same.
    expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 206, 304]));
    expect([...statuses.keys()].filter((status) => status >= 300 && status < 304).length).toBeGreaterThan(0);
  });
});

function essenceOfRequest({ line, fields, body, trailers }: ReceivedRequest, engine: string) {
  // A body that was read for a key goes on with its length.
  const kept = endToEnd(fields).filter(
    ([name]) => !name.startsWith("x-forwarded-") && name !== "content-length",
  );
  // It joins repeated fields (known-deviations.ts).
  const joined = new Map<string, string[]>();
  for (const [name, , value] of kept) joined.set(name, [...(joined.get(name) ?? []), value]);
  return {
    line,
    fields:
      engine === "http-proxy"
        ? [...joined].map(([name, values]) => [name, values.join(name === "cookie" ? "; " : ", ")]).toSorted()
        : kept,
    body: digestOf(body),
    trailers,
  };
}

function essenceOfAnswer({ status, reason, fields, body, trailers, interims }: ReceivedResponse) {
  const early = interims.map((head: ReceivedHead) => ({
    status: head.status,
    fields: endToEnd(head.fields),
  }));
  return { status, reason, fields: endToEnd(fields), body: digestOf(body), trailers, early };
}

/**
 * Name in lower case, name as spelt and value of each field that is not of the connection and does not tell of the way.
 * Host and Content-Length, with which each hop addresses and frames what it sends, come first and in no spelling.
 */
function endToEnd(flat: readonly string[]): (readonly [string, string, string])[] {
  const all: (readonly [string, string, string])[] = [];
  for (let at = 0; at < flat.length; at += 2) {
    const spelt = flat[at] ?? "";
    all.push([spelt.toLowerCase(), spelt, flat[at + 1] ?? ""]);
  }
  const named = all
    .filter(([name]) => name === "connection")
    .flatMap(([, , value]) => value.toLowerCase().split(/\s*,\s*/));
  const left = new Set([...ofTheConnection, ...ofTheWay, ...ofEachHop, ...named]);
  const own = all.filter(([name]) => ofEachHop.includes(name));
  return [
    ...own.map(([name, , value]) => [name, name, value] as const).toSorted(),
    ...all.filter(([name]) => !left.has(name)),
  ];
}

import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import type { RequestHead } from "../../../../src/proxy/inbound.ts";
import { forwardRequest } from "../../../../src/proxy/relay/forward-request.ts";
import { readArrival } from "../../../../src/proxy/request/arrival.ts";
import { createFixture, type FixtureOptions } from "../../../support/exchange-fixture.ts";
import { valuesOf } from "../../../support/raw-upstream.ts";

function forwarded(
  change: Partial<RequestHead> = {},
  content: Buffer | Readable = Readable.from([]),
  options: FixtureOptions = {},
) {
  const { context } = createFixture(options);
  const head: RequestHead = {
    method: "GET",
    target: "/cart/1?x=%41",
    fields: ["Host", "shop.example"],
    version: "1.1",
    framing: { kind: "none" },
    peer: { address: "192.0.2.7", encrypted: false },
    ...change,
  };
  const arrival = readArrival(context.table, head, context.fieldNames.of(head.fields), context.proxyName);
  if ("proxyError" in arrival) throw new Error(arrival.detail);
  const named = { requestId: "id-1", traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` };
  return forwardRequest(context, arrival, context.table.fallthrough.destination, named, content, false);
}

test("the next hop is asked for the target as it came, and told of the way here", () => {
  const { method, target, fields, body, upgrade } = forwarded();
  expect({ method, target, body, upgrade }).toEqual({
    method: "GET",
    target: "/cart/1?x=%41",
    body: { kind: "none" },
    upgrade: undefined,
  });
  expect(fields.slice(0, 2)).toEqual(["Host", "shop.example"]);
  expect(valuesOf(fields, "x-forwarded-for")).toEqual(["192.0.2.7"]);
  expect(valuesOf(fields, "via")).toEqual(["1.1 cutover-test"]);
  expect(valuesOf(fields, "x-request-id")).toEqual(["id-1"]);
});

test("the body is framed as its sender framed it, buffered or not", () => {
  const content = Buffer.from("items=3");
  const stream = Readable.from([content]);
  const post = { method: "POST", target: "/cart/1" };
  expect(forwarded({ ...post, framing: { kind: "sized", length: 7 } }, content).body).toEqual({
    kind: "sized",
    length: 7,
    content,
  });
  const chunked = { ...post, fields: ["Host", "h", "Transfer-Encoding", "chunked"] };
  const { body, fields } = forwarded({ ...chunked, framing: { kind: "chunked" } }, stream);
  expect(body).toEqual({ kind: "chunked", content: stream });
  expect(valuesOf(fields, "transfer-encoding")).toEqual([]);
});

test("an OPTIONS that may go some hops further may go one fewer (RFC 9110 §7.6.2)", () => {
  const hops = (method: string) =>
    valuesOf(forwarded({ method, fields: ["Host", "h", "Max-Forwards", "5"] }).fields, "max-forwards");
  expect(hops("OPTIONS")).toEqual(["4"]);
  expect(hops("GET")).toEqual(["5"]);
});

test("the protocol that is asked for is told beside the fields, not among them", () => {
  const fields = ["Host", "h", "Connection", "Upgrade", "Upgrade", "websocket"];
  const request = forwarded({ fields, upgrade: "websocket" });
  expect(request.upgrade).toBe("websocket");
  expect([valuesOf(request.fields, "upgrade"), valuesOf(request.fields, "connection")]).toEqual([[], []]);
});

/** The values of a field of the request, under what the configuration says of its upstream. */
function told(
  name: string,
  old: Readonly<Record<string, unknown>>,
  fields: readonly string[] = [],
  more: FixtureOptions = {},
) {
  const head = { fields: ["Host", "h", ...fields] };
  return valuesOf(forwarded(head, undefined, { old, ...more }).fields, name);
}

describe("via", () => {
  test("names this proxy on requests, or leaves it to a field that no server takes for a sign of a proxy", () => {
    expect([told("via", { via: "both" }), told("cdn-loop", { via: "both" })]).toEqual([
      ["1.1 cutover-test"],
      [],
    ]);
    expect([told("via", { via: "response" }), told("cdn-loop", { via: "response" })]).toEqual([
      [],
      ["cutover-test"],
    ]);
    expect([told("via", { via: "off" }), told("cdn-loop", { via: false })]).toEqual([[], []]);
  });

  test.each(["both", "response", "off"])(
    "%s: what others said of the way goes on, whatever Connection asks for",
    (via) => {
      const fields = ["Via", "1.0 edge", "CDN-Loop", "edge", "Connection", "via, cdn-loop"];
      expect(told("via", { via }, fields)[0]).toMatch(/^1\.0 edge(?:, 1\.1 cutover-test)?$/);
      expect(told("cdn-loop", { via }, fields)[0]).toMatch(/^edge(?:, cutover-test)?$/);
    },
  );

  test.each([
    ["both", "Via", true],
    ["response", "CDN-Loop", true],
    ["response", "Via", true],
    ["both", "CDN-Loop", false],
    ["off", "Via", true],
  ])("%s: a request whose %s names this proxy has been here before: %s", (via, name, isRefused) => {
    const fixture = createFixture({ old: { via } });
    const { heads } = fixture.send({
      method: "GET",
      target: "/cart/1",
      fields: ["Host", "h", name, `edge, ${name === "Via" ? "1.1 " : ""}cutover-test`],
    });
    expect(heads.map(({ status }) => status)).toEqual(isRefused ? [508] : []);
  });
});

describe("set", () => {
  const set = { "X-Real-IP": "client-address", "Client-Address": "client-address" };
  const spoofed = [
    ...[
      "X-Real-IP",
      "6.6.6.6",
      "x_real_ip",
      "6.6.6.6",
      "CLIENT-ADDRESS",
      "6.6.6.6",
      "Client_Address",
      "6.6.6.6",
    ],
    ...["Connection", "x-real-ip"],
  ];
  const forwardedFor = (value: string) => ["X-Forwarded-For", value];

  test("has the client's address in place of all that came by that name, in every spelling", () => {
    const { fields } = forwarded({ fields: ["Host", "h", ...spoofed] }, undefined, { old: { set } });
    expect(fields).not.toContain("6.6.6.6");
    expect([valuesOf(fields, "x-real-ip"), valuesOf(fields, "client-address")]).toEqual([
      ["192.0.2.7"],
      ["192.0.2.7"],
    ]);
    expect(fields).toContain("X-Real-IP");
  });

  test("from trusted proxies and of trusted fields too", () => {
    for (const more of [{ trustedProxies: ["192.0.2.7"] }, { trustedFields: ["X-Real-IP"] }]) {
      const { fields } = forwarded({ fields: ["Host", "h", ...spoofed] }, undefined, {
        old: { set },
        ...more,
      });
      expect(fields).not.toContain("6.6.6.6");
    }
  });

  test.each([
    ["8.8.8.8", "192.0.2.7", []],
    ["8.8.8.8", "8.8.8.8", ["192.0.2.0/24"]],
    ["6.6.6.6, 8.8.8.8, 10.0.0.3", "8.8.8.8", ["192.0.2.0/24", "10.0.0.0/8"]],
    ["6.6.6.6,8.8.8.8:4711", "8.8.8.8", ["192.0.2.0/24"]],
    ["[2001:db8::1]:443", "2001:db8::1", ["192.0.2.0/24"]],
    ["2001:db8::1", "2001:db8::1", ["192.0.2.0/24"]],
    ["::ffff:8.8.8.8", "8.8.8.8", ["192.0.2.0/24"]],
    ["10.0.0.3, 10.0.0.4", "10.0.0.3", ["192.0.2.0/24", "10.0.0.0/8"]],
    ["8.8.8.8, unknown", "192.0.2.7", ["192.0.2.0/24"]],
    ["8.8.8.8, 10.0.0.3 x", "192.0.2.7", ["192.0.2.0/24", "10.0.0.0/8"]],
    ["", "192.0.2.7", ["192.0.2.0/24"]],
  ])("of X-Forwarded-For: %s it is %s, where %j are trusted", (value, address, trustedProxies) => {
    expect(told("x-real-ip", { set }, forwardedFor(value), { trustedProxies })).toEqual([address]);
  });

  test("other upstreams are told nothing of it, and of the field nothing that a stranger said", () => {
    expect(told("client-address", {}, spoofed, { fresh: { set } })).toEqual([]);
  });
});

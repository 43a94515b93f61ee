import { Readable } from "node:stream";
import { expect, test } from "vitest";
import type { RequestHead } from "../../../../src/proxy/inbound.ts";
import { forwardRequest } from "../../../../src/proxy/relay/forward-request.ts";
import { readArrival } from "../../../../src/proxy/request/arrival.ts";
import { createFixture } from "../../../support/exchange-fixture.ts";
import { valuesOf } from "../../../support/raw-upstream.ts";

function forwarded(change: Partial<RequestHead> = {}, content: Buffer | Readable = Readable.from([])) {
  const { context } = createFixture();
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
  return forwardRequest(context, arrival, "id-1", content);
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

/**
 * A shop said errors with a 200, as GraphQL does, and 11 of its 70 failed checkouts showed as "0.00%": what `failure` says
 * of a route's answers counts against their side, and nothing of these answers is kept back or changed.
 */
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { createFixture, type FixtureOptions } from "../../../../support/exchange-fixture.ts";

const json = ["Content-Type", "application/json"];

function shop(failure: Readonly<Record<string, unknown>>, owners: Readonly<Record<string, unknown>> = {}) {
  const options: FixtureOptions = {
    state: { percentThousandths: 100_000 },
    cutover: { owners, routes: [{ name: "graphql", path: "/graphql", failure }] },
  };
  const fixture = createFixture(options);
  return {
    fixture,
    answered(status: number, fields: readonly string[], ...chunks: readonly (string | Buffer)[]) {
      const before = fixture.counted.length;
      const client = fixture.send({
        method: "POST",
        target: "/graphql",
        fields: ["Host", "shop.example", "X-Shopper-Id", "a"],
      });
      const sink = fixture.attempts.at(-1)?.sink;
      sink?.head({ status, reason: "", fields });
      for (const chunk of chunks) sink?.data(Buffer.from(chunk));
      expect(client.body(), "nothing is kept back").toBe(
        Buffer.concat(chunks.map((one) => Buffer.from(one))).toString(),
      );
      sink?.end([]);
      expect(client.heads[0]?.status).toBe(status);
      expect(client.ended()).toBe(true);
      return fixture.counted.slice(before);
    },
  };
}

describe("an answer that failed with a 200 or a 4xx", () => {
  test.each([
    ["errors in it", '{"errors":[{"message":"out of stock"}],"data":null}', "failed"],
    ["an error code below data", '{"data":{"checkout":{"errorCode":"E7"}}}', "failed"],
    ["an error code below a list", '{"data":[{"errorCode":null},{"errorCode":7}]}', "failed"],
    ["none of these", '{"data":{"checkout":{"errorCode":null}}}', "ok"],
    ["an empty list of errors", '{"errors":[],"data":{"checkout":{}}}', "ok"],
    ["nothing at all", "", "ok"],
  ])("a GraphQL answer with %s", (_, body, outcome) => {
    const { answered, fixture } = shop({ json: ["/errors/0", "/data/*/errorCode"] });
    expect(answered(200, json, body.slice(0, 7), body.slice(7))).toEqual([`new ${outcome}`]);
    expect(fixture.entries[0]).toMatchObject({ outcome, status: 200 });
    expect(fixture.entries[0]?.code).toBe(outcome === "failed" ? "failed" : undefined);
  });

  test.each([
    [409, "failed"],
    [422, "failed"],
    [404, "ok"],
    [200, "ok"],
    [303, "failed"],
    [500, "server_error"],
  ])("by its status: %d is %s", (status, outcome) => {
    const { answered } = shop({ status: [409, 422, 429, "3xx"] });
    expect(answered(status, json, "{}")).toEqual([`new ${outcome}`]);
  });

  test.each([
    [["X-Checkout-Error", "E7"], "failed"],
    [["X-Checkout-Error", ""], "ok"],
    [["X-Result", "declined"], "failed"],
    [["X-Result", "approved"], "ok"],
  ])("by a field of its head: %j is %s", (fields, outcome) => {
    const { answered } = shop({ header: ["X-Checkout-Error", "x-result=declined"] });
    expect(answered(200, fields, "<html>")).toEqual([`new ${outcome}`]);
  });

  test.each([
    ["/state=failed", '{"state":"failed"}', "failed"],
    ["/state=failed", '{"state":"done"}', "ok"],
    ["/lines/*/qty=0", '{"lines":[{"qty":1},{"qty":0}]}', "failed"],
    ["/lines/*/code#^E[0-9]+$", '{"lines":{"a":{"code":"ok"},"b":{"code":"E12"}}}', "failed"],
    ["/lines/*/ok=false", '{"lines":[{"ok":true},{"ok":false}]}', "failed"],
    ["/*/*", '{"a":{"b":""},"c":[null]}', "ok"],
  ])("one pointer stands by itself: %s of %s is %s", (pointer, body, outcome) => {
    expect(shop({ json: pointer }).answered(200, json, body)).toEqual([`new ${outcome}`]);
  });

  test("one that the upstream has compressed is read all the same", () => {
    const body = gzipSync('{"errors":[1]}');
    const client = shop({ json: "/errors/0" });
    const fixture = client.fixture;
    fixture.send({ method: "POST", target: "/graphql", fields: ["Host", "shop.example"] });
    const sink = fixture.attempts[0]?.sink;
    sink?.head({ status: 200, reason: "", fields: [...json, "Content-Encoding", "gzip"] });
    sink?.data(body);
    sink?.end([]);
    expect(fixture.counted).toEqual(["legacy failed"]);
  });
});

describe("an answer whose body cannot be read goes by its status, and that is counted", () => {
  const failure = { json: "/errors/0" };

  test("larger than owners.learnBody", () => {
    const { answered } = shop(failure, { learnBody: "1KiB" });
    const body = `{"errors":[1],"more":"${"x".repeat(2000)}"}`;
    expect(answered(200, json, body.slice(0, 500), body.slice(500))).toEqual([
      "unread answer new too_large",
      "new ok",
    ]);
  });

  test.each([
    ["a page", ["Content-Type", "text/html"], "<html>errors</html>", "not_json"],
    ["a stream of events", ["Content-Type", "text/event-stream"], 'data: {"errors":[1]}', "stream"],
    ["no JSON although it says so", json, '{"errors":[1]', "malformed"],
    ["a coding nobody knows here", [...json, "Content-Encoding", "zstd"], "?", "coding"],
  ])("%s", (_, fields, body, why) => {
    expect(shop(failure).answered(200, fields, body)).toEqual([`unread answer new ${why}`, "new ok"]);
  });

  test("a status that tells needs no body", () => {
    const { answered } = shop({ ...failure, status: 422 });
    expect(answered(422, ["Content-Type", "text/html"], "<html>")).toEqual(["new failed"]);
  });
});

test("an answer that breaks off has failed by that", () => {
  const { fixture } = shop({ json: "/errors/0" });
  fixture.send({ method: "POST", target: "/graphql", fields: ["Host", "shop.example"] });
  const sink = fixture.attempts[0]?.sink;
  sink?.head({ status: 200, reason: "", fields: json });
  sink?.data(Buffer.from('{"errors":[1]'));
  sink?.failure({ outcome: "reset", sent: true, code: "ECONNRESET" });
  expect(fixture.counted).toEqual(["legacy reset"]);
});

test("a route without failure is asked for nothing", () => {
  const fixture = createFixture({ cutover: { owners: [], routes: [{ name: "graphql", path: "/graphql" }] } });
  fixture.send({ method: "POST", target: "/graphql", fields: ["Host", "shop.example"] });
  const sink = fixture.attempts[0]?.sink;
  sink?.head({ status: 422, reason: "", fields: json });
  sink?.end([]);
  expect(fixture.counted).toEqual(["legacy ok"]);
});

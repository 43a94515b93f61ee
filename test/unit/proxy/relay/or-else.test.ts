import { describe, expect, test } from "vitest";
import { answer, createFixture, type FixtureOptions } from "../../../support/exchange-fixture.ts";
import { valuesOf } from "../../../support/raw-upstream.ts";

const routes = [
  { name: "files", path: "/assets/*", orElse: "other" },
  { name: "cart", path: "/cart/*" },
];

function shop(options: FixtureOptions = {}) {
  return createFixture({ ...options, cutover: { routes, ...options.cutover } });
}

type Head = Partial<Parameters<ReturnType<typeof createFixture>["send"]>[0]>;

function ask(fixture: ReturnType<typeof createFixture>, head: Head = {}, body?: string) {
  const fields = ["Host", "shop.example", "X-Shopper-Id", "ana", ...(head.fields ?? [])];
  return fixture.send({ method: "GET", target: "/assets/a.css?v=1", ...head, fields }, body);
}

describe("a 404 of one side", () => {
  test("is asked of the other, without what tells who asks, and what that has is the answer without its cookies", () => {
    const fixture = shop();
    const secrets = ["Cookie", "sid=1", "Authorization", "Bearer a", "If-None-Match", '"x"'];
    const client = ask(fixture, { fields: secrets });
    answer(fixture.attempts[0], 404, ["Set-Cookie", "old=1"], "not here");
    const [first, second] = fixture.attempts;
    expect([first?.upstream, second?.upstream]).toEqual(["old", "fresh"]);
    expect(valuesOf(first?.request.fields ?? [], "cookie")).toEqual(["sid=1"]);
    const { method, target, fields = [], body } = second?.request ?? {};
    expect({ method, target, body }).toEqual({
      method: "GET",
      target: "/assets/a.css?v=1",
      body: { kind: "none" },
    });
    expect(fields.join("\n")).not.toMatch(/cookie|authorization|sid=1|bearer/i);
    expect(valuesOf(fields, "if-none-match")).toEqual(['"x"']);
    expect(client.heads).toEqual([]);
    answer(second, 200, ["Set-Cookie", "new=1", "ETag", '"y"'], "body{}");
    expect(client.heads.map(({ status }) => status)).toEqual([200]);
    expect(client.heads[0]?.fields.join("\n")).not.toMatch(/set-cookie/i);
    expect(valuesOf(client.heads[0]?.fields ?? [], "etag")).toEqual(['"y"']);
    expect([client.body(), client.ended()]).toEqual(["body{}", true]);
  });

  test("counts for the side that answered it as well, and what the other has counts for none", () => {
    const fixture = shop();
    ask(fixture);
    answer(fixture.attempts[0], 404);
    answer(fixture.attempts[1], 200);
    expect(fixture.counted).toEqual(["legacy ok", "found checkout new", "none ok"]);
    expect(fixture.inFlight).toEqual({ legacy: 0, new: 0, none: 0 });
    expect(fixture.decisions).toEqual(["legacy bucket"]);
    expect(fixture.entries).toEqual([
      {
        ...{ cutover: "checkout", route: "files", side: "none", reason: "bucket", orElse: "new" },
        ...{ outcome: "ok", status: 200, code: undefined },
      },
    ]);
  });

  test("of new is asked of legacy", () => {
    const fixture = shop({ state: { percentThousandths: 100_000 } });
    const client = ask(fixture, { method: "HEAD" });
    answer(fixture.attempts[0], 404);
    expect(fixture.attempts.map(({ upstream }) => upstream)).toEqual(["fresh", "old"]);
    answer(fixture.attempts[1], 304);
    expect(client.heads[0]?.status).toBe(304);
  });

  test.each([
    ["404", (fixture: ReturnType<typeof shop>) => answer(fixture.attempts[1], 404, [], "nor here")],
    ["302", (fixture: ReturnType<typeof shop>) => answer(fixture.attempts[1], 302, ["Location", "/login"])],
    ["500", (fixture: ReturnType<typeof shop>) => answer(fixture.attempts[1], 500)],
    [
      "no connection",
      (fixture: ReturnType<typeof shop>) =>
        fixture.attempts[1]?.sink.failure({ outcome: "connect_failed", sent: false, code: "ECONNREFUSED" }),
    ],
    [
      "a reset",
      (fixture: ReturnType<typeof shop>) =>
        fixture.attempts[1]?.sink.failure({ outcome: "reset", sent: true, code: "ECONNRESET" }),
    ],
  ])("stays the answer where the other one has none: %s", (_, answers) => {
    const fixture = shop();
    const client = ask(fixture);
    answer(fixture.attempts[0], 404, ["X-Of", "old"], "not here");
    answers(fixture);
    expect(client.heads.map(({ status }) => status)).toEqual([404]);
    expect(valuesOf(client.heads[0]?.fields ?? [], "x-of")).toEqual(["old"]);
    expect([client.body(), client.ended()]).toEqual(["not here", true]);
    expect(fixture.counted).toEqual(["missed checkout new", "legacy ok"]);
    expect(fixture.entries).toMatchObject([{ side: "legacy", status: 404, outcome: "ok" }]);
    expect(fixture.entries[0]).not.toHaveProperty("orElse");
  });

  test("is passed on as it comes where its body is still under way, and fails as its own side", () => {
    const fixture = shop();
    const client = ask(fixture);
    const [first] = fixture.attempts;
    first?.sink.head({ status: 404, reason: "", fields: [] });
    // No more is wanted meanwhile.
    expect(first?.sink.data(Buffer.from("a"))).toBe(false);
    answer(fixture.attempts[1], 404);
    expect(client.body()).toBe("a");
    expect(first?.sink.data(Buffer.from("b"))).toBe(true);
    expect(client.body()).toBe("ab");
    first?.sink.failure({ outcome: "reset", sent: true, code: "ECONNRESET" });
    expect(client.aborted()).toBe(true);
    expect(fixture.counted.at(-1)).toBe("legacy reset");
  });

  test("is let go of once the other one has it, whatever becomes of its rest", () => {
    const fixture = shop();
    const client = ask(fixture);
    const [first] = fixture.attempts;
    first?.sink.head({ status: 404, reason: "", fields: [] });
    first?.sink.data(Buffer.from("a"));
    fixture.attempts[1]?.sink.head({ status: 200, reason: "", fields: [] });
    expect(first?.sink.data(Buffer.from("b"))).toBe(true);
    first?.sink.failure({ outcome: "reset", sent: true, code: "ECONNRESET" });
    fixture.attempts[1]?.sink.data(Buffer.from("c"));
    fixture.attempts[1]?.sink.end([]);
    expect([client.body(), client.ended(), client.aborted()]).toEqual(["c", true, false]);
    expect(fixture.counted.at(-1)).toBe("none ok");
  });
});

describe("what the other side does is told of no side", () => {
  test("an answer that breaks off is broken off, and counts for none", () => {
    const fixture = shop();
    const client = ask(fixture);
    answer(fixture.attempts[0], 404);
    fixture.attempts[1]?.sink.head({ status: 200, reason: "", fields: [] });
    fixture.attempts[1]?.sink.failure({ outcome: "reset", sent: true, code: "ECONNRESET" });
    expect(client.aborted()).toBe(true);
    expect(fixture.counted).toEqual(["legacy ok", "found checkout new", "none reset"]);
  });

  test("a client that leaves meanwhile has given up on neither, and both are given up", () => {
    const fixture = shop();
    const client = ask(fixture);
    fixture.attempts[0]?.sink.head({ status: 404, reason: "", fields: [] });
    fixture.time.ms += 60_000;
    client.leave();
    expect(fixture.attempts.map(({ aborted }) => aborted)).toEqual([true, true]);
    expect(fixture.counted).toEqual(["legacy client_aborted"]);
    answer(fixture.attempts[1], 200);
    expect(client.heads).toEqual([]);
  });
});

describe("the other side", () => {
  test("is asked once its maintenance is over", () => {
    const fixture = shop({ state: { maintenance: "new 2020-01-01T00:00:00.000Z" } });
    ask(fixture);
    answer(fixture.attempts[0], 404);
    expect(fixture.attempts).toHaveLength(2);
  });

  test("is asked by its own rewriting, and its answer goes by that, and the 404 by the first's", () => {
    const rewrite = (to: string) => ({
      path: [{ from: "/assets/*", to: `/${to}/*` }],
      request: { set: { "X-Asked": "{side}" } },
      response: { set: { "X-From": to } },
    });
    const sides = { old: { rewrite: rewrite("theme") }, fresh: { rewrite: rewrite("build") } };
    const fixture = shop(sides);
    const client = ask(fixture, { fields: ["Cookie", "sid=1"] });
    answer(fixture.attempts[0], 404);
    answer(fixture.attempts[1], 200, ["Content-Location", "/build/b.css"]);
    const asked = fixture.attempts.map(({ request }) => [
      request.target,
      ...valuesOf(request.fields, "x-asked"),
    ]);
    expect(asked).toEqual([
      ["/theme/a.css?v=1", "legacy"],
      ["/build/a.css?v=1", "new"],
    ]);
    const value = (name: string) => valuesOf(client.heads[0]?.fields ?? [], name);
    expect([value("x-from"), value("content-location")]).toEqual([["build"], ["/assets/b.css"]]);
    const missed = shop(sides);
    const other = ask(missed);
    answer(missed.attempts[0], 404);
    answer(missed.attempts[1], 404);
    expect(valuesOf(other.heads[0]?.fields ?? [], "x-from")).toEqual(["theme"]);
  });
});

describe("no other side is asked", () => {
  const one = async (fixture: ReturnType<typeof shop>, head: Head = {}, status = 404, body?: string) => {
    const client = ask(fixture, head, body);
    await new Promise((resolve) => setImmediate(resolve));
    answer(fixture.attempts[0], status);
    expect(client.heads[0]?.status).toBe(status);
    expect(fixture.attempts).toHaveLength(1);
  };

  test.each([200, 301, 403, 410, 500])("for an answer of %d", (status) => one(shop(), {}, status));
  test.each(["POST", "OPTIONS", "DELETE"])("by %s", (method) => one(shop(), { method }));
  test("for a request with a body", () => one(shop(), {}, 404, "{}"));
  test("on a route that does not say so", () => one(shop(), { target: "/cart/1" }));
  test("for an upgrade", () => one(shop(), { upgrade: "websocket" }));
  test.each(["new 2099-01-01T00:00:00.000Z", "legacy 2020-01-01T00:00:00.000Z new 2099-01-01T00:00:00.000Z"])(
    "which is in maintenance: %s",
    (maintenance) => one(shop({ state: { maintenance } })),
  );
  test("which is legacy and closed", () =>
    one(shop({ state: { percentThousandths: 100_000, state: "closed" } })));
});

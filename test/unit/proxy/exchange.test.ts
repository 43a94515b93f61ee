import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { answer, createFixture } from "../../support/exchange-fixture.ts";
import { valuesOf } from "../../support/raw-upstream.ts";
import { turn } from "../../support/until.ts";

const host = ["Host", "shop.example"];
const shopper = (id: string) => [...host, "X-Shopper-Id", id];

describe("an exchange, driven with plain objects", () => {
  test("forwards to the side that was decided, relays the answer, settles once", () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    const client = fixture.send({ method: "GET", target: "/cart/1?x=%41", fields: shopper("a") });
    const [attempt] = fixture.attempts;
    expect(attempt).toMatchObject({ upstream: "fresh", request: { target: "/cart/1?x=%41", method: "GET" } });
    expect(fixture.inFlight.new).toBe(1);
    answer(attempt, 200, ["Content-Type", "text/plain", "Content-Length", "2"], "ok");
    expect(client.heads[0]).toMatchObject({ status: 200, length: 2 });
    expect(client.body()).toBe("ok");
    expect(client.ended()).toBe(true);
    expect(fixture.counted).toEqual(["new ok"]);
    expect(fixture.decisions).toEqual(["new bucket"]);
    expect(fixture.inFlight).toEqual({ legacy: 0, new: 0, none: 0 });
    expect(fixture.entries).toMatchObject([
      { cutover: "checkout", route: "cart", side: "new", reason: "bucket", outcome: "ok", status: 200 },
    ]);
  });

  test("sends what no cutover matches to the default upstream, counted as none", () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    fixture.send({ method: "GET", target: "/about", fields: shopper("a") });
    answer(fixture.attempts[0], 404);
    expect(fixture.attempts[0]?.upstream).toBe("old");
    expect(fixture.counted).toEqual(["none ok"]);
    expect(fixture.entries[0]).toMatchObject({ cutover: "none", route: "none", side: "none", status: 404 });
    expect(fixture.entries[0]?.code).toBeUndefined();
  });

  test.each([
    [500, "server_error"],
    [404, "ok"],
    [302, "ok"],
  ])("counts a %i of the upstream's as %s", (status, outcome) => {
    const fixture = createFixture();
    fixture.send({ method: "GET", target: "/cart/1" });
    answer(fixture.attempts[0], status);
    expect(fixture.counted).toEqual([`legacy ${outcome}`]);
  });

  test.each([
    ["connect_failed", 502, "connection_refused"],
    ["reset", 502, "connection_terminated"],
    ["protocol_error", 502, "http_protocol_error"],
    ["timeout", 504, "http_response_timeout"],
  ] as const)("answers %s with %i, problem+json and Proxy-Status (RFC 9209)", (outcome, status, error) => {
    const fixture = createFixture();
    const client = fixture.send({ method: "GET", target: "/cart/1" });
    fixture.attempts[0]?.sink.failure({ outcome, sent: true, code: "X" });
    expect(client.heads[0]?.status).toBe(status);
    expect(client.heads[0]?.fields).toContain(`cutover-test; error=${error}`);
    expect(JSON.parse(client.body())).toMatchObject({ status, code: outcome, outcome });
    expect(fixture.counted).toEqual([`legacy ${outcome}`]);
    expect(fixture.entries).toMatchObject([{ status, outcome, code: outcome }]);
  });

  test("breaks off when the upstream fails after its head: never a clean end", () => {
    const fixture = createFixture();
    const client = fixture.send({ method: "GET", target: "/cart/1" });
    fixture.attempts[0]?.sink.head({ status: 200, reason: "", fields: [] });
    fixture.attempts[0]?.sink.failure({ outcome: "reset", sent: true, code: "X" });
    expect(client.aborted()).toBe(true);
    expect(client.ended()).toBe(false);
    expect(fixture.counted).toEqual(["legacy reset"]);
    expect(fixture.entries).toMatchObject([{ status: 200, outcome: "reset", code: "reset" }]);
  });

  test("gives the upstream up when the client is gone, and hears nothing of it afterwards", () => {
    const fixture = createFixture();
    const client = fixture.send({ method: "GET", target: "/cart/1" });
    client.leave();
    fixture.attempts[0]?.sink.failure({ outcome: "reset", sent: true, code: "X" });
    expect(fixture.attempts[0]?.aborted).toBe(true);
    expect(fixture.counted).toEqual(["legacy client_aborted"]);
    expect(client.heads).toEqual([]);
  });
});

describe("refusals", () => {
  test.each([
    ["two Host fields (RFC 9112 §3.2)", { fields: [...host, ...host] }, 400],
    ["no Host field in HTTP/1.1 (RFC 9112 §3.2)", { fields: [] }, 400],
    ["dot segments", { target: "/cart/../admin" }, 400],
    ["an encoded slash", { target: "/cart/a%2fb" }, 400],
    ["a raw byte above 0x7e in the target", { target: "/cart/\xe9" }, 400],
    ["a fragment in the target", { target: "/cart/#x" }, 400],
    [
      "a transfer coding other than chunked (RFC 9112 §6.1)",
      { fields: [...host, "Transfer-Encoding", "gzip"] },
      400,
    ],
    ["both framings", { fields: [...host, "Transfer-Encoding", "chunked", "Content-Length", "3"] }, 400],
    ["TRACE", { method: "TRACE" }, 405],
    ["its own Via (RFC 9110 §7.6.3)", { fields: [...host, "Via", "1.1 lb, 1.1 cutover-test"] }, 508],
  ])("refuses %s", (_, head, status) => {
    const fixture = createFixture();
    const client = fixture.send({ method: "GET", target: "/cart/1", ...head });
    expect(client.heads[0]?.status).toBe(status);
    expect(fixture.attempts).toEqual([]);
    expect(fixture.counted).toEqual(["none rejected"]);
    expect(fixture.entries[0]?.code).toBe(JSON.parse(client.body()).code);
  });

  test("lets an HTTP/1.0 request without Host pass", () => {
    const fixture = createFixture();
    fixture.send({ method: "GET", target: "/cart/1", fields: [], version: "1.0" });
    expect(fixture.attempts).toHaveLength(1);
  });

  test("takes an absolute form's authority over Host and forwards the origin form (RFC 9112 §3.2.2)", () => {
    const fixture = createFixture();
    fixture.send({ method: "GET", target: "http://real.example/cart/1?q" });
    expect(fixture.attempts[0]?.request.target).toBe("/cart/1?q");
    expect(valuesOf(fixture.attempts[0]?.request.fields ?? [], "host")).toEqual(["real.example"]);
  });
});

describe("fields for the next hop", () => {
  const sent = (fields: readonly string[], trusts?: () => boolean) => {
    const fixture = createFixture(trusts === undefined ? {} : { trusts });
    fixture.send({ method: "GET", target: "/cart/1", fields: [...host, ...fields] });
    return fixture.attempts[0]?.request.fields ?? [];
  };

  test("drops the connection's own fields and those Connection names (RFC 9110 §7.6.1)", () => {
    const out = sent([
      "Connection",
      "x-secret, keep-alive",
      "X-Secret",
      "1",
      "Keep-Alive",
      "5",
      "TE",
      "trailers",
    ]);
    for (const name of ["connection", "x-secret", "keep-alive", "te"])
      expect(valuesOf(out, name)).toEqual([]);
  });

  test("lets no Connection field strip who is asking (CVE-2026-33805)", () => {
    const out = sent([
      "Connection",
      "x-shopper-id, cookie, x-forwarded-for, host",
      "X-Shopper-Id",
      "a",
      "Cookie",
      "b=c",
    ]);
    expect(valuesOf(out, "x-shopper-id")).toEqual(["a"]);
    expect(valuesOf(out, "cookie")).toEqual(["b=c"]);
    expect(valuesOf(out, "host")).toEqual(["shop.example"]);
    expect(valuesOf(out, "x-forwarded-for")).toEqual(["192.0.2.7"]);
  });

  const told = [
    "X-Forwarded-For",
    "1.2.3.4",
    "X-Forwarded-Proto",
    "https",
    "X-Forwarded-Port",
    "1",
    "Forwarded",
    "for=1.2.3.4",
  ];

  test("replaces what a peer that is not trusted says of the way", () => {
    const out = sent(told);
    expect(valuesOf(out, "x-forwarded-for")).toEqual(["192.0.2.7"]);
    expect(valuesOf(out, "x-forwarded-proto")).toEqual(["http"]);
    expect(valuesOf(out, "x-forwarded-port")).toEqual([]);
    expect(valuesOf(out, "forwarded")).toEqual(['for=192.0.2.7;host="shop.example";proto=http']);
  });

  const claiming = [
    ...["X_Forwarded_For", "x-forwarded_proto", "X_FORWARDED_HOST", "X_Forwarded-Prefix", "X_Request_Id"],
    ...["Content_Length", "Transfer_Encoding", "X-Real-IP", "X_Real_IP", "True-Client-IP", "X-Client-IP"],
    ...["X-Original-URL", "X-Rewrite-URL", "x-http-method-override", "X_HTTP_Method_Override"],
  ];
  const sentBy = (fixture: ReturnType<typeof createFixture>) => {
    const fields = [...host, "X_Custom", "v", ...claiming.flatMap((name) => [name, "7"])];
    fixture.send({ method: "GET", target: "/cart/1", fields });
    const names = fixture.attempts[0]?.request.fields.filter((_, i) => i % 2 === 0) ?? [];
    expect(names).toContain("X_Custom");
    return claiming.filter((name) => names.includes(name));
  };

  test("drops what a client that is not trusted says of itself, or of another target or method, in every spelling", () => {
    expect(sentBy(createFixture())).toEqual([]);
  });

  test("passes it on from a trusted proxy, and from everybody what is listed", () => {
    expect(sentBy(createFixture({ trusts: () => true }))).toEqual(claiming);
    expect(sentBy(createFixture({ trustedFields: ["X-Real-IP"] }))).toEqual(["X-Real-IP", "X_Real_IP"]);
  });

  test("appends to what a trusted proxy says (RFC 7239 §4)", () => {
    const out = sent(told, () => true);
    expect(valuesOf(out, "x-forwarded-for")).toEqual(["1.2.3.4, 192.0.2.7"]);
    expect(valuesOf(out, "x-forwarded-proto")).toEqual(["https"]);
    expect(valuesOf(out, "forwarded")[0]).toMatch(/^for=1\.2\.3\.4, for=192\.0\.2\.7;/);
  });

  test("passes a sound request id and traceparent on, and makes one for an unsound", () => {
    const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
    const kept = sent(["X-Request-Id", "abc-1", "traceparent", traceparent]);
    expect(valuesOf(kept, "x-request-id")).toEqual(["abc-1"]);
    expect(valuesOf(kept, "traceparent")).toEqual([traceparent]);
    const made = sent(["X-Request-Id", "a b", "traceparent", "00-0-0-0"]);
    expect(valuesOf(made, "x-request-id")[0]).toMatch(/^[\w-]{10,30}$/);
    expect(valuesOf(made, "traceparent")[0]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  test("adds Via both ways (RFC 9110 §7.6.3)", () => {
    expect(valuesOf(sent(["Via", "1.0 lb"]), "via")).toEqual(["1.0 lb, 1.1 cutover-test"]);
    const fixture = createFixture();
    const client = fixture.send({ method: "GET", target: "/cart/1" });
    answer(fixture.attempts[0], 200, [
      "Via",
      "1.1 origin",
      "Connection",
      "close",
      "Set-Cookie",
      "a=1",
      "Set-Cookie",
      "b=2",
    ]);
    const out = client.heads[0]?.fields ?? [];
    expect(valuesOf(out, "via")).toEqual(["1.1 origin, 1.1 cutover-test"]);
    expect(valuesOf(out, "connection")).toEqual([]);
    expect(valuesOf(out, "set-cookie")).toEqual(["a=1", "b=2"]);
  });
});

describe("journeys", () => {
  const cookieOf = (client: { heads: { fields: string[] }[] }) =>
    valuesOf(client.heads.at(-1)?.fields ?? [], "set-cookie").find((text) =>
      text.startsWith("cutover_journey="),
    );
  const start = (fixture: ReturnType<typeof createFixture>, fields: readonly string[]) => {
    const client = fixture.send({ method: "POST", target: "/checkout", fields }, "{}");
    return client;
  };

  test("keeps a checkout on the side where it began, whatever the percent does, and shows the cookie to no upstream", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    const client = start(fixture, shopper("a"));
    await turn();
    answer(fixture.attempts[0], 201);
    const cookie = cookieOf(client)?.split(";")[0] ?? "";
    expect(cookieOf(client)).toMatch(/; Path=\/; Max-Age=1800; HttpOnly; SameSite=Lax$/);
    fixture.set({ percentThousandths: 0 });
    fixture.send({
      method: "GET",
      target: "/cart/1",
      fields: [...shopper("a"), "Cookie", `x=1; ${cookie}; y=2`],
    });
    expect(fixture.attempts[1]?.upstream).toBe("fresh");
    expect(fixture.decisions[1]).toBe("new journey");
    expect(valuesOf(fixture.attempts[1]?.request.fields ?? [], "cookie")).toEqual(["x=1; y=2"]);
  });

  test("voids a journey on new after a hard rollback", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    const client = start(fixture, shopper("a"));
    await turn();
    answer(fixture.attempts[0], 201);
    fixture.set({ percentThousandths: 0, state: "rolled_back", pinEpoch: 1 });
    fixture.send({
      method: "GET",
      target: "/cart/1",
      fields: [...shopper("a"), "Cookie", cookieOf(client) ?? ""],
    });
    expect(fixture.decisions[1]).toBe("legacy rolled_back");
  });

  test("slides with each request and is Secure over TLS", async () => {
    const fixture = createFixture();
    const client = start(fixture, host);
    await turn();
    answer(fixture.attempts[0], 201);
    fixture.time.ms += 60_000;
    const later = fixture.send({
      method: "GET",
      target: "/cart/1",
      fields: [...host, "Cookie", cookieOf(client) ?? ""],
      peer: { address: "192.0.2.7", encrypted: true },
    });
    answer(fixture.attempts[1], 200);
    expect(cookieOf(later)).toMatch(/Max-Age=1800;.*; Secure$/);
  });
});

describe("owners", () => {
  const pay = (key: string) => ({
    method: "POST",
    target: "/orders/X-1/pay",
    fields: [...host, "X-Shopper-Id", "a", "Idempotency-Key", key],
  });

  test("claims an idempotency key before a byte is forwarded; a retry meets the same side", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    fixture.send(pay("k1"), "{}");
    expect(fixture.attempts).toHaveLength(0);
    await turn();
    expect(fixture.claims.get("k1")).toBe("new");
    fixture.set({ percentThousandths: 0 });
    fixture.send(pay("k1"), "{}");
    await turn();
    expect(fixture.attempts.map(({ upstream }) => upstream)).toEqual(["fresh", "fresh"]);
    expect(fixture.decisions[1]).toBe("new owner");
  });

  const refused = { outcome: "connect_failed", sent: false, code: "ECONNREFUSED" } as const;

  test("a payment that was tried while new was down goes where the rollback says: nothing sent, nothing claimed", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    fixture.send(pay("k1"), "{}");
    await turn();
    expect(fixture.claims.get("k1")).toBe("new");
    fixture.attempts[0]?.sink.failure(refused);
    await turn();
    expect(fixture.claims.has("k1")).toBe(false);
    fixture.set({ percentThousandths: 0, state: "rolled_back" });
    fixture.send(pay("k1"), "{}");
    await turn();
    expect(fixture.decisions).toEqual(["new bucket", "legacy rolled_back"]);
  });

  test("a claim is given back when its client left before anything was sent", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    fixture.send(pay("k1"), "{}").leave();
    for (let i = 0; i < 4; i++) await turn();
    expect(fixture.attempts).toHaveLength(0);
    expect(fixture.claims.has("k1")).toBe(false);
  });

  test.each([
    ["it broke off after bytes were sent", { outcome: "reset", sent: true, code: "ECONNRESET" }],
    ["no answer came", { outcome: "timeout", sent: true, code: "UND_ERR_HEADERS_TIMEOUT" }],
  ] as const)("a claim stays when %s", async (_, failure) => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    fixture.send(pay("k1"), "{}");
    await turn();
    fixture.attempts[0]?.sink.failure(failure);
    await turn();
    fixture.set({ percentThousandths: 0, state: "rolled_back" });
    fixture.send(pay("k1"), "{}");
    await turn();
    expect(fixture.decisions).toEqual(["new bucket", "new owner"]);
  });

  test("follows the claim another instance made first", async () => {
    const fixture = createFixture({
      state: { percentThousandths: 100_000 },
      owners: { record: async () => "legacy" },
    });
    fixture.send(pay("k1"), "{}");
    await turn();
    expect(fixture.decisions).toEqual(["legacy owner"]);
  });

  test("claims a new idempotency key for the side that owns the order", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    fixture.owned.set("X-1", "legacy");
    fixture.send(pay("k2"), "{}");
    await turn();
    expect(fixture.claims.get("k2")).toBe("legacy");
    expect(fixture.attempts[0]?.upstream).toBe("old");
  });

  test("learns an order from the response before the client is told of it", async () => {
    const recorded: (() => void)[] = [];
    const learned: string[] = [];
    const fixture = createFixture({
      state: { percentThousandths: 100_000 },
      owners: {
        record: (_, { key }, side) => {
          learned.push(`${key} ${side}`);
          return new Promise((resolve) => {
            recorded.push(() => resolve(undefined));
          });
        },
      },
    });
    const client = fixture.send({ method: "POST", target: "/checkout", fields: shopper("a") }, "{}");
    await turn();
    const fields = ["Content-Type", "application/json", "Location", "https://shop.example/orders/INV-7?y"];
    answer(fixture.attempts[0], 201, fields, '{"orderId":"INV-7b"}');
    await turn();
    expect(learned).toEqual(["INV-7b new", "INV-7 new"]);
    expect(client.heads).toEqual([]);
    for (const resolve of recorded) resolve();
    await turn();
    expect(client.heads[0]?.status).toBe(201);
    expect(client.body()).toBe('{"orderId":"INV-7b"}');
    expect(fixture.counted).toEqual(["new ok"]);
  });

  test("sends an order's callback to the side that made it, even where another request was named like that order before", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    const send = async (target: string, fields: string[], body?: string) => {
      fixture.send({ method: "POST", target, fields }, body);
      for (let i = 0; i < 5; i++) await turn();
    };
    const guess = [...shopper("mallory"), "Idempotency-Key", "INV-8"];
    await send("/cart/1", guess);
    fixture.set({ percentThousandths: 0 });
    await send("/checkout", shopper("a"), "{}");
    answer(fixture.attempts[1], 201, ["Content-Type", "application/json"], '{"orderId":"INV-8"}');
    await turn();
    await send("/callbacks/payment", host, '{"order_id":"INV-8"}');
    await send("/cart/1", guess);
    expect(fixture.decisions).toEqual(["new bucket", "legacy bucket", "legacy owner", "new owner"]);
  });

  test("sends a callback by the key in its JSON body, byte for byte, to the owner", async () => {
    const fixture = createFixture();
    fixture.owned.set("INV-7", "new");
    const body = '{ "order_id" : "INV-7" , "n":1.0}';
    fixture.send({ method: "POST", target: "/callbacks/payment", fields: host }, body);
    await turn();
    await turn();
    const { request, upstream } = fixture.attempts[0] ?? {};
    expect(upstream).toBe("fresh");
    expect(request?.body).toMatchObject({ kind: "sized", length: Buffer.byteLength(body) });
    if (request?.body.kind !== "sized" || !Buffer.isBuffer(request.body.content))
      throw new Error("not buffered");
    expect(request.body.content.toString()).toBe(body);
  });

  test.each([
    ["not JSON", "order_id=INV-7"],
    ["over 64 KiB", `{"order_id":"INV-7","pad":"${"x".repeat(70_000)}"}`],
  ])("gives no key for a body that is %s, counts it and forwards it whole", async (_, body) => {
    const fixture = createFixture();
    fixture.owned.set("INV-7", "new");
    fixture.send({ method: "POST", target: "/callbacks/payment", fields: host }, body);
    await turn();
    await turn();
    expect(fixture.attempts[0]?.upstream).toBe("old");
    expect(fixture.counted).toEqual(["unread body"]);
    const sent = fixture.attempts[0]?.request.body;
    if (sent?.kind !== "sized") throw new Error("not sized");
    expect(sent.length).toBe(body.length);
    expect((await buffer(Readable.from(sent.content))).toString()).toBe(body);
  });
});

describe("fallback", () => {
  const options = { state: { percentThousandths: 100_000 }, cutover: { fallback: true } };
  const refused = { outcome: "connect_failed", sent: false, code: "ECONNREFUSED" } as const;

  test("goes to legacy when the new side cannot be connected to, and counts the failure against new", () => {
    const fixture = createFixture(options);
    const client = fixture.send({ method: "GET", target: "/cart/1", fields: shopper("a") });
    fixture.attempts[0]?.sink.failure(refused);
    answer(fixture.attempts[1], 200);
    expect(fixture.attempts.map(({ upstream }) => upstream)).toEqual(["fresh", "old"]);
    expect(fixture.decisions).toEqual(["new bucket", "legacy fallback"]);
    expect(fixture.counted).toEqual(["new connect_failed", "legacy ok"]);
    expect(fixture.inFlight).toEqual({ legacy: 0, new: 0, none: 0 });
    expect(client.heads[0]?.status).toBe(200);
    expect(fixture.entries).toHaveLength(1);
  });

  test.each([
    ["a byte was sent", {}, { ...refused, sent: true }],
    ["the failure is another", {}, { ...refused, outcome: "timeout" as const }],
    ["the cutover does not allow it", { cutover: {} }, refused],
  ])("does not when %s", (_, more, failure) => {
    const fixture = createFixture({ ...options, ...more });
    fixture.send({ method: "GET", target: "/cart/1", fields: shopper("a") });
    fixture.attempts[0]?.sink.failure(failure);
    expect(fixture.attempts).toHaveLength(1);
  });

  test("does not once the request carries a key", async () => {
    const fixture = createFixture(options);
    fixture.send(
      { method: "POST", target: "/checkout", fields: [...shopper("a"), "Idempotency-Key", "k"] },
      "{}",
    );
    await turn();
    fixture.attempts[0]?.sink.failure(refused);
    expect(fixture.attempts).toHaveLength(1);
  });
});

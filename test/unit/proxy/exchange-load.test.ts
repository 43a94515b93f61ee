/** What an exchange does when its upstream is overloaded or away, and when its client sends too much or too slowly. */
import { PassThrough } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createFixture } from "../../support/exchange-fixture.ts";
import { valuesOf } from "../../support/raw-upstream.ts";
import { turn, until } from "../../support/until.ts";

const host = ["Host", "shop.example"];
const shopper = (id: string) => [...host, "X-Shopper-Id", id];
const chunked = { method: "POST", target: "/cart/1", framing: { kind: "chunked" } } as const;
const allNew = { state: { percentThousandths: 100_000 } };
/** No key may be in a body, so none is buffered. */
const streamed = { ...allNew, cutover: { owners: [], fallback: true } };

const overloaded = {
  outcome: "shed",
  sent: false,
  code: "ERR_UPSTREAM_OVERLOADED",
  retryAfterSeconds: 1,
} as const;
const breakerOpen = {
  outcome: "connect_failed",
  sent: false,
  code: "ERR_BREAKER_OPEN",
  retryAfterSeconds: 4,
} as const;

describe("an upstream that takes no more", () => {
  test("is answered for with 503 and when to come again, and counts as shed, against its side", () => {
    const fixture = createFixture(allNew);
    const client = fixture.send({ method: "GET", target: "/cart/1", fields: shopper("a") });
    fixture.attempts[0]?.sink.failure(overloaded);
    expect(client.heads[0]?.status).toBe(503);
    expect(valuesOf(client.heads[0]?.fields ?? [], "retry-after")).toEqual(["1"]);
    expect(valuesOf(client.heads[0]?.fields ?? [], "proxy-status")).toEqual([
      "cutover-test; error=connection_limit_reached",
    ]);
    expect(JSON.parse(client.body())).toMatchObject({ code: "overloaded", outcome: "shed", status: 503 });
    expect(fixture.counted).toEqual(["new shed"]);
  });

  test("sends no shopper to the other side: that would be overloaded next", () => {
    const fixture = createFixture({ ...allNew, cutover: { fallback: true } });
    fixture.send({ method: "GET", target: "/cart/1", fields: shopper("a") });
    fixture.attempts[0]?.sink.failure(overloaded);
    expect(fixture.attempts).toHaveLength(1);
  });
});

describe("an open breaker", () => {
  test("is answered for with 503 and when to come again, and counts against its side", () => {
    const fixture = createFixture(allNew);
    const client = fixture.send({ method: "GET", target: "/cart/1", fields: shopper("a") });
    fixture.attempts[0]?.sink.failure(breakerOpen);
    expect(client.heads[0]?.status).toBe(503);
    expect(valuesOf(client.heads[0]?.fields ?? [], "retry-after")).toEqual(["4"]);
    expect(valuesOf(client.heads[0]?.fields ?? [], "proxy-status")).toEqual([
      "cutover-test; error=destination_unavailable",
    ]);
    expect(fixture.counted).toEqual(["new connect_failed"]);
  });

  test("lets a new shopper fall back to legacy, its body whole, counted against new", async () => {
    const fixture = createFixture(streamed);
    const body = new PassThrough();
    body.end("items=3");
    const client = fixture.send({ ...chunked, fields: shopper("a") }, body);
    fixture.attempts[0]?.sink.failure(breakerOpen);
    const sent = fixture.attempts[1]?.request.body;
    if (sent?.kind !== "chunked" || Buffer.isBuffer(sent.content)) throw new Error("not streamed");
    expect((await buffer(sent.content)).toString()).toBe("items=3");
    fixture.attempts[1]?.sink.head({ status: 200, reason: "", fields: [] });
    fixture.attempts[1]?.sink.end([]);
    expect(client.heads[0]?.status).toBe(200);
    expect(fixture.counted).toEqual(["new connect_failed", "legacy ok"]);
    expect(fixture.decisions).toEqual(["new bucket", "legacy fallback"]);
  });

  test("does not move a journey that began on new", async () => {
    const fixture = createFixture({ ...allNew, cutover: { fallback: true } });
    const start = fixture.send({
      method: "POST",
      target: "/checkout",
      fields: [...shopper("a"), "Cookie", "x=1"],
    });
    await until("the start to be forwarded", () => fixture.attempts.length === 1);
    fixture.attempts[0]?.sink.head({ status: 201, reason: "", fields: [] });
    fixture.attempts[0]?.sink.end([]);
    const [cookie = ""] = valuesOf(start.heads[0]?.fields ?? [], "set-cookie");
    const next = fixture.send({
      method: "GET",
      target: "/cart/1",
      fields: [...shopper("a"), "Cookie", cookie.split(";")[0] ?? ""],
    });
    fixture.attempts[1]?.sink.failure(breakerOpen);
    expect(fixture.decisions.at(-1)).toBe("new journey");
    expect(next.heads[0]?.status).toBe(503);
    expect(fixture.attempts).toHaveLength(2);
  });

  test("does not move a request whose key new owns", async () => {
    const fixture = createFixture({ cutover: { fallback: true } });
    fixture.owned.set("k-1", "new");
    const client = fixture.send({
      method: "POST",
      target: "/checkout",
      fields: [...shopper("a"), "Idempotency-Key", "k-1", "Cookie", "x=1"],
    });
    await until("the request to be forwarded", () => fixture.attempts.length === 1);
    fixture.attempts[0]?.sink.failure(breakerOpen);
    expect(client.heads[0]?.status).toBe(503);
    expect(fixture.counted).toEqual(["new connect_failed"]);
  });

  test("does not move a shopper once legacy is closed", () => {
    const fixture = createFixture({
      state: { percentThousandths: 100_000, state: "closed" },
      cutover: { fallback: true },
    });
    fixture.send({ method: "GET", target: "/cart/1", fields: shopper("a") });
    fixture.attempts[0]?.sink.failure(breakerOpen);
    expect(fixture.attempts).toHaveLength(1);
  });

  test("does not send elsewhere a body of which something was read", async () => {
    const fixture = createFixture(streamed);
    const body = new PassThrough();
    body.write("half");
    fixture.send({ ...chunked, fields: shopper("a") }, body);
    const sent = fixture.attempts[0]?.request.body;
    if (sent?.kind !== "chunked" || Buffer.isBuffer(sent.content)) throw new Error("not streamed");
    sent.content.once("data", () => {}).resume();
    await until("a chunk to be read", () => body.readableDidRead);
    await turn();
    fixture.attempts[0]?.sink.failure(breakerOpen);
    expect(fixture.attempts).toHaveLength(1);
  });
});

describe("a request body that was not whole", () => {
  const broken = { outcome: "reset", code: "ERR_REQUEST_BODY" } as const;

  test.each([false, true])("is its client's doing and counts against no side, sent: %s", (sent) => {
    const fixture = createFixture(streamed);
    const client = fixture.send({ ...chunked, fields: shopper("a") }, new PassThrough());
    fixture.attempts[0]?.sink.failure({ ...broken, sent });
    expect(fixture.counted).toEqual(["new client_aborted"]);
    expect(client.aborted()).toBe(true);
    expect(client.heads).toEqual([]);
  });

  test("breaks the answer off when that had begun", () => {
    const fixture = createFixture(streamed);
    const client = fixture.send({ ...chunked, fields: shopper("a") }, new PassThrough());
    fixture.attempts[0]?.sink.head({ status: 200, reason: "", fields: [] });
    fixture.attempts[0]?.sink.failure({ ...broken, sent: true });
    expect([client.aborted(), client.ended()]).toEqual([true, false]);
    expect(fixture.counted).toEqual(["new client_aborted"]);
  });
});

describe("the limit of a body (RFC 9110 §15.5.14)", () => {
  test("refuses one declared larger before anything is forwarded, and takes one as large", () => {
    const fixture = createFixture({ ...streamed, bodyLimits: { maxBytes: 5 } });
    const sized = (length: number) => ({
      ...chunked,
      framing: { kind: "sized", length } as const,
      fields: host,
    });
    const client = fixture.send(sized(6), new PassThrough());
    expect(client.heads[0]).toMatchObject({ status: 413, reason: "Content Too Large" });
    expect(valuesOf(client.heads[0]?.fields ?? [], "connection")).toEqual(["close"]);
    expect(fixture.attempts).toEqual([]);
    expect(fixture.counted).toEqual(["none rejected"]);
    expect(fixture.entries[0]).toMatchObject({ cutover: "checkout", route: "cart", status: 413 });
    fixture.send(sized(5), new PassThrough());
    expect(fixture.attempts).toHaveLength(1);
  });

  test("gives the upstream up when a chunked one turns out larger", async () => {
    const fixture = createFixture({ ...streamed, bodyLimits: { maxBytes: 5 } });
    const body = new PassThrough();
    const client = fixture.send({ ...chunked, fields: shopper("a") }, body);
    const sent = fixture.attempts[0]?.request.body;
    if (sent?.kind !== "chunked" || Buffer.isBuffer(sent.content)) throw new Error("not streamed");
    const read: string[] = [];
    sent.content.on("data", (chunk: Buffer) => read.push(chunk.toString()));
    body.write("12345");
    await until("five octets", () => read.join("") === "12345");
    expect(client.heads).toEqual([]);
    body.write("6");
    await until("the refusal", () => client.heads.length === 1);
    expect(client.heads[0]?.status).toBe(413);
    expect(read.join("")).toBe("12345");
    expect(fixture.attempts[0]?.aborted).toBe(true);
    expect(fixture.counted).toEqual(["new rejected"]);
  });

  test("bounds a body that is buffered for its key as well", async () => {
    const fixture = createFixture({ bodyLimits: { maxBytes: 5 } });
    const body = new PassThrough();
    const client = fixture.send(
      { method: "POST", target: "/callbacks/payment", framing: { kind: "chunked" }, fields: host },
      body,
    );
    body.end('{"order_id":"A-1"}');
    await until("the refusal", () => client.heads.length === 1);
    expect(client.heads[0]?.status).toBe(413);
    expect(fixture.attempts).toEqual([]);
    await turn();
    expect(fixture.counted).toEqual(["none rejected"]);
  });
});

describe("the pace of a body", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] }));
  afterEach(() => void vi.useRealTimers());

  const paceMs = 30_000;
  function upload() {
    const fixture = createFixture({ ...streamed, bodyLimits: { paceMs } });
    const body = new PassThrough();
    const client = fixture.send({ ...chunked, fields: shopper("a") }, body);
    const sent = fixture.attempts[0]?.request.body;
    if (sent?.kind !== "chunked" || Buffer.isBuffer(sent.content)) throw new Error("not streamed");
    return { fixture, client, body, content: sent.content };
  }
  /** The time of one judgement, in which the client sends so many octets. */
  async function pass(body: PassThrough, octets: number): Promise<void> {
    if (octets > 0) body.write(Buffer.alloc(octets));
    await turn();
    await turn();
    vi.advanceTimersByTime(paceMs);
  }

  test.each([0, 1, 1023])(
    "is too slow when a client that is awaited sends %i octets (408)",
    async (octets) => {
      const { fixture, client, body, content } = upload();
      content.resume();
      await pass(body, octets);
      expect(client.heads).toEqual([]);
      await pass(body, octets);
      expect(client.heads[0]?.status).toBe(408);
      expect(fixture.attempts[0]?.aborted).toBe(true);
      expect(fixture.counted).toEqual(["new rejected"]);
      expect(vi.getTimerCount()).toBe(0);
    },
  );

  test("is fast enough with 1 KiB in each of its times, however long that goes on", async () => {
    const { client, body, content } = upload();
    content.resume();
    for (let i = 0; i < 100; i++) await pass(body, 1024);
    expect(client.heads).toEqual([]);
  });

  test("is not judged while nobody reads: the upstream is slow, not the client", async () => {
    const { client, body, content } = upload();
    for (let i = 0; i < 3; i++) await pass(body, 0);
    content.resume();
    await pass(body, 1);
    content.pause();
    for (let i = 0; i < 3; i++) await pass(body, 100_000);
    expect(client.heads).toEqual([]);
  });

  test("is measured anew after a time in which nobody read", async () => {
    const { client, body, content } = upload();
    await pass(body, 0);
    content.resume();
    await pass(body, 0);
    expect(client.heads).toEqual([]);
    await pass(body, 0);
    expect(client.heads[0]?.status).toBe(408);
  });

  test("is no matter once the body is whole, and is watched no more", async () => {
    const { client, body, content } = upload();
    content.resume();
    body.end("whole");
    for (let i = 0; i < 3; i++) await pass(new PassThrough(), 0);
    expect(client.heads).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is watched no more once the exchange is over", () => {
    const { client } = upload();
    expect(vi.getTimerCount()).toBe(1);
    client.leave();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a client that is gone while its body is not read", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] }));
  afterEach(() => void vi.useRealTimers());

  test("is not asked for while its body is read", async () => {
    let asked = 0;
    let lost = false;
    const fixture = createFixture(streamed);
    const client = fixture.send({ ...chunked, fields: shopper("a") }, new PassThrough(), () => {
      asked += 1;
      return lost;
    });
    const sent = fixture.attempts[0]?.request.body;
    if (sent?.kind !== "chunked" || Buffer.isBuffer(sent.content)) throw new Error("not streamed");
    sent.content.resume();
    await turn();
    lost = true;
    vi.advanceTimersByTime(1000);
    expect(asked).toBe(0);
    expect(client.aborted()).toBe(false);
  });

  test("is let go, with its upstream, and counted once", async () => {
    const fixture = createFixture(streamed);
    const client = fixture.send({ ...chunked, fields: shopper("a") }, new PassThrough(), () => true);
    vi.advanceTimersByTime(100);
    expect(client.aborted()).toBe(true);
    expect(fixture.attempts[0]?.aborted).toBe(true);
    client.leave();
    expect(fixture.counted).toEqual(["new client_aborted"]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

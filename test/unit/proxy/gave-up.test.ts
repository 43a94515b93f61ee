/** A side that accepts and never answers: whose clients leave has failed them, and counts so. */
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { answer, createFixture } from "../../support/exchange-fixture.ts";

const allNew = { state: { percentThousandths: 100_000 } };
const fields = ["Host", "shop.example", "X-Shopper-Id", "a"];
const get = { method: "GET", target: "/cart/1", fields } as const;
const upload = { method: "POST", target: "/cart/1", fields, framing: { kind: "chunked" } } as const;
const streamed = { ...allNew, cutover: { owners: [] } };
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("new accepts and never answers, and its clients leave after 8 s", () => {
  test("each has given up: an error of new's, by a code of its own", () => {
    const fixture = createFixture(allNew);
    const client = fixture.send(get);
    fixture.time.ms += 8000;
    client.leave();
    expect(fixture.counted).toEqual(["new gave_up"]);
    expect(fixture.entries).toMatchObject([{ side: "new", outcome: "gave_up", code: "gave_up" }]);
    expect(fixture.entries[0]?.status).toBeUndefined();
    expect(fixture.attempts[0]?.aborted).toBe(true);
  });

  test.each([
    [2999, "client_aborted"],
    [3000, "gave_up"],
  ])("after %d ms it is %s", (ms, outcome) => {
    const fixture = createFixture(allNew);
    const client = fixture.send(get);
    fixture.time.ms += ms;
    client.leave();
    expect(fixture.counted).toEqual([`new ${outcome}`]);
  });

  test("gaveUpAfter says after how long", () => {
    const fixture = createFixture({ ...allNew, cutover: { gaveUpAfter: "10s" } });
    const [early, late] = [fixture.send(get), fixture.send(get)];
    fixture.time.ms += 9999;
    early.leave();
    fixture.time.ms += 1;
    late.leave();
    expect(fixture.counted).toEqual(["new client_aborted", "new gave_up"]);
  });
});

describe("says nothing of a side", () => {
  test("a client that leaves in the midst of an answer, however long that has taken", () => {
    const fixture = createFixture(allNew);
    const client = fixture.send(get);
    fixture.time.ms += 8000;
    fixture.attempts[0]?.sink.head({ status: 200, reason: "", fields: [] });
    fixture.time.ms += 8000;
    client.leave();
    expect(fixture.counted).toEqual(["new client_aborted"]);
  });

  test("one that leaves before it is decided, while the store is asked", () => {
    const fixture = createFixture({ ...allNew, owners: { lookup: () => new Promise(() => undefined) } });
    const client = fixture.send({ ...get, fields: [...fields, "Idempotency-Key", "k"] });
    fixture.time.ms += 8000;
    client.leave();
    expect(fixture.counted).toEqual(["none client_aborted"]);
  });

  test("one that no cutover matches", () => {
    const fixture = createFixture(allNew);
    const client = fixture.send({ ...get, target: "/elsewhere" });
    fixture.time.ms += 8000;
    client.leave();
    expect(fixture.counted).toEqual(["none client_aborted"]);
  });

  test("one whose upload was slow: the side waited for the client, and not the client for it", async () => {
    const fixture = createFixture(streamed);
    const body = new PassThrough();
    const client = fixture.send(upload, body);
    const sent = fixture.attempts[0]?.request.body;
    if (sent?.kind !== "chunked" || Buffer.isBuffer(sent.content)) throw new Error("not streamed");
    sent.content.resume();
    body.write("half");
    fixture.time.ms += 8000;
    await turn();
    client.leave();
    expect(fixture.counted).toEqual(["new client_aborted"]);
  });

  test("and the time of a slow upload is none of the wait for the answer", async () => {
    const fixture = createFixture(streamed);
    const body = new PassThrough();
    const client = fixture.send(upload, body);
    const sent = fixture.attempts[0]?.request.body;
    if (sent?.kind !== "chunked" || Buffer.isBuffer(sent.content)) throw new Error("not streamed");
    sent.content.resume();
    fixture.time.ms += 8000;
    body.end("whole");
    await turn();
    await turn();
    fixture.time.ms += 2999;
    client.leave();
    expect(fixture.counted).toEqual(["new client_aborted"]);
  });
});

test("a side that reads no more of an upload keeps its client waiting", async () => {
  const fixture = createFixture(streamed);
  const body = new PassThrough();
  const client = fixture.send(upload, body);
  const sent = fixture.attempts[0]?.request.body;
  if (sent?.kind !== "chunked" || Buffer.isBuffer(sent.content)) throw new Error("not streamed");
  sent.content.resume();
  fixture.time.ms += 8000;
  await turn();
  sent.content.pause();
  fixture.time.ms += 3000;
  client.leave();
  expect(fixture.counted).toEqual(["new gave_up"]);
});

test("a request that fell back has waited for legacy since then", () => {
  const fixture = createFixture({ ...allNew, cutover: { owners: [], fallback: true } });
  const client = fixture.send(get);
  fixture.time.ms += 2000;
  fixture.attempts[0]?.sink.failure({ outcome: "connect_failed", sent: false, code: "ECONNREFUSED" });
  fixture.time.ms += 2000;
  client.leave();
  expect(fixture.counted).toEqual(["new connect_failed", "legacy client_aborted"]);
});

test("an answer that comes in time is none of this", () => {
  const fixture = createFixture(allNew);
  fixture.send(get);
  fixture.time.ms += 8000;
  answer(fixture.attempts[0], 200);
  expect(fixture.counted).toEqual(["new ok"]);
});

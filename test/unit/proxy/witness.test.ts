/** What the witnesses of a route are told of its exchanges, and when. */
import { describe, expect, test } from "vitest";
import { compileWitnesses, type ExchangeRecord, type Witness } from "../../../src/proxy/witness.ts";
import { answer, createFixture, type FixtureOptions } from "../../support/exchange-fixture.ts";
import { turn } from "../../support/until.ts";

const host = ["Host", "shop.example"];
const shopper = [...host, "X-Shopper-Id", "a", "Cookie", "theme=dark"];
const onNew = { percentThousandths: 100_000 };

/** A fixture whose witness writes down each phase it is told of, with what is known by then. */
function witnessed(options: FixtureOptions = {}) {
  const told: string[] = [];
  const records: ExchangeRecord[] = [];
  const say = (phase: string, { side }: ExchangeRecord, ...more: unknown[]) =>
    void told.push([phase, side, ...more].join(" "));
  const witness: Witness = {
    arrived: (record) => say("arrived", record, record.cutover, record.route),
    noticed: (record, { kind }) => say("noticed", record, kind),
    decided: (record) => say("decided", record, record.reason),
    fellBack: (record, outcome, code) => say("fellBack", record, outcome, code),
    journeyed: (record, _, event) => say("journeyed", record, event),
    answered: (record) => say("answered", record, record.status),
    upgraded(record) {
      say("upgraded", record);
      return (end) => void told.push(`ended ${end}`);
    },
    settled(record, outcome) {
      say("settled", record, outcome);
      records.push({ ...record });
    },
  };
  return { ...createFixture({ ...options, witness }), told, records };
}

test("a route's witnesses are split by the phases they have, in their order", () => {
  const first: Witness = { settled: () => {} };
  const second: Witness = { arrived: () => {}, settled: () => {} };
  const { arrived, decided, settled } = compileWitnesses([first, {}, second]);
  expect(arrived).toEqual([second]);
  expect(decided).toEqual([]);
  expect(settled).toEqual([first, second]);
});

describe("a witness is told", () => {
  test("of the phases of a request in their order", async () => {
    const fixture = witnessed({ state: onNew });
    fixture.send({ method: "POST", target: "/checkout", fields: shopper }, "{}");
    await turn();
    answer(fixture.attempts[0], 201);
    expect(fixture.told).toEqual([
      "arrived none checkout checkout",
      "decided new bucket",
      "answered new 201",
      "journeyed new start",
      "settled new ok",
    ]);
  });

  test("that a request is about to be sent, which waits for what it has to write down", async () => {
    const told: string[] = [];
    let written = () => {};
    const witness: Witness = {
      sending: () =>
        new Promise((resolve) => {
          written = resolve;
        }),
      settled: ({ unsent }, outcome) => void told.push(`${outcome}${unsent ? ", unsent" : ""}`),
    };
    const fixture = createFixture({ witness, state: onNew });
    const send = () => fixture.send({ method: "POST", target: "/checkout", fields: shopper }, "{}");
    send();
    await turn();
    expect(fixture.attempts).toHaveLength(0);
    written();
    await turn();
    expect(fixture.attempts).toHaveLength(1);
    answer(fixture.attempts[0], 201);
    // Who leaves meanwhile was not sent, and is not.
    const left = send();
    await turn();
    left.leave();
    written();
    await turn();
    expect(fixture.attempts).toHaveLength(1);
    expect(told).toEqual(["ok", "client_aborted, unsent"]);
  });

  test("of what matches no route", () => {
    const fixture = witnessed();
    fixture.send({ method: "GET", target: "/about", fields: shopper });
    answer(fixture.attempts[0], 404);
    expect(fixture.told).toEqual(["arrived none none none", "answered none 404", "settled none ok"]);
  });

  test("of a head that is refused: it arrived, and matched nothing", () => {
    const fixture = witnessed();
    fixture.send({ method: "TRACE", target: "/cart/1", fields: shopper });
    expect(fixture.told).toEqual(["arrived none none none", "settled none rejected"]);
  });

  test("of a client that leaves before its request is decided", async () => {
    const fixture = witnessed({ owners: { lookup: () => new Promise(() => {}) } });
    const fields = [...shopper, "Idempotency-Key", "k1"];
    fixture.send({ method: "GET", target: "/cart/1", fields }).leave();
    await turn();
    expect(fixture.told).toEqual(["arrived none checkout cart", "settled none client_aborted"]);
  });

  test("of the attempt that failed on new before it is told of the one on legacy", () => {
    const fixture = witnessed({ state: onNew, cutover: { fallback: true } });
    fixture.send({ method: "GET", target: "/cart/1", fields: shopper });
    fixture.attempts[0]?.sink.failure({ outcome: "connect_failed", sent: false, code: "ECONNREFUSED" });
    answer(fixture.attempts[1], 200);
    expect(fixture.told.slice(1)).toEqual([
      "decided new bucket",
      "fellBack new connect_failed connect_failed",
      "decided legacy fallback",
      "answered legacy 200",
      "settled legacy ok",
    ]);
  });

  test("of what is odd about a request", async () => {
    const fixture = witnessed();
    const fields = [...host, "Idempotency-Key", "k".repeat(513), "Cookie", "cutover_journey=x"];
    fixture.send({ method: "POST", target: "/callbacks/payment", fields }, "not JSON");
    await turn();
    expect(fixture.told.slice(1, 4)).toEqual([
      "noticed none long_key",
      "noticed none unread_body",
      "noticed none ignored_pin",
    ]);
  });

  test("once of the end, whatever comes after it", () => {
    const fixture = witnessed();
    const client = fixture.send({ method: "GET", target: "/cart/1", fields: shopper });
    answer(fixture.attempts[0], 200);
    client.leave();
    fixture.attempts[0]?.sink.failure({ outcome: "reset", sent: true, code: "ECONNRESET" });
    expect(fixture.told.filter((phase) => phase.startsWith("settled"))).toEqual(["settled legacy ok"]);
  });
});

describe("the record of an exchange", () => {
  test("has what evidence is made of: bucket, arrival, side, reason, route, outcome, status and keys", async () => {
    const fixture = witnessed({ state: { ...onNew, version: 7 } });
    const arrivedAt = fixture.time.ms;
    const fields = [...shopper, "Idempotency-Key", "k1"];
    fixture.send({ method: "POST", target: "/orders/X-1/pay", fields }, "{}");
    fixture.time.ms += 5;
    for (let i = 0; i < 5; i++) await turn();
    answer(fixture.attempts[0], 503);
    expect(fixture.records[0]).toMatchObject({
      cutover: "checkout",
      route: "pay",
      arrivedAt,
      attemptAt: arrivedAt,
      endedAt: arrivedAt + 5,
      side: "new",
      reason: "bucket",
      status: 503,
      outcome: "server_error",
      decided: { state: { version: 7 }, keys: [{ key: "k1" }, { key: "X-1" }], pin: undefined },
    });
    expect(fixture.records[0]?.decided?.bucket).toBeTypeOf("number");
  });

  test("keeps the arrival of one that fell back, whose second attempt began later", () => {
    const fixture = witnessed({ state: onNew, cutover: { fallback: true } });
    const arrivedAt = fixture.time.ms;
    fixture.send({ method: "GET", target: "/cart/1", fields: shopper });
    fixture.time.ms += 20;
    fixture.attempts[0]?.sink.failure({ outcome: "connect_failed", sent: false, code: "ECONNREFUSED" });
    fixture.time.ms += 3;
    answer(fixture.attempts[1], 200);
    const times = { arrivedAt, attemptAt: arrivedAt + 20, endedAt: arrivedAt + 23 };
    expect(fixture.records).toMatchObject([{ ...times, side: "legacy", reason: "fallback" }]);
  });
});

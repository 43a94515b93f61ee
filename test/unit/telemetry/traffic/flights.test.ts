/** A side that accepts and never answers has no request that is over: what is seen of it is who waits, and since when. */
import { describe, expect, test } from "vitest";
import type { ExchangeRecord } from "../../../../src/proxy/witness.ts";
import { initialState } from "../../../../src/state/rules/model.ts";
import {
  createFlights,
  mergeFlights,
  noFlight,
  oldestOf,
} from "../../../../src/telemetry/traffic/flights.ts";
import { recordOf } from "../../../support/exchange-record.ts";

function side() {
  const time = { ms: 1000 };
  const flights = createFlights({ monotonic: () => time.ms });
  return {
    time,
    flights,
    begin(
      bucket: number | undefined,
      more: { route?: string; isUploading?: () => boolean } = {},
    ): ExchangeRecord {
      const { route = "cart", isUploading = () => false } = more;
      const since = time.ms;
      const decided = {
        decision: { side: "new", reason: "bucket" },
        state: initialState(),
        bucket,
        pin: undefined,
        keys: [],
        named: new Set<string>(),
        carried: false,
        shopper: undefined,
        begun: undefined,
      } as const;
      const waitingSince = () => (isUploading() ? undefined : since);
      const record = recordOf({ side: "new", route, decided, waitingSince });
      flights.began(record);
      return record;
    },
  };
}

describe("who waits for a side", () => {
  test("are counted as different shoppers, and by the longest wait of each route", () => {
    const { flights, begin, time } = side();
    begin(1);
    time.ms += 5000;
    begin(1);
    begin(2, { route: "pay" });
    begin(undefined);
    begin(undefined);
    time.ms += 4000;
    expect(flights.form()).toEqual({
      inFlight: 5,
      shoppers: 4,
      waiting: [
        ["cart", 9000],
        ["pay", 4000],
      ],
      silentMs: 9000,
      answeredMs: null,
    });
  });

  test("a request whose answer has begun is in flight and waits no more, however long it goes on", () => {
    const { flights, begin, time } = side();
    const stream = begin(1);
    flights.answered(stream);
    time.ms += 3_600_000;
    expect(flights.form()).toEqual({ ...noFlight, inFlight: 1, answeredMs: 3_600_000 });
    flights.ended(stream);
    expect(flights.form().inFlight).toBe(0);
  });

  test("one whose client still sends its body waits for nobody", () => {
    const { flights, begin, time } = side();
    let isUploading = true;
    begin(1, { isUploading: () => isUploading });
    time.ms += 30_000;
    expect(flights.form()).toMatchObject({ inFlight: 1, shoppers: 0, waiting: [], silentMs: null });
    isUploading = false;
    expect(flights.form()).toMatchObject({ shoppers: 1 });
  });

  test("nobody is answered for longer than anybody waits, where clients leave and others come", () => {
    const { flights, begin, time } = side();
    for (let second = 0; second < 60; second += 2) {
      const record = begin(second);
      time.ms += 2000;
      flights.ended(record);
    }
    begin(60);
    time.ms += 1000;
    expect(flights.form()).toMatchObject({ waiting: [["cart", 1000]], silentMs: 61_000 });
  });

  test("after a pause nobody has waited meanwhile, and the silence begins anew", () => {
    const { flights, begin, time } = side();
    flights.ended(begin(1));
    time.ms += 60_000;
    begin(2);
    time.ms += 1000;
    expect(flights.form().silentMs).toBe(1000);
  });

  test("an answer ends the silence for all", () => {
    const { flights, begin, time } = side();
    begin(1);
    const other = begin(2);
    time.ms += 9000;
    flights.answered(other);
    time.ms += 500;
    expect(flights.form()).toMatchObject({ waiting: [["cart", 9500]], silentMs: 500, answeredMs: 500 });
  });
});

describe("of several processes and instances", () => {
  test("what is in flight and who waits add up, the oldest is the oldest of all", () => {
    const merged = mergeFlights([
      { inFlight: 90, shoppers: 2, waiting: [["cart", 9000]], silentMs: 9000, answeredMs: null },
      {
        inFlight: 48,
        shoppers: 1,
        waiting: [
          ["cart", 4000],
          ["pay", 100],
        ],
        silentMs: 4000,
        answeredMs: 70_000,
      },
    ]);
    expect(merged).toEqual({
      inFlight: 138,
      shoppers: 3,
      waiting: [
        ["cart", 9000],
        ["pay", 100],
      ],
      silentMs: 9000,
      answeredMs: 70_000,
    });
    expect(oldestOf(merged)).toBe(9000);
  });

  test("answered by one is answered by the side", () => {
    const merged = mergeFlights([
      { inFlight: 3, shoppers: 3, waiting: [["cart", 9000]], silentMs: 9000, answeredMs: null },
      { ...noFlight, answeredMs: 200 },
    ]);
    expect(merged.silentMs).toBe(200);
  });

  test("nobody waits where nobody says so", () => {
    expect(mergeFlights([])).toEqual(noFlight);
    expect(oldestOf(noFlight)).toBeNull();
  });
});

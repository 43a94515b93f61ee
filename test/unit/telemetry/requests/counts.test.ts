/** A row as a witness: what is counted of an exchange, and when it is in flight. */
import { expect, test } from "vitest";
import type { Decided, ServedSide } from "../../../../src/proxy/witness.ts";
import { initialState, type Side } from "../../../../src/state/rules/model.ts";
import {
  countsRoute,
  countsUnmatched,
  createCounts,
  type MeterRow,
} from "../../../../src/telemetry/requests/counts.ts";
import { recordOf } from "../../../support/exchange-record.ts";

function createRow() {
  const told: string[] = [];
  const inFlight: Record<ServedSide, number> = { legacy: 0, new: 0, none: 0 };
  const row: MeterRow = {
    decided: (side, reason) => told.push(`${side} ${reason}`),
    began(side) {
      inFlight[side] += 1;
    },
    answered: ({ side, status }) => told.push(`${side} answered ${status}`),
    settled(side, outcome, seconds) {
      inFlight[side] -= 1;
      told.push(`${side} ${outcome} ${seconds}`);
    },
    journeyed: (step, side, reason) => told.push(`${side} ${step} ${reason}`),
  };
  return { row, told, inFlight };
}

function decidedFor(side: Side): Decided {
  return {
    decision: { side, reason: "bucket" },
    state: initialState(),
    bucket: 1,
    pin: undefined,
    keys: [],
    named: new Set(),
    carried: false,
    shopper: undefined,
    begun: undefined,
  };
}

const undecided = { side: "none", reason: undefined, arrivedAt: 0, attemptAt: 0, endedAt: 250 } as const;

test("a request of a route is in flight from its decision to its end", () => {
  const { row, told, inFlight } = createRow();
  const { arrived, decided, settled } = countsRoute(row);
  const record = recordOf({ ...undecided, side: "new", decided: decidedFor("new") });
  expect(arrived).toBeUndefined();
  decided?.(record);
  expect(inFlight).toEqual({ legacy: 0, new: 1, none: 0 });
  settled?.(record, "ok");
  expect(inFlight).toEqual({ legacy: 0, new: 0, none: 0 });
  expect(told).toEqual(["new bucket", "new ok 0.25"]);
});

test("the answers of a side are counted by class, and those that the proxy gave in its place are not", () => {
  const counts = createCounts([
    { name: "checkout", routes: ["pay"] },
    { name: "none", routes: ["none"] },
  ]);
  const { decided, answered, settled } = countsRoute(
    counts.row(0, 0, { traffic: undefined, exemplars: undefined }),
  );
  for (const [outcome, status] of [
    ["ok", 204],
    ["ok", 404],
    ["failed", 409],
    ["server_error", 503],
    ["timeout", 504],
    ["gave_up", undefined],
    ["ok", 101],
  ] as const) {
    const record = recordOf({ side: "new", decided: decidedFor("new"), outcome, status });
    decided?.(record);
    answered?.(record);
    settled?.(record, outcome);
  }
  expect([...counts.responses.subarray(4, 8)]).toEqual([1, 0, 2, 1]);
  expect(counts.responses.reduce((sum, count) => sum + count, 0)).toBe(4);
});

test("one that falls back is counted on each side, by the time of each attempt", () => {
  const { row, told, inFlight } = createRow();
  const { decided, fellBack, settled } = countsRoute(row);
  const onNew = recordOf({ ...undecided, side: "new", decided: decidedFor("new") });
  decided?.(onNew);
  fellBack?.(onNew, "connect_failed", "ECONNREFUSED");
  const onLegacy = recordOf({
    ...onNew,
    side: "legacy",
    decided: decidedFor("legacy"),
    attemptAt: 250,
    endedAt: 350,
  });
  decided?.(onLegacy);
  expect(inFlight).toEqual({ legacy: 1, new: 0, none: 0 });
  settled?.(onLegacy, "ok");
  expect(inFlight).toEqual({ legacy: 0, new: 0, none: 0 });
  expect(told).toEqual(["new bucket", "new connect_failed 0.25", "legacy bucket", "legacy ok 0.1"]);
});

test("one that ends undecided is counted on no side and leaves nothing in flight", () => {
  const { row, told, inFlight } = createRow();
  countsRoute(row).settled?.(recordOf(undecided), "client_aborted");
  expect(inFlight).toEqual({ legacy: 0, new: 0, none: 0 });
  expect(told).toEqual(["none client_aborted 0.25"]);
});

test("what matches no route is in flight from its arrival to its end", () => {
  const { row, told, inFlight } = createRow();
  const { arrived, settled } = countsUnmatched(row);
  arrived?.(recordOf(undecided));
  expect(inFlight.none).toBe(1);
  settled?.(recordOf(undecided), "ok");
  expect(inFlight.none).toBe(0);
  expect(told).toEqual(["none ok 0.25"]);
});

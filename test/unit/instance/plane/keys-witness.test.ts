/** How the end of an exchange is told for what is known of its keys. */
import { describe, expect, test } from "vitest";
import { keysWitness } from "../../../../src/instance/plane/keys-witness.ts";
import type { Decided } from "../../../../src/proxy/witness.ts";
import { initialState } from "../../../../src/state/rules/model.ts";
import { recordOf } from "../../../support/exchange-record.ts";
import { createManualTime, epoch } from "../../../support/manual-time.ts";

function create() {
  const told: string[] = [];
  const moments: number[] = [];
  const time = createManualTime();
  const held = Promise.resolve();
  const witness = keysWitness(
    { began: () => undefined, ended: () => undefined },
    {
      sent(_, { keys, sentAtMs }) {
        told.push(`sent ${keys.map(({ key }) => key).join()}`);
        moments.push(sentAtMs - epoch);
        return held;
      },
      ended(_, { side, isSafe, sentAtMs }, end, made) {
        told.push(`${side}${isSafe ? " safe" : ""} ${end} ${made.map(({ key }) => key).join()}`.trim());
        moments.push(sentAtMs - epoch);
      },
    },
    time,
  );
  return { told, moments, time, witness, held };
}

const key = (name: string) => ({ key: name, claimed: true, ttlMs: 1000 });
const decided: Decided = {
  decision: { side: "legacy", reason: "bucket" },
  state: initialState(),
  bucket: 1,
  pin: undefined,
  keys: [key("K")],
  named: new Set(["K", "named"]),
  carried: false,
  shopper: undefined,
  begun: undefined,
};

describe("an exchange that ends with", () => {
  test.each([
    ["ok", 200, {}, "answered"],
    ["ok", 402, {}, "answered"],
    ["ok", 409, {}, "put off"],
    ["ok", 429, {}, "put off"],
    ["server_error", 500, {}, "put off"],
    ["failed", 200, {}, "put off"],
    ["reset", 502, {}, "reset"],
    ["timeout", 504, {}, "timeout"],
    ["gave_up", undefined, {}, "gave_up"],
    ["client_aborted", undefined, {}, "client_aborted"],
    // Its head was there when the client left.
    ["client_aborted", 200, {}, "answered"],
    ["client_aborted", 503, {}, "put off"],
    ["timeout", 504, { unsent: true }, "unsent"],
    ["connect_failed", 502, { unsent: true }, "unsent"],
  ] as const)("%s and %s, %o: %s", (outcome, status, change, expected) => {
    const { told, witness } = create();
    witness.settled?.(recordOf({ decided, status, ...change }), outcome);
    expect(told).toEqual([`legacy ${expected}`]);
  });
});

test("an answer that comes when its client has left is told after all", () => {
  const { told, witness, held } = create();
  const record = recordOf({ decided, status: undefined });
  expect(witness.sending?.(record)).toBe(held);
  witness.settled?.(record, "client_aborted");
  witness.answeredLate?.(record, 201);
  expect(told).toEqual(["sent K", "legacy client_aborted", "legacy answered"]);
});

test("what nobody awaits any more was sent when its attempt began, and not when its answer came", async () => {
  const { moments, time, witness } = create();
  await time.advance(1000);
  const record = recordOf({ decided, attemptAt: 1000, status: undefined });
  await time.advance(40);
  witness.sending?.(record);
  await time.advance(8000);
  witness.answeredLate?.(record, 201);
  expect(moments).toEqual([1040, 1000]);
});

test("keys that the answer has made are told, but for what the request itself named", () => {
  const { told, witness } = create();
  const meaning = { starts: false, ends: false, finishes: false, keys: [key("made"), key("named")] };
  witness.settled?.(recordOf({ decided: { ...decided, keys: [] }, meaning, status: 201 }), "ok");
  expect(told).toEqual(["legacy answered made"]);
});

test("of a request without a key nothing is told, and one that changes nothing is told as such", () => {
  const { told, witness } = create();
  const without = recordOf({ decided: { ...decided, keys: [] }, status: 200 });
  witness.decided?.(without);
  expect(witness.sending?.(without)).toBeUndefined();
  witness.settled?.(without, "ok");
  witness.settled?.(recordOf({ decided: undefined }), "rejected");
  expect(told).toEqual([]);
  witness.settled?.(recordOf({ decided, method: "GET" }), "reset");
  expect(told).toEqual(["legacy safe reset"]);
});

import { describe, expect, it } from "vitest";
import { initialState } from "../../../../src/state/rules/model.ts";
import {
  entryFromStream,
  isBelievable,
  parseInstanceRecord,
  stateFromHash,
} from "../../../../src/state/store/written.ts";

const values = ["12.5", "open", "3", "7", "2026-01-01T00:00:00.000Z", "ann", "because"] as const;

describe("stateFromHash", () => {
  it("reads a state", () => {
    expect(stateFromHash(values)).toEqual({
      percentThousandths: 12_500,
      state: "open",
      pinEpoch: 3,
      version: 7,
      updatedAt: "2026-01-01T00:00:00.000Z",
      updatedBy: "ann",
      reason: "because",
    });
  });

  it.each([
    ["a missing field", 6, null],
    ["a percent that is none", 0, "half"],
    ["a state that is none", 1, "ajar"],
    ["a rollback above 0", 1, "rolled_back"],
    ["a closed cutover below 100", 1, "closed"],
    ["an epoch below 0", 2, "-1"],
    ["a version of 0", 3, "0"],
    ["a version beyond exact integers", 3, "9".repeat(16)],
    ["a version with a sign", 3, "+7"],
  ] as const)("does not believe %s", (_, at, value) => {
    expect(stateFromHash(values.map((each, index) => (index === at ? value : each)))).toBeUndefined();
  });

  it("does not believe nothing", () => {
    expect(stateFromHash([])).toBeUndefined();
  });
});

it("believes only states that changes lead to", () => {
  expect(isBelievable({ ...initialState(), version: 1 })).toBe(true);
  expect(isBelievable(initialState())).toBe(false);
  expect(isBelievable({ ...initialState(), version: 1, state: "closed" })).toBe(false);
  expect(isBelievable({ ...initialState(), version: 1, percentThousandths: 0.5 })).toBe(false);
});

describe("entryFromStream", () => {
  const pairs = Object.entries({
    version: "7",
    at: "2026-01-01T00:00:00.000Z",
    by: "ann",
    action: "rollback",
    from_percent: "12.5",
    from_state: "held",
    to_percent: "0",
    to_state: "rolled_back",
    to_pin_epoch: "0",
    reason: "",
    write: "id",
  });

  it("reads an entry", () => {
    expect(entryFromStream(pairs.flat())).toEqual({
      version: 7,
      at: "2026-01-01T00:00:00.000Z",
      by: "ann",
      action: "rollback",
      from: { percentThousandths: 12_500, state: "held" },
      to: { percentThousandths: 0, state: "rolled_back" },
      reason: "",
    });
  });

  it.each([
    "version",
    "at",
    "by",
    "action",
    "from_percent",
    "from_state",
    "to_percent",
    "to_state",
    "reason",
  ])("takes none without %s", (missing) => {
    expect(entryFromStream(pairs.filter(([name]) => name !== missing).flat())).toBeUndefined();
  });

  it("takes none of an unknown action", () => {
    const others = pairs.map(([name, value]) => [name, name === "action" ? "guess" : value]);
    expect(entryFromStream(others.flat())).toBeUndefined();
  });
});

describe("parseInstanceRecord", () => {
  const record = {
    id: "a",
    startedAt: "t",
    seenAt: "t",
    versions: { checkout: 1 },
    traffic: { checkout: {} },
  };

  it("reads a record, and leaves out what a newer instance says beside it", () => {
    expect(parseInstanceRecord(JSON.stringify({ ...record, mood: "fine" }))).toEqual(record);
  });

  it.each(["", "{", "null", "[]", '{"id":"a"}', JSON.stringify({ ...record, versions: { checkout: -1 } })])(
    "takes %j for none",
    (text) => {
      expect(parseInstanceRecord(text)).toBeUndefined();
    },
  );
});

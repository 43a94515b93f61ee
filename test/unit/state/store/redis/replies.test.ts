import { describe, expect, test } from "vitest";
import { entryFromStream, stateFromHash } from "../../../../../src/state/store/redis/fields.ts";
import { announcementFrom, parseInstanceRecord } from "../../../../../src/state/store/redis/replies.ts";

const values = ["12.5", "open", "3", "7", "2026-01-01T00:00:00.000Z", "ann", "because"] as const;

describe("stateFromHash", () => {
  test("reads a state", () => {
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

  test.each([
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

  test("does not believe nothing", () => {
    expect(stateFromHash([])).toBeUndefined();
  });
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

  test("reads an entry", () => {
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

  test.each([
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

  test("takes none of an unknown action", () => {
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

  test("reads a record, and leaves out what a newer instance says beside it", () => {
    expect(parseInstanceRecord(JSON.stringify({ ...record, mood: "fine" }))).toEqual(record);
  });

  test.each(["", "{", "null", "[]", '{"id":"a"}', JSON.stringify({ ...record, versions: { checkout: -1 } })])(
    "takes %j for none",
    (text) => {
      expect(parseInstanceRecord(text)).toBeUndefined();
    },
  );
});

describe("an announcement", () => {
  const announced = [
    ...["checkout", "50", "open", "0", "1", "2026-01-01T00:00:00.000Z"],
    ...["0", "rolled_back", "1", "2", "2026-01-01T00:00:01.000Z", "zoë", "errors", ""],
  ];
  const message = (value: unknown) => Buffer.from(JSON.stringify(value));

  test("names the cutover, what the change was made from, and what it has come to", () => {
    expect(announcementFrom(message(announced), true)).toEqual({
      name: "checkout",
      from: {
        percentThousandths: 50_000,
        state: "open",
        pinEpoch: 0,
        version: 1,
        updatedAt: "2026-01-01T00:00:00.000Z",
      },
      state: {
        percentThousandths: 0,
        state: "rolled_back",
        pinEpoch: 1,
        version: 2,
        updatedAt: "2026-01-01T00:00:01.000Z",
        updatedBy: "zoë",
        reason: "errors",
      },
      isSure: true,
    });
  });

  test.each<[string, Buffer]>([
    ["the name alone, as by redis-cli PUBLISH", Buffer.from("checkout")],
    ["nothing", Buffer.from("")],
    ["a number", message(1)],
    ["too few fields", message(announced.slice(1))],
    ["too many", message([...announced, "x"])],
    ["none of maintenance, as of releases before", message(announced.slice(0, -1))],
    ["another type", message([...announced.slice(0, -1), null])],
    ["a percent above 100", message(announced.with(6, "101"))],
    ["rolled back above 0", message(announced.with(6, "1"))],
    ["a state nobody knows", message(announced.with(7, "ajar"))],
    ["version 0", message(announced.with(9, "0"))],
    ["no name", message(announced.with(0, ""))],
  ])("%s is a hint that says nothing", (_, text) => {
    expect(announcementFrom(text, true)).toBeUndefined();
  });
});

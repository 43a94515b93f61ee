import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  maintainedUntil,
  typedMaintenance,
  withMaintenance,
} from "../../../../../src/state/rules/sides/maintenance.ts";

const at = "2026-03-01T14:00:00.000Z";
const later = "2026-03-01T16:30:00.000Z";
const ms = Date.parse(at);

describe("maintenance of a side", () => {
  test("holds until its moment and not a millisecond longer, for its side alone", () => {
    const text = withMaintenance(undefined, "legacy", at);
    expect(text).toBe(`legacy ${at}`);
    expect(maintainedUntil(text, "legacy", ms - 1)).toBe(ms);
    expect(maintainedUntil(text, "legacy", ms)).toBeUndefined();
    expect(maintainedUntil(text, "new", ms - 1)).toBeUndefined();
    expect(maintainedUntil(undefined, "legacy", 0)).toBeUndefined();
  });

  test("of both sides is legacy's first, and ends for each by itself", () => {
    const both = withMaintenance(withMaintenance("", "new", later), "legacy", at);
    expect(both).toBe(`legacy ${at} new ${later}`);
    expect(withMaintenance(both, "legacy", undefined)).toBe(`new ${later}`);
    expect(withMaintenance(`new ${later}`, "new", undefined)).toBe("");
  });

  test.each([
    ["legacy 2026-03-01T14:00Z", `legacy ${at}`],
    [" LEGACY  2026-03-01T15:00:00+01:00 ", `legacy ${at}`],
    [`new ${later}, legacy ${at}`, `legacy ${at} new ${later}`],
    ["off", ""],
    ["None", ""],
    ["", ""],
  ])("that a person types as %j is read", (typed, text) => {
    expect(typedMaintenance(typed)).toBe(text);
  });

  test.each([
    "legacy",
    "legacy soon",
    "old 2026-03-01T14:00Z",
    "legacy 2026-03-01T14:00",
    `legacy ${at} legacy ${at}`,
    "legacy 2026-02-31T25:00Z",
    at,
  ])("that reads as %j is none", (typed) => {
    expect(typedMaintenance(typed)).toBeUndefined();
  });

  test("is read back as it was written, whatever was set and ended in whatever order", () => {
    const moment = fc
      .integer({ min: 0, max: 4_102_444_800_000 })
      .map((epochMs) => new Date(epochMs).toISOString());
    const step = fc.record({
      side: fc.constantFrom("legacy" as const, "new" as const),
      until: fc.option(moment, { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
        const last = new Map<string, string | undefined>();
        let text = "";
        for (const { side, until } of steps) {
          text = withMaintenance(text, side, until);
          last.set(side, until);
        }
        expect(typedMaintenance(text)).toBe(text);
        for (const side of ["legacy", "new"] as const) {
          const until = last.get(side);
          const expected = until === undefined ? undefined : Date.parse(until);
          expect(maintainedUntil(text, side, -1)).toBe(expected);
        }
      }),
    );
  });
});

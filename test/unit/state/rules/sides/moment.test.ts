import fc from "fast-check";
import { expect, test } from "vitest";
import { momentOf, msOf } from "../../../../../src/state/rules/sides/moment.ts";

test.each([
  ["2026-03-01T14:00:00.000Z", "2026-03-01T14:00:00.000Z"],
  ["2026-03-01t14:00z", "2026-03-01T14:00:00.000Z"],
  ["2026-03-01T15:30:00.5+01:30", "2026-03-01T14:00:00.500Z"],
])("%s is %s", (text, moment) => {
  expect(momentOf(text)).toBe(moment);
  expect(msOf(text)).toBe(Date.parse(moment));
});

test.each([
  "",
  "soon",
  "2026-03-01",
  "2026-03-01T14:00",
  "2026-13-01T14:00Z",
  "2026-03-01T25:00Z",
  "1772373600000",
])("%j is no moment", (text) => {
  expect(momentOf(text)).toBeUndefined();
  expect(msOf(text)).toBeUndefined();
});

test("is what the platform reckons, whatever the moment and its zone", () => {
  const zone = fc.integer({ min: -23 * 60, max: 23 * 60 });
  const ms = fc.integer({ min: Date.parse("0001-01-02T00:00Z"), max: Date.parse("9999-12-30T00:00Z") });
  fc.assert(
    fc.property(ms, zone, (at, minutes) => {
      const utc = new Date(at).toISOString();
      expect(msOf(utc)).toBe(at);
      expect(momentOf(utc)).toBe(utc);
      const digits = (value: number) => `${Math.floor(value)}`.padStart(2, "0");
      const offset = `${minutes < 0 ? "-" : "+"}${digits(Math.abs(minutes) / 60)}:${digits(Math.abs(minutes) % 60)}`;
      const local = new Date(at + minutes * 60_000).toISOString().replace("Z", offset);
      expect(momentOf(local)).toBe(utc);
    }),
  );
});

import { expect, test } from "vitest";
import { occurrences } from "../../../src/config/plan/cron.ts";
import { createWindows as createWindowsBy } from "../../../src/plan/windows.ts";

const createWindows = (specs: Parameters<typeof createWindowsBy>[0]) => createWindowsBy(specs, occurrences);
const at = (text: string) => Date.parse(text);
const hourMs = 3_600_000;
const again = (cron: string, hours: number, timezone: string) =>
  ({ deny: "raise", cron, for: hours * hourMs, timezone, reason: cron }) as const;

test("one that is once begins with its first moment and ends before its last", () => {
  const sale = { deny: "raise", from: 1000, to: 2000, reason: "sale" } as const;
  const windows = createWindows([sale]);
  expect([999, 1000, 1999, 2000].map((ms) => windows.against(ms)?.reason)).toEqual([
    undefined,
    "sale",
    "sale",
    undefined,
  ]);
  expect(windows.openFrom(1500)).toBe(2000);
});

test("one that comes again goes by the wall clock of its place", () => {
  const windows = createWindows([again("0 18 * * FRI", 62, "Asia/Jakarta")]);
  const opensAt = at("2024-03-11T08:00:00+07:00");
  expect(windows.against(at("2024-03-08T17:59:59+07:00"))).toBeUndefined();
  expect(windows.against(at("2024-03-08T18:00:00+07:00"))).toMatchObject({ untilMs: opensAt });
  expect(windows.against(opensAt - 1)).toMatchObject({ untilMs: opensAt });
  expect(windows.against(opensAt)).toBeUndefined();
});

test("over a change of the clocks the wall clock says when it begins, and its length how long it lasts", () => {
  const windows = createWindows([again("0 22 * * *", 8, "Europe/Berlin")]);
  const night = windows.against(at("2024-03-30T22:30:00+01:00"));
  expect(night?.untilMs).toBe(at("2024-03-31T07:00:00+02:00"));
  expect(windows.against(at("2024-03-31T21:59:00+02:00"))).toBeUndefined();
  expect(windows.against(at("2024-03-31T22:00:00+02:00"))).toBeDefined();
});

test("of several all count: it is open where none is", () => {
  const windows = createWindows([again("0 0 * * *", 12, "UTC"), again("0 10 * * *", 6, "UTC")]);
  expect(windows.against(at("2024-03-08T11:00:00Z"))?.reason).toBe("0 10 * * *");
  expect(windows.openFrom(at("2024-03-08T01:00:00Z"))).toBe(at("2024-03-08T16:00:00Z"));
});

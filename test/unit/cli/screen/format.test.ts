import { afterEach, beforeEach, expect, test } from "vitest";
import {
  ago,
  latency,
  localTime,
  ofInstances,
  rate,
  restShare,
  share,
} from "../../../../src/cli/screen/format.ts";

let zone: string | undefined;
beforeEach(() => {
  zone = process.env.TZ;
});
afterEach(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

test("a share and its rest are shown exactly", () => {
  expect([share(0.001), restShare(0.001)]).toEqual(["0.001%", "99.999%"]);
  expect([share(12.345), restShare(12.345)]).toEqual(["12.345%", "87.655%"]);
  expect([share(100), restShare(100)]).toEqual(["100%", "0%"]);
});

test.each([
  [null, "–"],
  [0, "0.00%"],
  [0.00001, "<0.01%"],
  [0.0123, "1.23%"],
  [0.99999, ">99.99%"],
  [1, "100.00%"],
])("a rate of %s reads %s: a few errors never as none, a few successes never as none", (value, text) => {
  expect(rate(value)).toBe(text);
});

test.each([
  [null, "–"],
  [0.0004, "0.4 ms"],
  [0.00996, "10 ms"],
  [0.1351, "135 ms"],
  [12.34, "12.3 s"],
])("a latency of %s s reads %s", (value, text) => {
  expect(latency(value)).toBe(text);
});

test.each([
  [-5000, "just now"],
  [999, "just now"],
  [59_000, "59 s ago"],
  [61_000, "1 min ago"],
  [3_600_000, "1 h ago"],
  [47 * 3_600_000, "47 h ago"],
  [49 * 3_600_000, "2 days ago"],
])("%d ms ago reads %s", (ms, text) => {
  expect(ago(ms)).toBe(text);
});

test.each([
  ["Asia/Jakarta", "2026-05-01 02:14:09 +07:00"],
  ["America/St_Johns", "2026-04-30 16:44:09 -02:30"],
  ["UTC", "2026-04-30 19:14:09 +00:00"],
])("a time in %s reads %s", (timeZone, text) => {
  process.env.TZ = timeZone;
  expect(localTime(Date.parse("2026-04-30T19:14:09Z"))).toBe(text);
});

test("instances are counted in words", () => {
  expect(ofInstances(2, 3)).toBe("2 of 3 instances");
  expect(ofInstances(1, 1)).toBe("1 of 1 instance");
});

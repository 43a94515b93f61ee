import { describe, expect, test } from "vitest";
import { durationText, parseDuration } from "../../../src/base/duration.ts";

describe("parseDuration", () => {
  test.each([
    ["250ms", 250],
    ["5s", 5000],
    ["10m", 600_000],
    ["24h", 86_400_000],
    ["180d", 15_552_000_000],
    ["0s", 0],
  ])("%s", (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });
  test.each(["", "5", "s", "-1s", "1.5h", "5 s", " 5s", "5S", "1w", "1h30m", "5s\n", "9999999999s", "٣s"])(
    "%j is none",
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );
});

test.each(["0ms", "250ms", "5s", "90s", "10m", "24h", "36h", "180d"])("%s is read and written", (text) => {
  const milliseconds = parseDuration(text);
  expect(parseDuration(durationText(milliseconds ?? -1))).toBe(milliseconds);
});

test.each([
  [0, "0ms"],
  [1500, "1500ms"],
  [90_000, "90s"],
  [86_400_000, "1d"],
  [129_600_000, "36h"],
])("%d ms are written as %s", (milliseconds, text) => {
  expect(durationText(milliseconds)).toBe(text);
});

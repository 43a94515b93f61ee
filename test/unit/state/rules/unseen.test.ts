import { expect, test } from "vitest";
import { escapeUnseen } from "../../../../src/state/rules/history.ts";
import { stateFromHash } from "../../../../src/state/store/redis/fields.ts";

test.each([
  ["errors up \u202eon legacy", "errors up \\u{202e}on legacy"],
  ["\u2066x\u2069\u200b\u200d\ufeff\u00ad", "\\u{2066}x\\u{2069}\\u{200b}\\u{200d}\\u{feff}\\u{ad}"],
  ["\u2028\ue000\ud800\u0007\u009b", "\\u{2028}\\u{e000}\\u{d800}\\u{7}\\u{9b}"],
  ["\u{e0041}", "\\u{e0041}"],
  // Letters by their class, and nothing to see: a reason of these alone looked like none.
  ["\u3164\u115f\u034f\uffa0", "\\u{3164}\\u{115f}\\u{34f}\\u{ffa0}"],
  ["❤\ufe0f", "❤\ufe0f"],
  ["two\nlines\tof Größe, 支払い, 🛒 and é", "two\nlines\tof Größe, 支払い, 🛒 and é"],
])("what nobody sees in %j is shown", (text, shown) => {
  expect(escapeUnseen(text)).toBe(shown);
  expect(escapeUnseen(shown)).toBe(shown);
});

test("a reason written into the store by hand is read with it shown", () => {
  const read = stateFromHash(["0", "held", "0", "3", "2025-03-01T12:00:00Z", "a\u202eb", "c\u200bd"]);
  expect(read).toMatchObject({ updatedBy: "a\\u{202e}b", reason: "c\\u{200b}d" });
});

import { expect, test } from "vitest";
import { cut, flow, padStart, printable, widthOf, wrap } from "../../../../src/cli/screen/text.ts";

test("`printable` escapes what could move the cursor, recolour or retitle the terminal", () => {
  expect(printable("a\u001b[2J\u001b]0;title\u0007b")).toBe("a\\u{1b}[2J\\u{1b}]0;title\\u{7}b");
  expect(printable("\u009b31m")).toBe("\\u{9b}31m");
  expect(printable("one\ntwo\r")).toBe("one\\ntwo\\u{d}");
});

test("`printable` escapes what could reorder a line: bidi overrides, line separators, zero-width characters", () => {
  expect(printable("\u202egnp.exe")).toBe("\\u{202e}gnp.exe");
  expect(printable("a\u2028b\u200bc")).toBe("a\\u{2028}b\\u{200b}c");
  expect(printable("\ud800")).toBe("\\u{d800}");
});

test("`printable` leaves what people write", () => {
  const text = "Rückläufer über 2 % – 支払い 🛒 (PR-118)";
  expect(printable(text)).toBe(text);
});

test("a width counts two cells for a wide character, one for a letter with its accent", () => {
  expect(widthOf("checkout")).toBe(8);
  expect(widthOf("支払い")).toBe(6);
  expect(widthOf("e\u0301")).toBe(1);
});

test("`cut` cuts at the width with an ellipsis, never in the middle of a character", () => {
  expect(cut("checkout", 8)).toBe("checkout");
  expect(cut("checkout", 7)).toBe("checko…");
  expect(cut("支払い", 5)).toBe("支払…");
  expect(cut("🛒🛒", 3)).toBe("🛒…");
  expect(cut("checkout", 0)).toBe("");
});

test("`wrap` wraps at spaces and cuts the last line allowed", () => {
  expect(wrap("raise after a quiet hour", 12, 3)).toEqual(["raise after", "a quiet hour"]);
  expect(wrap("raise after a quiet hour", 12, 1)).toEqual(["raise after…"]);
  expect(wrap("a-word-longer-than-the-line", 10, 3)).toEqual(["a-word-lo…"]);
});

test("`flow` breaks between pieces only", () => {
  expect(flow(["applied on", "3 of 3"], "   ", 12, 2)).toEqual(["applied on", "3 of 3"]);
});

test("`pad` pads by cells", () => {
  expect(padStart("支", 4)).toBe("  支");
});

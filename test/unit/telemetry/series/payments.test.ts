import { expect, test } from "vitest";
import { createPaymentsBook } from "../../../../src/telemetry/series/payments.ts";

const minuteMs = 60_000;
const now = 29_000_000;
const nowMs = now * minuteMs;
const row = (minute: number, ...counts: [number, number, number, number]) =>
  [minute, 10_000, ...counts] as const;
const hourAgo = nowMs - 60 * minuteMs;

test("a block that is told several times is added once, and what of it is paid later, to those who began then", () => {
  const book = createPaymentsBook();
  for (let told = 0; told < 5; told += 1) book.add("checkout", "a 7", [row(now - 9, 40, 4, 0, 0)], nowMs);
  book.add("checkout", "b 7", [row(now - 9, 10, 1, 0, 0), row(now - 8, 5, 0, 0, 0)], nowMs);
  book.add("checkout", "a 60", [row(now - 9, 0, 0, 31, 3)], nowMs);
  expect(book.read("checkout", hourAgo, nowMs)).toEqual({
    stepSeconds: 60,
    cohorts: [
      { at: (now - 9) * minuteMs, legacy: { begun: 50, paid: 31 }, new: { begun: 5, paid: 3 } },
      { at: (now - 8) * minuteMs, legacy: { begun: 5, paid: 0 }, new: { begun: 0, paid: 0 } },
    ],
  });
  expect(book.read("returns", hourAgo, nowMs).cohorts).toEqual([]);
});

test("who paid and began where nobody tells of it is not counted: never more are paid than began", () => {
  const book = createPaymentsBook();
  book.add("checkout", "a 1", [row(now - 2, 1, 0, 5, 5)], nowMs);
  expect(book.read("checkout", hourAgo, nowMs).cohorts).toEqual([
    { at: (now - 2) * minuteMs, legacy: { begun: 1, paid: 1 }, new: { begun: 0, paid: 0 } },
  ]);
});

test("a day is told in half hours, and what is older, or of a clock that runs ahead, is left out", () => {
  const book = createPaymentsBook();
  const minutes = Array.from({ length: 2000 }, (_, ago) => now - ago).reverse();
  for (const minute of minutes) {
    book.add("checkout", `a ${minute}`, [row(minute, 10, 1, 6, 1)], minute * minuteMs);
  }
  book.add("checkout", "ahead", [row(now + 500, 1, 1, 1, 1), row(now - 1440, 1, 1, 1, 1)], nowMs);
  const { stepSeconds, cohorts } = book.read("checkout", nowMs - 1440 * minuteMs, nowMs);
  expect(stepSeconds).toBe(1800);
  expect(cohorts.reduce((all, { legacy }) => all + legacy.begun, 0)).toBe(14_400);
  expect(cohorts.reduce((all, { new: onNew }) => all + onNew.paid, 0)).toBe(1440);
  expect(cohorts.length).toBeLessThanOrEqual(49);
  book.keep([]);
  expect(book.read("checkout", hourAgo, nowMs).cohorts).toEqual([]);
});

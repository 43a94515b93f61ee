import { expect, test } from "vitest";
import { createUnreadAnswers } from "../../../src/ownership/unread-answers.ts";

test("answers that could not be read are counted each, and told of once a minute, pages not at all", () => {
  const counted: string[] = [];
  const lines: unknown[] = [];
  const waiting: { readonly ms: number; run: () => void }[] = [];
  const unread = createUnreadAnswers(
    { unreadAnswer: (cutover, side, reason) => counted.push(`${cutover} ${side} ${reason}`) },
    { warn: (fields, message) => lines.push({ ...fields, message }) },
    {
      after(ms, run) {
        waiting.push({ ms, run });
        return () => undefined;
      },
    },
  );
  unread.note("shop", "legacy", "not_json");
  expect(waiting).toEqual([]);
  unread.note("shop", "legacy", "coding");
  unread.note("shop", "legacy", "coding");
  unread.note("shop", "new", "too_large");
  expect(counted).toHaveLength(4);
  expect(waiting.map(({ ms }) => ms)).toEqual([60_000]);
  expect(lines).toEqual([]);
  waiting[0]?.run();
  const message = "answers that may tell of orders could not be read";
  expect(lines).toEqual([
    { cutover: "shop", side: "legacy", answers: { coding: 2 }, message },
    { cutover: "shop", side: "new", answers: { too_large: 1 }, message },
  ]);
  unread.note("shop", "new", "long_key");
  expect(waiting).toHaveLength(2);
  unread.close();
  expect(lines).toHaveLength(3);
});

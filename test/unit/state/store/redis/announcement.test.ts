import { expect, test } from "vitest";
import { newsFrom } from "../../../../../src/state/store/redis/announcement.ts";

const told = [
  ...["checkout", "50", "open", "0", "1", "2026-01-01T00:00:00.000Z"],
  ...["0", "rolled_back", "1", "2", "2026-01-01T00:00:01.000Z", "zoë", "errors"],
];
const message = (value: unknown) => Buffer.from(JSON.stringify(value));

test("names the cutover, what the change was made from, and what it has come to", () => {
  expect(newsFrom(message(told), true)).toEqual({
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
  ["too few fields", message(told.slice(1))],
  ["too many", message([...told, "x"])],
  ["another type", message([...told.slice(0, -1), null])],
  ["a percent above 100", message(told.with(6, "101"))],
  ["rolled back above 0", message(told.with(6, "1"))],
  ["a state nobody knows", message(told.with(7, "ajar"))],
  ["version 0", message(told.with(9, "0"))],
  ["no name", message(told.with(0, ""))],
])("%s is a hint that says nothing", (_, text) => {
  expect(newsFrom(text, true)).toBeUndefined();
});

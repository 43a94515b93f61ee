import { expect, test } from "vitest";
import { createBoard } from "../../../../src/cli/screen/watch-board.ts";

const side = { requests: 0, errors: 0, errorRate: null, p50: null, p99: null };
const view = (name: string, version: number) => ({
  name,
  legacy: "social-shop",
  new: "marketplace",
  percent: version,
  state: "open",
  version,
  pinEpoch: 0,
  updatedAt: "",
  updatedBy: "",
  reason: "",
  scope: "fleet",
  traffic: { windowSeconds: 60, legacy: side, new: side },
  journeys: null,
  unfinished: null,
  instances: { live: 1, applied: 1, silent: [] },
});
const event = (name: string, data: unknown) => ({ event: name, data: JSON.stringify(data) });

test("a snapshot after a lost connection tells what changed meanwhile, and forgets what is gone", () => {
  const board = createBoard(undefined);
  board.take(event("snapshot", [view("checkout", 1), view("returns", 1), view("old", 1)]));
  const news = board.take(event("snapshot", [view("checkout", 2), view("returns", 1)]));
  expect(news).toMatchObject({ kind: "snapshot", changed: [{ name: "checkout", version: 2 }] });
  expect(board.views().map(({ name }) => name)).toEqual(["checkout", "returns"]);
});

test("figures replace figures and nothing else", () => {
  const board = createBoard(undefined);
  board.take(event("snapshot", [view("checkout", 7)]));
  const traffic = { windowSeconds: 60, legacy: { ...side, requests: 5 }, new: side };
  const open = { open: 2, atLeast: false, oldestStartedAt: null };
  const journeys = { legacy: open, new: open };
  const figures = {
    name: "checkout",
    traffic,
    journeys,
    unfinished: null,
    instances: { live: 3, applied: 2, silent: [] },
  };
  board.take(event("metrics", [figures]));
  expect(board.views()).toMatchObject([
    { version: 7, traffic: { legacy: { requests: 5 } }, journeys, instances: { live: 3 } },
  ]);
});

test("watches one cutover where one is named", () => {
  const board = createBoard("returns");
  board.take(event("snapshot", [view("checkout", 1), view("returns", 1)]));
  expect(board.take(event("change", view("checkout", 2)))).toEqual({ kind: "change", changed: [] });
  expect(board.views()).toMatchObject([{ name: "returns" }]);
});

test("warnings are those of the last figures: one that is told no more is over", () => {
  const board = createBoard(undefined);
  const warnings = [{ code: "store_unreachable", text: "the store is out of reach for 12 s" }];
  const { name, traffic, journeys, unfinished, instances } = view("checkout", 7);
  const figures = { name, traffic, journeys, unfinished, instances };
  board.take(event("snapshot", [view("checkout", 7)]));
  board.take(event("metrics", [{ ...figures, warnings }]));
  expect(board.views()).toMatchObject([{ warnings }]);
  board.take(event("metrics", [{ ...figures, warnings: [] }]));
  expect(board.views()).toMatchObject([{ warnings: [] }]);
});

test("what does not fit its schema, and events it does not know, are passed over", () => {
  const board = createBoard(undefined);
  expect(board.take(event("change", { name: "checkout" }))).toBeUndefined();
  expect(board.take({ event: "snapshot", data: "{" })).toBeUndefined();
  expect(board.take(event("applause", {}))).toBeUndefined();
  expect(board.views()).toEqual([]);
});

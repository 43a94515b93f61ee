import { afterEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { cutoverView } from "../../../../src/admin/api/cutover-view.ts";
import type { AdminClient } from "../../../../src/cli/client.ts";
import { createClient } from "../../../../src/cli/client.ts";
import { createBoard } from "../../../../src/cli/screen/watch-board.ts";
import { lineScreen, liveScreen, staleness } from "../../../../src/cli/screen/watch-screen.ts";
import { createPaperTerminal } from "../../../support/paper-terminal.ts";

const client: AdminClient = createClient({ url: new URL("http://127.0.0.1:9900") });
const [example = {}] = z.array(z.looseObject({})).parse(cutoverView.meta()?.examples);
afterEach(() => void vi.useRealTimers());

test("the line says how old the figures are, and that it tries again", () => {
  expect(staleness(0, 7000, "")).toBe("◐ delayed, 7 s old");
  expect(staleness(0, 48_000, "connection refused")).toMatch(
    /^■ STALE, last update \d\d:\d\d:\d\d \(48 s ago\); trying again: connection refused$/,
  );
});

test("the screen redraws in place once a second, turns stale without news, and gives the cursor back", () => {
  vi.useFakeTimers({ now: 1_000_000 });
  const terminal = createPaperTerminal();
  const screen = liveScreen({ terminal, now: Date.now, client });
  const board = createBoard(undefined);
  const lastDraw = () => terminal.stdout().split("\u001b[H").at(-1);

  screen.show({ kind: "snapshot", changed: [] }, board);
  expect(lastDraw()).toContain("● live");
  vi.advanceTimersByTime(5000);
  expect(lastDraw()).toContain("◐ delayed, 5 s old");
  vi.advanceTimersByTime(15_000);
  expect(lastDraw()).toContain("■ STALE");
  screen.lost("connection refused", 1_000_000, board);
  expect(lastDraw()).toContain("trying again: connection refused");
  screen.show({ kind: "tick" }, board);
  vi.advanceTimersByTime(1000);
  expect(lastDraw()).toContain("● live");
  screen.end();
  expect(terminal.stdout().endsWith("\u001b[?25h")).toBe(true);
});

test("the screen says that the store is out of reach, and for how long", () => {
  const terminal = createPaperTerminal();
  const screen = liveScreen({ terminal, now: Date.now, client });
  const text = "the store is out of reach for 38 s: changes and owners cannot be recorded";
  const view = cutoverView.parse({ ...example, warnings: [{ code: "store_unreachable", text }] });
  const board = createBoard(undefined);
  board.take({ event: "snapshot", data: JSON.stringify([view, { ...view, name: "returns" }]) });
  screen.show({ kind: "metrics" }, board);
  screen.end();
  expect(terminal.stdout().split(`! ${text}`)).toHaveLength(2);
});

test("into a pipe a warning is said when it begins and when it is over, and not each second of it", () => {
  const terminal = createPaperTerminal();
  const screen = lineScreen({ terminal, now: () => 0, client });
  const board = createBoard(undefined);
  const away = { code: "store_unreachable", text: "the store is out of reach" };
  const hung = (seconds: number) => ({ code: "hung", text: `new: 3 in flight, oldest ${seconds} s` });
  for (const warnings of [[], [hung(3), away], [hung(4), away], [hung(5)], []]) {
    const views = ["checkout", "returns"].map((name) => cutoverView.parse({ ...example, name, warnings }));
    board.take({ event: "snapshot", data: JSON.stringify(views) });
    screen.show({ kind: "metrics" }, board);
  }
  const said = terminal
    .stderr()
    .split("\n")
    .map((line) => line.replace(/^.*? {2}/, ""));
  expect(said).toEqual([
    "! checkout: new: 3 in flight, oldest 3 s",
    "! the store is out of reach",
    "! returns: new: 3 in flight, oldest 3 s",
    "over: the store is out of reach",
    "over: checkout: new: 3 in flight, oldest 5 s",
    "over: returns: new: 3 in flight, oldest 5 s",
    "",
  ]);
  expect(terminal.stdout()).toBe("");
});

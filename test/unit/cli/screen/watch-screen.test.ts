import { afterEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { cutoverView } from "../../../../src/admin/api/cutover-view.ts";
import type { AdminClient } from "../../../../src/cli/client.ts";
import { createClient } from "../../../../src/cli/client.ts";
import { widthOf } from "../../../../src/cli/screen/text.ts";
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

const side = { requests: 100, errors: 2, p50: 0.1, p95: 0.1, p99: 0.1, inFlight: 0 };
const guard = {
  ...{ guarded: true, verdict: "worse", because: ["failures"], action: "rollback", sentence: "the facts" },
  evidence: {
    tests: {},
    sides: { legacy: { units: 900, failed: 9 }, new: { units: 100, failed: 3 } },
    difference: { estimate: 0.021, least: 0.012, most: 0.03 },
  },
};

test.each([80, 60, 40])(
  "at %d columns the frame has verdict and sparklines, and no line is too long",
  (columns) => {
    const now = Date.parse("2025-03-01T12:00:00.000Z");
    vi.useFakeTimers({ now });
    const terminal = { ...createPaperTerminal(), columns: () => columns, rows: () => 60 };
    const screen = liveScreen({ terminal, now: Date.now, client });
    const board = createBoard(undefined);
    const view = cutoverView.parse(example);
    board.take({ event: "snapshot", data: JSON.stringify([view]) });
    const at = new Date(now - 20_000).toISOString();
    board.takeSeries("checkout", {
      stepSeconds: 10,
      points: [{ at, instances: 1, legacy: side, new: side }],
    });
    const frame = () => {
      const drawn = terminal.stdout().split("\u001b[H").at(-1) ?? "";
      return drawn.replaceAll("\u001b[K", "").split("\n");
    };
    const figures = (told: object) => {
      const { name, traffic, journeys, unfinished, instances } = view;
      return [{ name, traffic, journeys, unfinished, instances, guard: told }];
    };
    screen.show({ kind: "snapshot", changed: [] }, board);
    expect(frame().join(" ").replaceAll(/\s+/g, " ")).toContain(
      "? Unknown: the guard has not been asked yet",
    );
    board.take({ event: "metrics", data: JSON.stringify(figures(guard)) });
    screen.show({ kind: "metrics" }, board);
    const said = frame().join(" ").replaceAll(/\s+/g, " ");
    expect(said).toContain("⬢ marketplace is worse (difference +2.1 pts, +1.2 to +3.0)");
    expect(said).not.toContain("guard: ");
    expect(said).toMatch(/errors legacy ▄+ 2\.00% new ▄+ 2\.00% p99 legacy █+ 100 ms new █+ 100 ms/);
    expect(Math.max(...frame().map(widthOf))).toBeLessThanOrEqual(columns);
    board.take({
      event: "metrics",
      data: JSON.stringify(
        figures({ guarded: false, verdict: null, because: [], action: null, sentence: "" }),
      ),
    });
    screen.show({ kind: "metrics" }, board);
    expect(frame().join(" ").replaceAll(/\s+/g, " ")).toContain("○ No guard: nobody is watching but you");
    vi.advanceTimersByTime(20_000);
    expect(frame().join(" ").replaceAll(/\s+/g, " ")).toContain("? Unknown: data is 20 s old");
    screen.end();
  },
);

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

/** How a watcher tells its update: redrawn on a terminal, a line a change into a pipe, NDJSON for programs. */
import type { CutoverView } from "../../admin/api/cutover-view.ts";
import { byWhom, isOfAll } from "../../admin/api/rules.ts";
import { staleAfterMs, verdictOf } from "../../admin/api/words/verdict.ts";
import type { Api } from "../context.ts";
import { ago, clockTime, count, localTime, plural, share, stateWords } from "./format.ts";
import { sparkLines } from "./sparks.ts";
import { commonLines, statusView } from "./status-view.ts";
import type { Style } from "./terminal.ts";
import { printable, wrap } from "./text.ts";
import type { Board, Update } from "./watch-board.ts";

export interface Screen {
  show(update: Update, board: Board): void;
  /** The connection is gone; called at each attempt that fails. `since`: of the last word, ms since the epoch. */
  lost(why: string, since: number, board: Board): void;
  end(): void;
}

type Needs = Pick<Api, "terminal" | "now" | "client">;

/** What the warnings of now are told by, each said once: the sentence goes on changing while its cause is the same. */
function warningsIn(board: Board): ReadonlyMap<string, string> {
  const told = board.views().flatMap(({ name, warnings }) =>
    warnings.map(({ code, text }): [string, string] => {
      const side = /^(?:legacy|new): /.exec(text)?.[0] ?? "";
      const sentence = isOfAll(code) ? text : `${name}: ${text}`;
      return [isOfAll(code) ? code : `${name} ${side}${code}`, sentence];
    }),
  );
  return new Map(told);
}

/** A line a change on stdout; what is wrong, when it begins and when it is over, on stderr. */
export function lineScreen({ terminal, now }: Needs): Screen {
  let isLost = false;
  let warned: ReadonlyMap<string, string> = new Map();

  function warn(board: Board): void {
    const current = warningsIn(board);
    const say = (text: string) => terminal.err(`${localTime(now())}  ${printable(text)}\n`);
    for (const [key, text] of current) if (!warned.has(key)) say(`! ${text}`);
    for (const [key, text] of warned) if (!current.has(key)) say(`over: ${text}`);
    warned = current;
  }

  return {
    show(update, board) {
      if (isLost) terminal.err(`${localTime(now())}  live again\n`);
      isLost = false;
      if (update.kind !== "tick") warn(board);
      if (update.kind !== "snapshot" && update.kind !== "change") return;
      for (const view of update.changed) {
        const who = view.updatedBy === "" ? "never changed" : printable(byWhom(view.updatedBy));
        const why = view.reason === "" ? "" : `: ${printable(view.reason)}`;
        const stands = `${share(view.percent)} on new, ${stateWords[view.state]}, version ${view.version}`;
        terminal.out(`${localTime(now())}  ${printable(view.name)}: ${stands}, ${who}${why}\n`);
      }
    },
    lost(why, since) {
      if (!isLost)
        terminal.err(`${localTime(now())}  stale since ${clockTime(since)}, trying again: ${why}\n`);
      isLost = true;
    },
    end() {},
  };
}

/** One JSON object a line: `{"event": "snapshot" | "change" | "metrics" | "stale", …}`. */
export function jsonScreen({ terminal }: Needs): Screen {
  const write = (value: unknown) => terminal.out(`${JSON.stringify(value)}\n`);
  return {
    show(update, board) {
      if (update.kind === "tick") return;
      write({ event: update.kind, cutovers: update.kind === "change" ? update.changed : board.views() });
    },
    lost: (why, since) => write({ event: "stale", since: new Date(since).toISOString(), why }),
    end() {},
  };
}

const liveMs = 3000;
const csi = "\u001b[";

/** The status table, redrawn in place, and how old it is. */
export function liveScreen({ terminal, now, client }: Needs): Screen {
  let board: Board | undefined;
  let lastWord = now();
  let trouble = "";

  function draw(): void {
    if (board === undefined) return;
    const age = now() - lastWord;
    const columns = terminal.columns();
    const { style } = terminal;
    const chip =
      trouble !== "" || age > liveMs ? staleness(lastWord, age, trouble) : `● live, ${clockTime(now())}`;
    const options = { columns, style, now: now() };
    const live = liveLines(board, age, options);
    const table = statusView(board.views(), { ...options, live });
    const lines = [
      ...wrap(`cutover at ${printable(client.url)}`, columns, 3).map(style.strong),
      ...wrap(chip, columns, 6).map((line) => (age > liveMs ? style.alert(line) : line)),
      "",
      ...commonLines(board.views(), options),
      ...(age > staleAfterMs ? table.map(style.quiet) : table),
      "",
      style.quiet("Ctrl-C ends it."),
    ];
    const rows = terminal.rows() - 1;
    const hidden = lines.length - rows;
    const shown = hidden <= 0 ? lines : [...lines.slice(0, rows - 1), `… ${plural(hidden + 1, "line")} more`];
    terminal.out(`${csi}H${shown.map((line) => `${line}${csi}K\n`).join("")}${csi}J`);
  }

  terminal.out(`${csi}?25l${csi}2J`);
  const timer = setInterval(draw, 1000);
  return {
    show(update, current) {
      board = current;
      lastWord = now();
      trouble = "";
      if (update.kind !== "tick") draw();
    },
    lost(why, _since, current) {
      board = current;
      trouble = why;
      draw();
    },
    end() {
      clearInterval(timer);
      terminal.out(`${csi}?25h`);
    },
  };
}

/** What is told of each only while it is watched. */
function liveLines(board: Board, age: number, options: { columns: number; style: Style; now: number }) {
  const { columns, style } = options;
  return (view: CutoverView) => {
    const { tone, mark, text } = verdictOf(view, board.guard(view.name), age, verdictFigures);
    const lines = wrap(`${mark} ${printable(text)}`, columns - 4, 4);
    const said = lines.map((line, index) => (index === 0 ? line : `  ${line}`));
    return {
      verdict: said.map((line) => `  ${tone === "worse" ? style.alert(line) : line}`),
      sparks: sparkLines(board.series(view.name), options),
    };
  };
}

const verdictFigures = {
  count,
  points: (share: number) => `${share > 0 ? "+" : ""}${(100 * share).toFixed(1)}`,
};

/** PURE. */
export function staleness(lastWord: number, age: number, trouble: string): string {
  const again = trouble === "" ? "" : `; trying again: ${trouble}`;
  if (age <= staleAfterMs) return `◐ delayed, ${Math.round(age / 1000)} s old${again}`;
  return `■ STALE, last update ${clockTime(lastWord)} (${ago(age)})${again}`;
}

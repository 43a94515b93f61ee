/**
 * A terminal as a picture: SVG, so that it is sharp everywhere and a text to whoever compares it. Each run of one style has
 * its place and width said, whatever font there is; blocks are drawn. Several frames follow each other, or, for whoever
 * wants nothing to move, the last one stands.
 */
import { cutoverView } from "../../../src/admin/api/cutover-view.ts";
import { createClient } from "../../../src/cli/client.ts";
import { colourStyle } from "../../../src/cli/screen/terminal.ts";
import { widthOf } from "../../../src/cli/screen/text.ts";
import { createBoard } from "../../../src/cli/screen/watch-board.ts";
import { liveScreen } from "../../../src/cli/screen/watch-screen.ts";
import { createPaperTerminal } from "../../support/paper-terminal.ts";
import { now, scenes, seriesOf, worse, worseView } from "./scenes.ts";

const cell = { width: 8.4, height: 18 };
const margin = 16;
const columns = 80;

export interface Frame {
  readonly lines: readonly string[];
  readonly seconds: number;
}

interface Style {
  strong: boolean;
  alert: boolean;
  quiet: boolean;
}

/** What `watch` shows of the scene in which new is worse. */
export function watchPicture(): string {
  const terminal = { ...createPaperTerminal(), style: colourStyle, columns: () => columns, rows: () => 40 };
  const client = createClient({ url: new URL("http://127.0.0.1:9900") });
  const screen = liveScreen({ terminal, client, now: () => now });
  const board = createBoard(undefined);
  board.take({ event: "snapshot", data: JSON.stringify([cutoverView.parse(worseView)]) });
  const { name, traffic, journeys, unfinished, instances } = worseView;
  const figures = { name, traffic, journeys, unfinished, instances, guard: worse };
  board.take({ event: "metrics", data: JSON.stringify([figures]) });
  if (scenes.worse !== undefined) board.takeSeries(name, seriesOf(scenes.worse.state));
  screen.show({ kind: "metrics" }, board);
  screen.end();
  return pictureOf("cutover watch: marketplace is worse", [
    { lines: lastFrameOf(terminal.stdout()), seconds: 1 },
  ]);
}

/** The lines that stand on the screen after what was written to it: what a watcher has drawn last. */
export function lastFrameOf(written: string): string[] {
  const drawn = shownEscapes(written).split("␛[H").at(-1) ?? "";
  const [frame = ""] = drawn.split("␛[J");
  return frame
    .replaceAll(/␛\[K|␛\[\?25[lh]|␛\[2J/g, "")
    .trimEnd()
    .split("\n");
}

/** With a sign that is seen in place of each escape. */
function shownEscapes(text: string): string {
  return text.replaceAll("\u001b", "␛");
}

/** All frames in one picture, one after the other, again and again. */
export function pictureOf(title: string, frames: readonly Frame[]): string {
  const rows = Math.max(...frames.map(({ lines }) => lines.length));
  const width = 2 * margin + columns * cell.width;
  const height = 2 * margin + rows * cell.height;
  const whole = frames.reduce((sum, { seconds }) => sum + seconds, 0);
  let begun = 0;
  const moves: string[] = [];
  const groups = frames.map(({ lines, seconds }, index) => {
    const part = (at: number) => `${((100 * at) / whole).toFixed(3)}%`;
    const [from, to] = [part(begun), part(begun + seconds)];
    begun += seconds;
    const before = from === "0.000%" ? "" : `0%{visibility:hidden}`;
    const after = index === frames.length - 1 ? "" : `${to}{visibility:hidden}`;
    if (frames.length > 1) {
      moves.push(`@keyframes f${index}{${before}${from}{visibility:visible}${after}100%{visibility:hidden}}`);
      moves.push(`.f${index}{animation:f${index} ${whole}s step-end infinite}`);
    }
    const isLast = index === frames.length - 1;
    return `<g class="f${index}"${isLast ? "" : ' visibility="hidden"'}>${lines.map(lineOf).join("")}</g>`;
  });
  const motion =
    moves.length === 0 ? "" : `@media (prefers-reduced-motion:no-preference){${moves.join("")}}\n`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title">
<title id="title">${escaped(title)}</title>
<style>
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#e6edf3;white-space:pre}
.s{font-weight:700}.q{fill:#9da7b3}.a{fill:#0d1117}
${motion}</style>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
${groups.join("\n")}
</svg>
`;
}

function lineOf(line: string, row: number): string {
  let column = 0;
  return runsOf(line)
    .map(({ text, style }) => {
      const at = column;
      column += widthOf(text);
      return runPicture(text, style, at, row);
    })
    .join("");
}

/** A line's pieces, each of one style, by SGR 1, 2, 7 and what ends them. */
function runsOf(line: string): { readonly text: string; readonly style: Style }[] {
  const style: Style = { strong: false, alert: false, quiet: false };
  const codes: Readonly<Record<string, Partial<Style>>> = {
    "1": { strong: true },
    "2": { quiet: true },
    "22": { strong: false, quiet: false },
    "7": { alert: true },
    "27": { alert: false },
    "0": { strong: false, alert: false, quiet: false },
  };
  return shownEscapes(line)
    .split(/(␛\[\d+m)/)
    .flatMap((piece) => {
      const code = /^␛\[(\d+)m$/.exec(piece)?.[1];
      if (code !== undefined) Object.assign(style, codes[code]);
      return code !== undefined || piece === "" ? [] : [{ text: piece, style: { ...style } }];
    });
}

function runPicture(text: string, { strong, alert, quiet }: Style, column: number, row: number): string {
  const [x, y] = [margin + column * cell.width, margin + row * cell.height];
  const width = (widthOf(text) * cell.width).toFixed(1);
  const ground = alert
    ? `<rect x="${x.toFixed(1)}" y="${y}" width="${width}" height="${cell.height}" fill="#e6edf3"/>`
    : "";
  const names = [strong ? "s" : "", alert ? "a" : quiet ? "q" : ""].filter((name) => name !== "").join(" ");
  // Words that are far apart keep their places by themselves.
  const words = [...text.matchAll(/[▁-█]+|[^\s▁-█]+(?: [^\s▁-█]+)*/g)].map(({ 0: word, index }) => {
    const at = x + widthOf(text.slice(0, index)) * cell.width;
    if (/^[▁-█]/.test(word)) return blocksPicture(word, at, y);
    const long = (widthOf(word) * cell.width).toFixed(1);
    const styled = names === "" ? "" : ` class="${names}"`;
    return `<text x="${at.toFixed(1)}" y="${y + 13.5}" textLength="${long}" lengthAdjust="spacingAndGlyphs"${styled}>${escaped(word)}</text>`;
  });
  return ground + words.join("");
}

function blocksPicture(word: string, x: number, y: number): string {
  const steps = [...word].map((block, index) => {
    const high = ((block.charCodeAt(0) - "▁".charCodeAt(0) + 1) / 8) * (cell.height - 3);
    const left = x + index * cell.width;
    return `M${left.toFixed(1)} ${(y + cell.height - 2).toFixed(1)}v${(-high).toFixed(1)}h${(cell.width - 0.8).toFixed(1)}v${high.toFixed(1)}z`;
  });
  return `<path d="${steps.join("")}" fill="#e6edf3"/>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

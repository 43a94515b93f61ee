/** Figures of the last minutes as a line of blocks, both sides on one scale, so that they compare. PURE. */
import type { SeriesView } from "../../admin/api/series/series-view.ts";
import { latency, rate } from "./format.ts";
import type { Style } from "./terminal.ts";
import { padEnd, padStart } from "./text.ts";

type Point = SeriesView["points"][number];
type SidePoint = Point["new"];

interface SparkOptions {
  readonly columns: number;
  readonly style: Style;
  /** Milliseconds since the epoch: where the lines end. */
  readonly now: number;
}

/** How far back they go. */
export const sparkSpanMs = 1_800_000;

/** One column's points of a side. @returns `undefined`: nothing was counted */
type Figure = (points: readonly SidePoint[]) => number | undefined;

const errorRate: Figure = (points) => {
  const requests = sum(points.map((point) => point.requests));
  return requests === 0 ? undefined : sum(points.map(({ errors }) => errors)) / requests;
};
const slowest: Figure = (points) => {
  const told = points.flatMap(({ p99 }) => p99 ?? []);
  return told.length === 0 ? undefined : Math.max(...told);
};

/** The scale goes at least as far as `least`: what is small looks small. */
const figures = [
  { title: "errors", of: errorRate, text: (value: number) => rate(value), least: 0.05 },
  { title: "p99", of: slowest, text: (value: number) => latency(value), least: 0.01 },
] as const;

const titleWidth = 8;
const sideWidth = 7;
const valueWidth = 9;
/** More columns than these are more than there are steps in half an hour. */
const mostColumns = 60;

/** Lines without line ends; none before anything was counted. */
export function sparkLines(series: SeriesView | undefined, { columns, style, now }: SparkOptions): string[] {
  const points = (series?.points ?? []).filter(({ at }) => now - Date.parse(at) < sparkSpanMs);
  if (points.length === 0) return [];
  const room = columns - 2 - titleWidth - sideWidth - valueWidth;
  const width = Math.max(1, Math.min(mostColumns, room));
  const caption = padEnd("", 2 + titleWidth + sideWidth) + captionOf(width);
  const lines = figures.flatMap(({ title, of, text, least }) => {
    const rows = (["legacy", "new"] as const).map((side) => ({
      side,
      values: binned(points, width, now).map((bin) => of(bin.map((point) => point[side]))),
    }));
    const most = Math.max(least, ...rows.flatMap(({ values }) => values.map((value) => value ?? 0)));
    return rows.map(({ side, values }, index) => {
      const last = values.findLast((value) => value !== undefined);
      const told = last === undefined ? "–" : text(last);
      const head = padEnd(index === 0 ? title : "", titleWidth) + padEnd(side, sideWidth);
      return `  ${head}${values.map((value) => block(value, most)).join("")}${padStart(told, valueWidth)}`;
    });
  });
  return [style.quiet(caption), ...lines];
}

/** `30 min ago … now`, as long as the lines. */
function captionOf(width: number): string {
  const [from, to] = width < 18 ? ["30 min", ""] : ["30 min ago", "now"];
  return padEnd(from, width - to.length) + to;
}

/** The points of each column of time, the last one ending now. */
function binned(points: readonly Point[], width: number, now: number): Point[][] {
  const bins = Array.from({ length: width }, (): Point[] => []);
  for (const point of points) {
    const ago = Math.max(0, now - Date.parse(point.at));
    bins[width - 1 - Math.floor((ago / sparkSpanMs) * width)]?.push(point);
  }
  return bins;
}

const blocks = "▁▂▃▄▅▆▇█";

/** What is not known is a gap. */
function block(value: number | undefined, most: number): string {
  if (value === undefined) return " ";
  const level = Math.min(blocks.length - 1, Math.floor((value / most) * blocks.length));
  return blocks[level] ?? " ";
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}

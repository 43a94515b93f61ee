/** Figures of the last minutes as a line of blocks, both sides on one scale, so that they compare. PURE. */
import type { SeriesView } from "../../admin/api/series/series-view.ts";
import { spanText } from "../../admin/api/words/span.ts";
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

/** How far back they go at most, and how far where no more is known. */
export const sparkSpanMs = 1_800_000;
const spansMs = [300_000, 600_000, sparkSpanMs];

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
  const { stepSeconds = 10 } = series ?? {};
  const points = (series?.points ?? []).filter(({ at }) => now - Date.parse(at) < sparkSpanMs);
  if (points.length === 0) return [];
  const room = columns - 2 - titleWidth - sideWidth - valueWidth;
  const width = Math.max(1, Math.min(mostColumns, room));
  const ages = points.map(({ at }) => now - Date.parse(at));
  const spanMs = spansMs.find((span) => ages.every((age) => age < span)) ?? sparkSpanMs;
  const span = { now, spanMs, stepMs: stepSeconds * 1000 };
  const caption = padEnd("", 2 + titleWidth + sideWidth) + captionOf(width, spanMs);
  const lines = figures.flatMap(({ title, of, text, least }) => {
    const rows = (["legacy", "new"] as const).map((side) => ({
      side,
      values: binned(points, width, span).map((bin) => of(bin.map((point) => point[side]))),
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
function captionOf(width: number, spanMs: number): string {
  const span = spanText(spanMs);
  const [from, to] = width < 18 ? [span, ""] : [`${span} ago`, "now"];
  return padEnd(from, width - to.length) + to;
}

interface Span {
  readonly now: number;
  readonly spanMs: number;
  /** How long a point lasts. */
  readonly stepMs: number;
}

/** The points that last into each column of time, the last one ending now. */
function binned(points: readonly Point[], width: number, { now, spanMs, stepMs }: Span): Point[][] {
  const columnMs = spanMs / width;
  return Array.from({ length: width }, (_, column) => {
    const untilMs = now - (width - 1 - column) * columnMs;
    return points.filter(({ at }) => {
      const began = Date.parse(at);
      return began < untilMs && began + stepMs > untilMs - columnMs;
    });
  });
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

/** Draws the series by uPlot: four charts with one cursor; changes are vertical lines. A file of its own, loaded last. */
import uPlot from "uplot";
import type { SeriesView } from "../../admin/api/series/series-view.ts";
import type { Zone } from "../state.ts";
import { differences } from "../words/series.ts";

export interface Drawn {
  readonly series: SeriesView;
  readonly isStale: boolean;
  readonly zone: Zone;
  readonly spanSeconds: number;
  readonly untilSeconds: number;
  readonly changes: readonly { readonly at: number; readonly label: string }[];
}

export interface Charts {
  draw(drawn: Drawn): void;
}

type Points = SeriesView["points"];
type Point = Points[number];

interface Line {
  readonly label: string;
  readonly side: "legacy" | "new" | "both";
  /** Px; 2 without it. */
  readonly width?: number;
  readonly of: (points: Points) => (number | null)[];
}

interface Chart {
  readonly title: string;
  readonly caption: string;
  readonly unit: string;
  readonly lines: readonly Line[];
  /** The lines between which the ground is filled, the upper first; the first line is 1. */
  readonly band?: uPlot.Band.Bounds;
}

const each = (of: (point: Point) => number | null) => (points: Points) => points.map(of);
const share = ({ requests, errors }: Point["new"]) => (requests === 0 ? null : (100 * errors) / requests);
const ms = (seconds: number | null) => (seconds === null ? null : seconds * 1000);
const pointsOf = (of: "estimate" | "least" | "most") => (points: Points) =>
  differences(points).map((found) => (found === null ? null : 100 * found[of]));

/** The three of a side in one colour and three strengths. */
const quantiles = (["legacy", "new"] as const).flatMap((side): Line[] => [
  { label: `${side} p50`, side, width: 0.75, of: each((point) => ms(point[side].p50)) },
  { label: "p95", side, width: 1.25, of: each((point) => ms(point[side].p95)) },
  { label: "p99", side, width: 2.25, of: each((point) => ms(point[side].p99)) },
]);

const charts: readonly Chart[] = [
  {
    title: "Error rate",
    caption: "Failed requests of each side, in percent.",
    unit: "%",
    lines: [
      { label: "legacy", side: "legacy", of: each(({ legacy }) => share(legacy)) },
      { label: "new", side: "new", of: each(({ new: onNew }) => share(onNew)) },
    ],
  },
  {
    title: "Difference",
    caption: "New’s error rate less legacy’s over 5 minutes, with its 99% interval.",
    unit: " pts",
    lines: [
      { label: "difference", side: "both", of: pointsOf("estimate") },
      { label: "least", side: "both", width: 0.5, of: pointsOf("least") },
      { label: "most", side: "both", width: 0.5, of: pointsOf("most") },
    ],
    band: [3, 2],
  },
  {
    title: "Latency",
    caption: "What 50, 95 and 99 of 100 requests took at most, thin to thick.",
    unit: " ms",
    lines: quantiles,
  },
  {
    title: "In flight",
    caption: "Requests under way on each side.",
    unit: "",
    lines: [
      { label: "legacy", side: "legacy", of: each(({ legacy }) => legacy.inFlight) },
      { label: "new", side: "new", of: each(({ new: onNew }) => onNew.inFlight) },
    ],
  },
];

export function createCharts(at: HTMLElement): Charts {
  const sync = uPlot.sync("evidence");
  let drawn: Drawn | undefined;
  const plots = charts.map((chart) => {
    const figure = document.createElement("figure");
    figure.className = "chart";
    const caption = document.createElement("figcaption");
    const title = document.createElement("strong");
    title.textContent = chart.title;
    caption.append(title, ` ${chart.caption}`);
    const place = document.createElement("div");
    figure.append(caption, place);
    at.append(figure);
    const plot = new uPlot(
      optionsOf(chart, () => drawn, sync.key),
      [[], ...chart.lines.map(() => [])],
      place,
    );
    return { chart, plot, place };
  });
  const fit = () => {
    for (const { plot, place } of plots) plot.setSize({ width: place.clientWidth, height });
  };
  new ResizeObserver(fit).observe(at);
  // Colours are those of the page, which a person may change meanwhile.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const { plot } of plots) plot.redraw();
  });

  return {
    draw(next) {
      if (next === drawn || (drawn !== undefined && isSame(drawn, next))) return;
      drawn = next;
      at.classList.toggle("stale", next.isStale);
      const { points } = next.series;
      const times = points.map((point) => Date.parse(point.at) / 1000);
      for (const { chart, plot } of plots) {
        plot.setData([times, ...chart.lines.map(({ of }) => of(points))]);
      }
    },
  };
}

function isSame(one: Drawn, other: Drawn): boolean {
  return (
    one.series === other.series &&
    one.isStale === other.isStale &&
    one.zone === other.zone &&
    one.changes.length === other.changes.length
  );
}

const height = 160;

function optionsOf({ lines, unit, band }: Chart, drawn: () => Drawn | undefined, key: string): uPlot.Options {
  const colour = (name: string) => () =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
  const axis = {
    stroke: colour("quiet"),
    grid: { stroke: colour("line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: 300,
    height,
    cursor: { sync: { key }, points: { size: 6 } },
    legend: { live: true },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), drawn()?.zone ?? "UTC"),
    scales: {
      x: {
        time: true,
        range: (): uPlot.Range.MinMax => {
          const { untilSeconds = 0, spanSeconds = 1800 } = drawn() ?? {};
          return [untilSeconds - spanSeconds, untilSeconds];
        },
      },
      y: { range: (_, min, max) => [Math.min(0, (min ?? 0) * 1.2), Math.max(1, (max ?? 1) * 1.1)] },
    },
    ...(band === undefined ? {} : { bands: [{ series: band, fill: colour("band") }] }),
    axes: [
      {
        ...axis,
        size: 30,
        space: 70,
        values: (_, marks) => marks.map((mark) => clock(mark, drawn()?.zone).slice(0, 5)),
      },
      { ...axis, size: 56, values: (_, marks) => marks.map((mark) => `${+mark.toFixed(2)}${unit}`) },
    ],
    series: [
      { label: "from", value: (_, seconds) => (seconds === null ? "–" : clock(seconds, drawn()?.zone)) },
      ...lines.map(
        ({ label, side, width = 2 }): uPlot.Series => ({
          label,
          stroke: colour(side === "both" ? "ink" : side),
          width,
          ...(side === "new" ? { dash: [6, 4] } : {}),
          points: { show: false },
          value: (_, value) => (value === null ? "–" : `${+value.toFixed(2)}${unit}`),
        }),
      ),
    ],
    hooks: {
      draw: [
        (plot) => {
          if (band !== undefined) drawZero(plot, colour("ink")());
          drawChanges(plot, drawn()?.changes ?? [], colour("quiet")());
        },
      ],
    },
  };
}

/** `02:14:09`, by the page's clock. */
function clock(seconds: number, zone: Zone = "UTC"): string {
  return new Date(seconds * 1000).toLocaleTimeString("en-GB", { timeZone: zone });
}

/** Where neither side fails more often. */
function drawZero(plot: uPlot, colour: string): void {
  const { ctx, bbox } = plot;
  const y = Math.round(plot.valToPos(0, "y", true));
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

/** A vertical line where the cutover was changed. */
function drawChanges(plot: uPlot, changes: Drawn["changes"], colour: string): void {
  const { ctx, bbox } = plot;
  const { min = 0, max = 0 } = plot.scales.x ?? {};
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.textAlign = "left";
  ctx.fillStyle = colour;
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
  for (const { at, label } of changes) {
    if (at < (min ?? 0) || at > (max ?? 0)) continue;
    const x = Math.round(plot.valToPos(at, "x", true));
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillText(label, x + 3 * devicePixelRatio, bbox.top + 11 * devicePixelRatio);
  }
  ctx.restore();
}

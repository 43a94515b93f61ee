/** Draws the series by uPlot: charts with one cursor; changes are vertical lines. A file of its own, loaded last. */
import uPlot from "uplot";
import type { PaymentsView } from "../../admin/api/series/payments-view.ts";
import type { SeriesView } from "../../admin/api/series/series-view.ts";
import type { Zone } from "../state.ts";
import { differences } from "../words/series.ts";
import { type ChangeMark, drawChanges, drawMargin, drawZero } from "./chart-marks.ts";

export interface Drawn {
  readonly series: SeriesView;
  /** Without any there is no chart of payments. */
  readonly cohorts: PaymentsView["cohorts"];
  /** Odds of a failure on new, in legacy's, that are still well. */
  readonly tolerance: number;
  readonly isStale: boolean;
  readonly zone: Zone;
  readonly spanSeconds: number;
  readonly untilSeconds: number;
  readonly changes: readonly ChangeMark[];
}

export interface Charts {
  draw(drawn: Drawn): void;
}

type Point = SeriesView["points"][number];
type Values = (number | null)[];

interface Line {
  readonly label: string;
  readonly side: "legacy" | "new" | "both";
  /** Px; 2 without it. */
  readonly width?: number;
  readonly of: (drawn: Drawn) => Values;
}

interface Chart {
  readonly title: string;
  readonly caption: string;
  readonly unit: string;
  readonly lines: readonly Line[];
  /** When what is drawn began, RFC 3339; without it, the series' steps. */
  readonly moments?: (drawn: Drawn) => readonly string[];
  /** The lines between which the ground is filled, the upper first; the first line is 1. */
  readonly band?: uPlot.Band.Bounds;
  /** How far above the line of zero new may lie and still be well. */
  readonly margin?: (drawn: Drawn) => Values;
}

const each = (of: (point: Point) => number | null) => (drawn: Drawn) => drawn.series.points.map(of);
const share = ({ requests, errors }: Point["new"]) => (requests === 0 ? null : (100 * errors) / requests);
const ms = (seconds: number | null) => (seconds === null ? null : seconds * 1000);
const pointsOf = (of: "estimate" | "least" | "most" | "margin") => (drawn: Drawn) =>
  differences(drawn.series.points, drawn.tolerance).map((found) => (found === null ? null : 100 * found[of]));
const paidOf100 = (side: "legacy" | "new") => (drawn: Drawn) =>
  drawn.cohorts.map(({ [side]: { begun, paid } }) => (begun === 0 ? null : (100 * paid) / begun));

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
    caption: "New’s error rate less legacy’s of 5 min, with its 99% interval.",
    unit: " pts",
    lines: [
      { label: "difference", side: "both", of: pointsOf("estimate") },
      { label: "least", side: "both", width: 0.5, of: pointsOf("least") },
      { label: "most", side: "both", width: 0.5, of: pointsOf("most") },
    ],
    band: [3, 2],
    margin: pointsOf("margin"),
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
  {
    title: "Paid",
    caption: "Of 100 journeys that began then, those paid by now. Young ones are still under way.",
    unit: "",
    lines: [
      { label: "legacy", side: "legacy", of: paidOf100("legacy") },
      { label: "new", side: "new", of: paidOf100("new") },
    ],
    moments: ({ cohorts }) => cohorts.map(({ at }) => at),
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
    return { chart, plot, place, figure };
  });
  const widen = () => {
    for (const { plot, place } of plots) {
      // One that is hidden has no width.
      if (place.clientWidth > 0 && place.clientWidth !== plot.width)
        plot.setSize({ width: place.clientWidth, height });
    }
  };
  new ResizeObserver(widen).observe(at);
  // Colours are those of the page, which a person may change meanwhile.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const { plot } of plots) plot.redraw();
  });

  return {
    draw(next) {
      if (next === drawn || (drawn !== undefined && isSame(drawn, next))) return;
      drawn = next;
      at.classList.toggle("stale", next.isStale);
      const steps = next.series.points.map(({ at }) => at);
      for (const { chart, plot, figure } of plots) {
        const moments = chart.moments?.(next) ?? steps;
        figure.hidden = chart.moments !== undefined && moments.length === 0;
        const times = moments.map((at) => Date.parse(at) / 1000);
        plot.setData([times, ...chart.lines.map(({ of }) => of(next))]);
      }
      widen();
    },
  };
}

function isSame(one: Drawn, other: Drawn): boolean {
  return (
    one.series === other.series &&
    one.cohorts === other.cohorts &&
    one.tolerance === other.tolerance &&
    one.isStale === other.isStale &&
    one.zone === other.zone &&
    one.changes.length === other.changes.length
  );
}

const height = 160;

function optionsOf(
  { lines, unit, band, margin }: Chart,
  drawn: () => Drawn | undefined,
  key: string,
): uPlot.Options {
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
      y: {
        range: (_, min, max) => {
          const most = Math.max(max ?? 1, ...marginIn(margin, drawn()).flatMap((value) => value ?? []));
          return [Math.min(0, (min ?? 0) * 1.2), Math.max(1, most * 1.1)];
        },
      },
    },
    ...(band === undefined ? {} : { bands: [{ series: band, fill: colour("band") }] }),
    axes: [
      {
        ...axis,
        size: 30,
        space: 70,
        values: (_, marks) => marks.map((mark) => momentAt(mark, drawn())),
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
          drawMargin(plot, marginIn(margin, drawn()), colour("danger")());
          drawChanges(plot, drawn()?.changes ?? [], colour("quiet")());
        },
      ],
    },
  };
}

/** `02:14`, or of more than two days `1 May`. */
function momentAt(seconds: number, drawn: Drawn | undefined): string {
  const { zone = "UTC", spanSeconds = 0 } = drawn ?? {};
  if (spanSeconds <= 172_800) return clock(seconds, zone).slice(0, 5);
  const day = { day: "numeric", month: "short", timeZone: zone } as const;
  return new Date(seconds * 1000).toLocaleDateString("en-GB", day);
}

/** `02:14:09`, by the page's clock. */
function clock(seconds: number, zone: Zone = "UTC"): string {
  return new Date(seconds * 1000).toLocaleTimeString("en-GB", { timeZone: zone });
}

/** Nothing where new may not fail more often at all: that is the line of zero. */
function marginIn(margin: Chart["margin"], drawn: Drawn | undefined): Values {
  return margin === undefined || drawn === undefined || drawn.tolerance === 1 ? [] : margin(drawn);
}

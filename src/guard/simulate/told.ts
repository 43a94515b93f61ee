/** A forecast as lines for a person, and as a picture. PURE. */
import type { Forecast, Spread, StepForecast } from "./forecast.ts";

export function linesOf({ steps, finish, falseRollbacks }: Forecast): string[] {
  const { acted, days } = falseRollbacks;
  const share = (100 * acted) / days;
  const rows = steps.map((step) => [
    `${step.percent}%`,
    step.toPass === undefined ? "" : minutesText(step.toPass.median),
    minutesText(step.toCatch.twice.median),
    minutesText(step.toCatch.tenPercent.median),
    minutesText(step.toCatch.all.median),
    String(step.toSeeTwiceTheShare ?? "-"),
    ...unpaidCells(step),
  ]);
  const head = ["step", "to pass", "2x failures", "10% fail", "all fail", "2x share"];
  const paid = steps.some(({ unpaid }) => unpaid !== undefined)
    ? ["half unpaid", "lost", "none paid", "lost"]
    : [];
  const [rehearsed] = steps.filter(({ said }) => said !== undefined);
  const instance =
    rehearsed === undefined ? [] : [`At ${rehearsed.percent}%, when a tenth fails: ${rehearsed.said}`];
  return [
    "Times are medians: until a step may be left, and until the guard acts. 2x share: new shoppers until it is seen.",
    "",
    ...columns([[...head, ...paid], ...rows]),
    "",
    `The plan takes ${minutesText(finish.median)} (${minutesText(finish.tenth)} to ${minutesText(finish.ninetieth)} in 8 of 10 runs).`,
    `False rollbacks: ${acted} in ${days} days with equal sides (${share.toFixed(2)}%).`,
    ...instance,
  ];
}

function unpaidCells({ unpaid }: StepForecast): string[] {
  if (unpaid === undefined) return [];
  const { half, lostOfHalf, none, lostOfNone } = unpaid;
  return [
    minutesText(half.median),
    lostOfHalf === undefined ? "-" : String(lostOfHalf),
    minutesText(none.median),
    lostOfNone === undefined ? "-" : String(lostOfNone),
  ];
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) => row.map((cell, at) => cell.padStart(widths[at] ?? 0)).join("   "));
}

/** In the unit that a person would use; `-` where it takes too long to be told. */
export function minutesText(minutes: number | undefined): string {
  if (minutes === undefined) return "-";
  if (minutes < 1) return `${Math.round(minutes * 60)} s`;
  if (minutes < 10) return `${minutes.toFixed(1)} min`;
  if (minutes < 120) return `${Math.round(minutes)} min`;
  return minutes < 2880 ? `${(minutes / 60).toFixed(1)} h` : `${(minutes / 1440).toFixed(1)} d`;
}

const plot = { left: 70, top: 40, width: 520, height: 300 };
const week = 7 * 1440;
const shortest = 1 / 6;

interface Curve {
  readonly name: string;
  readonly colour: string;
  readonly of: (step: StepForecast) => Spread | undefined;
}

const curves: readonly Curve[] = [
  { name: "2x failures", colour: "#b3261e", of: ({ toCatch }) => toCatch.twice },
  { name: "10% fail", colour: "#c77700", of: ({ toCatch }) => toCatch.tenPercent },
  { name: "all fail", colour: "#555555", of: ({ toCatch }) => toCatch.all },
  { name: "half unpaid", colour: "#7b4ea3", of: ({ unpaid }) => unpaid?.half },
  { name: "to pass", colour: "#2a7f62", of: ({ toPass }) => toPass },
];

/** @returns an SVG document: medians by step, minutes on a logarithmic scale */
export function pictureOf({ steps }: Forecast): string {
  const { left, top, width, height } = plot;
  const x = (at: number) => left + (steps.length === 1 ? width / 2 : (at * width) / (steps.length - 1));
  const span = Math.log(week / shortest);
  const y = (minutes: number) =>
    top + height * (1 - Math.log(Math.min(week, Math.max(shortest, minutes)) / shortest) / span);
  const grid = [1, 10, 60, 600, 1440].flatMap((minutes) => [
    `<line x1="${left}" x2="${left + width}" y1="${y(minutes).toFixed(1)}" y2="${y(minutes).toFixed(1)}" stroke="#ddd"/>`,
    `<text x="${left - 8}" y="${(y(minutes) + 4).toFixed(1)}" text-anchor="end">${minutesText(minutes)}</text>`,
  ]);
  const labels = steps.map(
    ({ percent }, at) =>
      `<text x="${x(at)}" y="${top + height + 18}" text-anchor="middle">${percent}%</text>`,
  );
  const drawn = curves.flatMap(({ name, colour, of }, at) => {
    const points = steps.flatMap((step, place) => {
      const median = of(step)?.median;
      return median === undefined ? [] : [`${x(place).toFixed(1)},${y(median).toFixed(1)}`];
    });
    if (points.length === 0) return [];
    return [
      `<polyline points="${points.join(" ")}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ...points.map((point) => {
        const [cx, cy] = point.split(",");
        return `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`;
      }),
      `<text x="${left + width + 16}" y="${top + 16 + at * 18}" fill="${colour}">${name}</text>`,
    ];
  });
  const size = `width="${left + width + 120}" height="${top + height + 40}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="12">`,
    `<text x="${left}" y="20">Median time by step</text>`,
    ...grid,
    ...labels,
    ...drawn,
    "</svg>\n",
  ].join("\n");
}

/** Measured figures as a picture: a bar each, against its bar. */
import { type Figure, type Outcome, slack } from "./figures.ts";

const row = 22;
const left = 520;
const width = 300;

/** @returns an SVG document: a bar's full length is what the figure may be at most (at least, for a control) */
export function plotOf(results: readonly { readonly figure: Figure; readonly outcome: Outcome }[]): string {
  const rows = results.map(({ figure, outcome }, at) => {
    const y = 30 + at * row;
    const { value, bar, text } = partOf(figure, outcome);
    const length = Math.min(value / bar, 1.4) * width;
    const colour = outcome.isWithin ? "#2a7f62" : "#b3261e";
    return [
      `<text x="${left - 8}" y="${y + 14}" text-anchor="end">${escaped(`${figure.table}: ${figure.name}`)}</text>`,
      `<rect x="${left}" y="${y + 3}" width="${length.toFixed(1)}" height="14" fill="${colour}"/>`,
      `<text x="${left + width * 1.45}" y="${y + 14}">${text}</text>`,
    ].join("\n");
  });
  const height = 40 + results.length * row;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${left + width * 2}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<text x="${left + width}" y="18" text-anchor="middle">bar</text>`,
    `<line x1="${left + width}" x2="${left + width}" y1="24" y2="${height - 8}" stroke="#444"/>`,
    ...rows,
    "</svg>\n",
  ].join("\n");
}

function partOf({ bar }: Figure, { acted, runs, median }: Outcome) {
  const percent = (share: number) => `${(100 * share).toFixed(2)}%`;
  if (bar.kind === "median") {
    return { value: median, bar: slack * bar.minutes, text: `${median.toFixed(1)} min` };
  }
  const value = acted / runs;
  return { value, bar: bar.kind === "seldom" ? bar.most : bar.least, text: percent(value) };
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

/** Both sides' figures, as a table where there is room for one. PURE. */
import type { CutoverView, SideTraffic } from "../../admin/api/cutover-view.ts";
import { count, latency, rate, restShare, share } from "./format.ts";
import type { Style } from "./terminal.ts";
import { cut, flow, padEnd, padStart, printable } from "./text.ts";

const widths = { side: 8, share: 9, requests: 10, errors: 8, rate: 9, p50: 9, p99: 9 } as const;
const tableWidth = 2 + Object.values(widths).reduce((sum, width) => sum + width, 0);
const smallestUpstream = 12;

export function trafficLines(
  view: Pick<CutoverView, "traffic" | "percent" | "effectivePercent" | "legacy" | "new">,
  { columns, style }: { readonly columns: number; readonly style: Style },
): string[] {
  const { traffic } = view;
  const period = `last ${Math.round(traffic.windowSeconds)} s`;
  const room = columns - tableWidth - 2;
  const upstream = (name: string) => (room >= smallestUpstream ? `  ${cut(printable(name), room)}` : "");
  const row = (side: string, part: string, figures: readonly string[], end: string) => {
    const [requests = "", errors = "", errorRate = "", p50 = "", p99 = ""] = figures;
    return [
      "  ",
      padEnd(side, widths.side),
      padStart(part, widths.share),
      padStart(requests, widths.requests),
      padStart(errors, widths.errors),
      padStart(errorRate, widths.rate),
      padStart(p50, widths.p50),
      padStart(p99, widths.p99),
      end,
    ].join("");
  };
  const silent = (["legacy", "new"] as const).filter(
    (side) => traffic[side].requests === 0 && traffic[side].inFlight === 0,
  );
  const subject = silent.length === 2 ? "no traffic" : `${silent.join("")}: no traffic`;
  const note = silent.length === 0 ? [] : [`  ${subject} in the ${period}`];
  if (columns < tableWidth) {
    const lines = [
      ...listLines("legacy", restShare(view.effectivePercent ?? view.percent), traffic.legacy, columns),
      ...listLines("new", share(view.effectivePercent ?? view.percent), traffic.new, columns),
    ];
    return [style.quiet(`  ${period}`), ...lines, ...note];
  }
  return [
    style.quiet(row("", "share", ["requests", "errors", "rate", "p50", "p99"], upstream(period))),
    row(
      "legacy",
      restShare(view.effectivePercent ?? view.percent),
      figures(traffic.legacy),
      upstream(view.legacy),
    ),
    row("new", share(view.effectivePercent ?? view.percent), figures(traffic.new), upstream(view.new)),
    ...note,
  ];
}

/** What the table says of a side, where there is no room for a table. */
function listLines(side: string, part: string, traffic: SideTraffic, columns: number): string[] {
  const [requests, errors, errorRate, p50, p99] = figures(traffic);
  const pieces = [
    part,
    `requests ${requests}`,
    `errors ${errors}`,
    `rate ${errorRate}`,
    `p50 ${p50}`,
    `p99 ${p99}`,
  ];
  const lines = flow(pieces, " · ", columns - 10, 8);
  return lines.map((line, index) => `  ${padEnd(index === 0 ? side : "", 8)}${line}`);
}

function figures(side: SideTraffic): readonly string[] {
  if (side.requests === 0) return ["–", "–", "–", "–", "–"];
  return [
    count(side.requests),
    count(side.errors),
    rate(side.errorRate),
    latency(side.p50),
    latency(side.p99),
  ];
}

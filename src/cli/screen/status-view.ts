/** The state of cutovers as a person reads it at 3 a.m. on an 80-column terminal. PURE. */
import type { CutoverView, SideTraffic, SideUnderWay } from "../../admin/api/cutover-view.ts";
import { byWhom, isOfAll } from "../../admin/api/rules.ts";
import { exposureText } from "../../admin/api/sides/exposure.ts";
import {
  ago,
  count,
  localTime,
  ofInstances,
  oldestPart,
  onThisClock,
  rate,
  share,
  stateWords,
  waited,
} from "./format.ts";
import { headNotes } from "./notes.ts";
import type { Style } from "./terminal.ts";
import { flow, padEnd, printable, wrap } from "./text.ts";
import { trafficLines } from "./traffic-table.ts";

interface ViewOptions {
  readonly columns: number;
  readonly style: Style;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** What a watcher is told besides, as lines; the verdict in place of the guard's sentence. */
  readonly live?: (view: CutoverView) => {
    readonly verdict: readonly string[];
    readonly sparks: readonly string[];
  };
}

export const noCutovers = "No cutover is configured: add one under cutovers: in the configuration.";

/** Lines without line ends; a blank line between cutovers. */
export function statusView(cutovers: readonly CutoverView[], options: ViewOptions): string[] {
  if (cutovers.length === 0) return [noCutovers];
  return cutovers.flatMap((view, index) => [
    ...(index === 0 ? [] : [""]),
    ...headLines(view, options),
    ...(options.live?.(view).verdict ?? []),
    ...noteLines(view, options),
    ...cohortLines(view, options.columns),
    ...ownWarnings(view).flatMap(({ text }) => warningLines(text, "  ", options)),
    ...trafficLines(view, options),
    ...(options.live?.(view).sparks ?? []),
    ...underWayLines(view, options.columns, options.now),
    ...exposureLines(view, options),
    ...remainderLines(view, options),
    ...changeLines(view, options),
  ]);
}

/** What is to be known of all of them: a store that is away, configurations that differ; nothing while all is well. */
export function commonLines(views: readonly CutoverView[], options: ViewOptions): string[] {
  const common = views.flatMap(({ warnings }) => warnings.filter(({ code }) => isOfAll(code)));
  const texts = [...new Set(common.map(({ text }) => text))];
  const lines = texts.flatMap((text) => warningLines(text, "", options));
  return lines.length === 0 ? [] : [...lines, ""];
}

function ownWarnings({ warnings }: CutoverView): CutoverView["warnings"] {
  return warnings.filter(({ code }) => !isOfAll(code));
}

const mostWarningLines = 20;

function warningLines(text: string, indent: string, { columns, style, now }: ViewOptions): string[] {
  const said = printable(onThisClock(text, now));
  const lines = wrap(`! ${said}`, columns - indent.length - 2, mostWarningLines);
  return lines.map((line, index) => `${indent}${index === 0 ? "" : "  "}${style.alert(line)}`);
}

function headLines(view: CutoverView, { columns, style }: ViewOptions): string[] {
  const { live, applied, silent } = view.instances;
  const of = live + silent.length;
  const name = printable(view.name);
  const state = stateWords[view.state];
  const fleet = live === 0 ? "! no instance is live" : `applied on ${ofInstances(applied, of)}`;
  const isBehind = live === 0 || applied < of;
  const pieces = [
    name,
    `${share(view.percent)} on new${inEffect(view)}`,
    state,
    `version ${view.version}`,
    isBehind && live > 0 ? `! ${fleet}` : fleet,
  ];
  return flow(pieces, "   ", columns, 6).map((line, index) => {
    const emphasised = view.state === "open" ? line : line.replace(`   ${state}`, `   ${style.alert(state)}`);
    const alerted = isBehind ? emphasised.replace(/! .*/, (text) => style.alert(text)) : emphasised;
    return index === 0 && alerted.startsWith(name)
      ? style.strong(name) + alerted.slice(name.length)
      : alerted;
  });
}

function noteLines(view: CutoverView, { columns, now, live }: ViewOptions): string[] {
  const { guard: _, ...others } = view;
  const notes = headNotes(live === undefined ? view : others, now);
  return notes.flatMap((note) => wrap(note, columns - 2, 6).map((line) => `  ${line}`));
}

/** What of a percent is in effect, where another cutover holds it back. */
function inEffect({ effectivePercent }: Pick<CutoverView, "effectivePercent">): string {
  return effectivePercent === undefined ? "" : `, ${share(effectivePercent)} in effect`;
}

/** In the order in which their rules are tried. */
function cohortLines({ cohorts = [] }: CutoverView, columns: number): string[] {
  if (cohorts.length === 0) return [];
  const pieces = cohorts.map(({ name, side, percent, ...held }) => {
    const stands = percent === null ? `all on ${side ?? "?"}` : `${share(percent)} on new${inEffect(held)}`;
    return `${printable(name)} ${stands}`;
  });
  return flow(["cohorts", ...pieces], "   ", columns - 2, 6).map((line) => `  ${line}`);
}

const longestReasonLines = 3;

function changeLines(view: CutoverView, { columns, now }: ViewOptions): string[] {
  const at = Date.parse(view.updatedAt);
  if (Number.isNaN(at)) return ["  never changed"];
  const pieces = [
    `  changed ${ago(now - at)},`,
    localTime(at),
    `${printable(byWhom(view.updatedBy))}${view.reason === "" ? ", no reason given" : ":"}`,
  ];
  const reason = view.reason === "" ? [] : wrap(printable(view.reason), columns - 4, longestReasonLines);
  return [...flow(pieces, " ", columns, 6), ...reason.map((line) => `    ${line}`)];
}

/** At 100% it is not to be seen from the share what legacy is still needed for. */
function remainderLines({ percent, stillLegacy }: CutoverView, { columns, now }: ViewOptions): string[] {
  if (percent < 100 || stillLegacy.length === 0) return [];
  const said = stillLegacy.map(({ text }) => printable(onThisClock(text, now)));
  const lines = wrap(`still to legacy: ${said.join("; ")}`, columns - 4, mostRemainderLines);
  return lines.map((line, index) => `  ${index === 0 ? "" : "  "}${line}`);
}

const mostRemainderLines = 12;

/** What each side has now: in flight always, the rest where it is known. @param now ms since the epoch */
function underWayLines(view: CutoverView, columns: number, now: number): string[] {
  const { journeys, unfinished, traffic } = view;
  return (["legacy", "new"] as const).flatMap((side) => {
    const underWay = [
      ...(journeys === null ? [] : [`journeys under way ${figure(journeys[side], now)}`]),
      ...(unfinished === null ? [] : [`unfinished orders ${figure(unfinished[side], now)}`]),
    ];
    const lines = [
      ...flow([flight(traffic[side]), ...answers(traffic[side])], " · ", columns - 10, 8),
      ...flow(underWay, " · ", columns - 10, 8),
    ];
    return lines.map((line, index) => `  ${padEnd(index === 0 ? side : "", 8)}${line}`);
  });
}

/** Over its cap a warning says it. */
function exposureLines({ exposure }: CutoverView, { columns }: ViewOptions): string[] {
  if (exposure === undefined || exposure.over) return [];
  return wrap(`unpaid on new: ${exposureText(exposure)}`, columns - 2, 3).map((line) => `  ${line}`);
}

function flight({ inFlight, oldestInFlightSeconds }: SideTraffic): string {
  const oldest = oldestInFlightSeconds === null ? "" : `, oldest ${waited(oldestInFlightSeconds)}`;
  return `in flight ${count(inFlight)}${oldest}`;
}

function answers({ shares }: SideTraffic): string[] {
  if (shares === null) return [];
  const classes = (["2xx", "4xx", "5xx"] as const).map((name) => `${name} ${rate(shares[name])}`);
  return [classes.join(", ")];
}

function figure({ open, atLeast, oldestStartedAt }: SideUnderWay, now: number): string {
  return `${atLeast ? "at least " : ""}${count(open)}${oldestPart(oldestStartedAt, now)}`;
}

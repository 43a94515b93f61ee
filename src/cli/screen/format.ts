/** Figures as people read them. PURE. API bodies and `--json` stay as they are: locale-free. */
import type { CutoverView, SideUnderWay } from "../../admin/api/cutover-view.ts";
import { percentText, restOf } from "../../admin/api/rules.ts";
import type { ProposalView } from "../../admin/api/write.ts";
import { printable } from "./text.ts";

/** `10%, open, version 42`. */
export function standing(view: Pick<CutoverView, "percent" | "state" | "version">): string {
  return `${share(view.percent)}, ${stateWords[view.state]}, version ${view.version}`;
}

/** 12.5 → `12.5%`, exact to three decimals. */
export function share(percent: number): string {
  return `${percentText(percent)}%`;
}

/** What waits for another person. */
export function proposedText({
  action,
  cohort,
  force,
  percent,
  dueAt,
}: Pick<ProposalView, "action" | "cohort" | "force" | "percent" | "dueAt">): string {
  if (action === "close") {
    return `closing legacy for good${force === true ? ", which gives up what is under way there," : ""}`;
  }
  if (action === "plan") return `the plan to ${share(percent)}`;
  const what = cohort === undefined ? share(percent) : `${printable(cohort)} ${share(percent)}`;
  return dueAt === undefined ? what : `${what} at ${localTime(Date.parse(dueAt))}`;
}

/** The rest of it: 12.5 → `87.5%`. */
export function restShare(percent: number): string {
  return `${percentText(restOf(percent))}%`;
}

export const stateWords = {
  open: "open",
  held: "HELD",
  rolled_back: "ROLLED BACK",
  closed: "CLOSED",
} as const satisfies Record<CutoverView["state"], string>;

const nothing = "–";

/** In full below a million: `12,345`, `1.2M`. */
export function count(value: number): string {
  if (value >= 1_000_000) return `${(value / 1_000_000).toFixed(1)}M`;
  return value.toLocaleString("en-US");
}

/** A rate of 0–1 as percent with two decimals; what is above 0 never reads as 0. */
export function rate(value: number | null): string {
  if (value === null) return nothing;
  if (value > 0 && value < 0.0001) return "<0.01%";
  if (value < 1 && value > 0.9999) return ">99.99%";
  return `${(value * 100).toFixed(2)}%`;
}

/** Seconds as `0.8 ms`, `12 ms`, `12.3 s`. */
export function latency(seconds: number | null): string {
  if (seconds === null) return nothing;
  const ms = seconds * 1000;
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 9999.5) return `${Math.round(ms)} ms`;
  return `${seconds.toFixed(1)} s`;
}

/** Seconds that somebody has waited, as `0.3 s`, `9 s`, `5 min`. */
export function waited(seconds: number): string {
  if (seconds < 0.95) return `${seconds.toFixed(1)} s`;
  return age(Math.round(seconds) * 1000);
}

export function plural(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** `3 of 3 instances`, `1 of 1 instance`. */
export function ofInstances(applied: number, of: number): string {
  return `${count(applied)} of ${plural(of, "instance")}`;
}

/** How long ago, in the largest whole unit: `12 s ago`, `5 min ago`, `3 h ago`, `2 days ago`. */
export function ago(ms: number): string {
  return ms < 1000 ? "just now" : `${age(ms)} ago`;
}

/** In the largest whole unit: `0 s`, `12 s`, `5 min`, `3 h`, `2 days`. */
export function age(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h`;
  return `${Math.floor(hours / 24)} days`;
}

const two = (value: number) => String(value).padStart(2, "0");

/** `02:14:09` on this machine's clock. */
export function clockTime(at: number): string {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
}

/** `2026-05-01 02:14:09 +07:00` in this machine's time zone. */
export function localTime(at: number): string {
  const date = new Date(at);
  const east = -date.getTimezoneOffset();
  const offset = `${east < 0 ? "-" : "+"}${two(Math.floor(Math.abs(east) / 60))}:${two(Math.abs(east) % 60)}`;
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day} ${clockTime(at)} ${offset}`;
}

const moment = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;
const halfDayMs = 12 * 60 * 60 * 1000;

/** A sentence of the API with its moments on this machine's clock; those of another day with their date. */
export function onThisClock(text: string, now: number): string {
  return text.replace(moment, (written) => {
    const at = Date.parse(written);
    return Math.abs(now - at) < halfDayMs ? clockTime(at) : localTime(at);
  });
}

/** `, oldest 5 min`; nothing where none is under way. @param now ms since the epoch */
export function oldestPart(startedAt: string | null, now: number): string {
  return startedAt === null ? "" : `, oldest ${age(Math.max(0, now - Date.parse(startedAt)))}`;
}

/** The oldest that are named of what a side has under way, one a line: `  journey XyZ, begun 2025-03-01T10:51:30.000Z`. */
export function underWayNames(side: SideUnderWay | null | undefined, one: "journey" | "order"): string[] {
  const named = (side?.oldest ?? []).map(
    ({ id, startedAt }) => `  ${one} ${printable(id)}, begun ${printable(startedAt)}`,
  );
  const more = (side?.open ?? 0) - named.length;
  return named.length === 0 || more <= 0 ? named : [...named, `  and ${count(more)} more`];
}

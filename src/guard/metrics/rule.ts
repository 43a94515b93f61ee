/**
 * A metric of the owner's own, held against legacy's or a number, point by point of the time for which it has to be worse.
 * PURE.
 *
 * A rule asks for all of that time at once, so nothing has to be remembered from one asking to the next: who takes over the
 * lead sees as much, and an asking that failed costs nothing but itself. What is missing decides nothing.
 */
import type { MetricFinding } from "../verdict/metrics.ts";

export interface MetricRule {
  readonly name: string;
  /** PromQL; `$side` in it is filled in. */
  readonly query: string;
  readonly worse: "above" | "below";
  readonly by?: number | undefined;
  readonly than: "legacy" | number;
  /** In ms. */
  readonly for: number;
  readonly action: MetricFinding["action"];
}

/** What was asked for: points of one series, or why there are none. */
export type Reply =
  | { readonly kind: "points"; readonly points: readonly Point[] }
  | { readonly kind: "nothing"; readonly why: string };

interface Point {
  /** s since the epoch, by the clock of whoever answers. */
  readonly at: number;
  /** Finite. */
  readonly value: number;
}

/** A series is looked at so often in the time for which it has to be worse. */
const looks = 20;

/** Between two points, and between two askings: a twentieth of the time, from 1 to 15 whole seconds. In ms. */
export function stepOf({ for: forMs }: Pick<MetricRule, "for">): number {
  return Math.min(15, Math.max(1, Math.floor(forMs / looks / 1000))) * 1000;
}

/** The query of one side, over all of the time: as its own clock has it, whoever answers. */
export function queryOf(rule: Pick<MetricRule, "query" | "for">, side: "legacy" | "new"): string {
  // In a line of its own, so that a comment at its end ends there.
  const query = rule.query.replaceAll("$side", side);
  return `(\n${query}\n)[${Math.floor(rule.for / 1000)}s:${stepOf(rule) / 1000}s]`;
}

/**
 * @param legacy absent: the rule holds new against a number
 * @param stoodMs how long new has had a share without a break; what was before says nothing
 */
export function findingOf(
  rule: MetricRule,
  onNew: Reply,
  legacy: Reply | undefined,
  stoodMs: number,
): MetricFinding {
  const { name, action, for: forMs } = rule;
  const nothing = (why: string): MetricFinding => {
    return { name, action, state: "no data", sentence: `${name}: no data (${why})` };
  };
  if (onNew.kind === "nothing") return nothing(`new: ${onNew.why}`);
  if (legacy?.kind === "nothing") return nothing(`legacy: ${legacy.why}`);
  const pairs = paired(onNew.points, typeof rule.than === "number" ? rule.than : (legacy?.points ?? []));
  const whole = Math.floor(forMs / stepOf(rule));
  // One may fall between the two askings.
  if (pairs.length < whole - 1) return nothing(`${pairs.length} of ${whole} points`);
  if (pairs.some(({ value, than }) => value < 0 || than < 0)) return nothing("below 0, where no ratio is");
  const last = pairs.at(-1);
  if (last === undefined) return nothing("no points");
  const isAll = pairs.every((pair) => isWorse(rule, pair));
  const state = !isWorse(rule, last) ? "fine" : isAll && stoodMs >= forMs ? "worse" : "pending";
  return { name, action, state, sentence: sentenceOf(rule, last, state) };
}

interface Pair {
  readonly value: number;
  readonly than: number;
}

function paired(onNew: readonly Point[], than: readonly Point[] | number): Pair[] {
  if (typeof than === "number") return onNew.map(({ value }) => ({ value, than }));
  const legacy = new Map(than.map(({ at, value }) => [at, value]));
  return onNew.flatMap(({ at, value }) => {
    const found = legacy.get(at);
    return found === undefined ? [] : [{ value, than: found }];
  });
}

/** Legacy's and half as much again; a number as it stands. */
function timesOf({ by, than }: Pick<MetricRule, "by" | "than">): number {
  return by ?? (than === "legacy" ? 1.5 : 1);
}

function isWorse(rule: MetricRule, { value, than }: Pair): boolean {
  const times = timesOf(rule);
  return rule.worse === "above" ? value > times * than : value * times < than;
}

function sentenceOf(rule: MetricRule, { value, than }: Pair, state: "fine" | "pending" | "worse"): string {
  const { name, worse, for: forMs } = rule;
  const times = timesOf(rule);
  const share = times === 1 ? "" : worse === "above" ? `${times} times ` : `1/${times} of `;
  const other = rule.than === "legacy" ? `legacy's ${shown(than)}` : shown(than);
  const kind = rule.than === "legacy" ? "a ratio" : "a threshold";
  const lasting = { fine: "", pending: `, not yet for ${timeText(forMs)}`, worse: ` for ${timeText(forMs)}` };
  const how = `${state === "fine" ? "not " : ""}${worse} ${share}${other}${lasting[state]}`;
  return `${name}: new ${shown(value)}, ${how} (${kind}, with no odds)`;
}

function shown(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function timeText(ms: number): string {
  return ms % 60_000 === 0 ? `${ms / 60_000} min` : `${Math.round(ms / 1000)} s`;
}

/**
 * Percents that are to be set at a time: what is kept of them in the store, and what becomes of each when its time has come.
 * PURE.
 *
 *   a raise   is made when nothing is against it: the state is open, the guard is well, no window and no freeze (unless it
 *             overrides them), what it goes after lets it, legacy is ready where the plan asks for that. And only from the
 *             percent that it was scheduled at, or that what waited before it was to set: who lowers the cutover or rolls it
 *             back meanwhile has changed its mind for it
 *   a lower   is made whatever is against a raise, as long as it still lowers
 *   late      within a minute of its time, or not at all: nobody expects it hours later. If nobody led then, it is missed
 *
 * The change is made first, with the id of the request that asked for it in its origin, and written down here afterwards;
 * whoever finds it in the history does not make it again.
 */
import * as z from "zod";
import type { Change } from "../state/rules/model.ts";
import { formatPercent } from "../state/rules/percent.ts";
import { standingPercent } from "../state/rules/routing.ts";
import { againstRaise, type Circumstances, type Wait } from "./steps.ts";

const outcomes = ["made", "refused", "missed", "cancelled"] as const;

const scheduled = z.object({
  id: z.string(),
  percentThousandths: z.int().min(0).max(100_000),
  cohort: z.string().optional(),
  /** When, in ms since the epoch. */
  dueMs: z.number(),
  /** Who asked for it, and who approved that. */
  by: z.string(),
  reason: z.string(),
  /** RFC 3339. */
  askedAt: z.string(),
  /** Of the request that asked for it. */
  requestId: z.string(),
  /** Where what is to be set stood then, or is to stand by what waited before it. */
  fromThousandths: z.int(),
  override: z.boolean().optional(),
  /** Absent: it waits. */
  outcome: z.object({ kind: z.enum(outcomes), at: z.string(), because: z.string() }).optional(),
});
export type Scheduled = z.output<typeof scheduled>;
export type ScheduleOutcome = NonNullable<Scheduled["outcome"]>;

/** By their time; those that are over behind them, newest first. */
const schedule = z.object({ entries: z.array(scheduled) });
export type Schedule = z.output<typeof schedule>;

export const mostWaiting = 20;
const mostOver = 20;
/** How long after its time it may still be made. */
const lateMs = 60_000;

export function readSchedule(text: string): Schedule {
  try {
    return schedule.parse(JSON.parse(text));
  } catch {
    return { entries: [] };
  }
}

export function scheduleText(record: Schedule): string {
  return JSON.stringify(record);
}

export function waitingIn({ entries }: Schedule): readonly Scheduled[] {
  return entries.filter(({ outcome }) => outcome === undefined);
}

export function withScheduled(record: Schedule, entry: Scheduled): Schedule {
  return sorted([...record.entries, entry]);
}

/** What the store has, with what it had. @returns the same where that adds nothing */
export function withLost(stands: Schedule, known: Schedule): Schedule {
  const lost = known.entries.filter(({ id }) => stands.entries.every((entry) => entry.id !== id));
  const waiting = [...waitingIn(stands), ...waitingIn({ entries: lost })].length;
  return lost.length === 0 || waiting > mostWaiting ? stands : sorted([...stands.entries, ...lost]);
}

/** @returns `undefined`: it waits no more */
export function withOutcome(record: Schedule, id: string, outcome: ScheduleOutcome): Schedule | undefined {
  if (!waitingIn(record).some((entry) => entry.id === id)) return undefined;
  return sorted(record.entries.map((entry) => (entry.id === id ? { ...entry, outcome } : entry)));
}

function sorted(entries: readonly Scheduled[]): Schedule {
  const waiting = entries.filter(({ outcome }) => outcome === undefined);
  const over = entries.filter(({ outcome }) => outcome !== undefined);
  const byTime = [...waiting].sort((one, other) => one.dueMs - other.dueMs);
  const newest = [...over].sort((one, other) =>
    (one.outcome?.at ?? "") < (other.outcome?.at ?? "") ? 1 : -1,
  );
  return { entries: [...byTime, ...newest.slice(0, mostOver)] };
}

export type Due =
  | { readonly kind: "make"; readonly change: Extract<Change, { action: "set" }> }
  | { readonly kind: "wait"; readonly because: string }
  | { readonly kind: "over"; readonly outcome: Pick<ScheduleOutcome, "kind" | "because"> };

type Situation = Omit<Circumstances, "author" | "configured" | "evidence">;

/**
 * What becomes of it, its time having come.
 *
 * @param because what has kept it since its time, as far as this process has seen
 * @param nowMs since the epoch
 */
export function dueOf(
  entry: Scheduled,
  situation: Situation,
  { because, nowMs }: { readonly because: string | undefined; readonly nowMs: number },
): Due {
  const { percentThousandths, cohort, fromThousandths } = entry;
  const { state } = situation;
  const stands = standingPercent(state, cohort);
  const over = (kind: ScheduleOutcome["kind"], text: string) =>
    ({ kind: "over", outcome: { kind, because: text } }) as const;
  if (nowMs - entry.dueMs > lateMs) {
    if (because !== undefined) return over("refused", because);
    return over("missed", "within a minute of its time no instance led, or went on leading");
  }
  if (percentThousandths === stands) return over("made", "it stood so already");
  const isRaise = percentThousandths > stands;
  if (isRaise && stands !== fromThousandths) {
    return over(
      "refused",
      `it was to be raised from ${formatPercent(fromThousandths)}%, and stands at ${formatPercent(stands)}%`,
    );
  }
  if (state.state === "closed") return over("refused", "legacy is closed");
  const change = {
    action: "set" as const,
    percentThousandths,
    ...(cohort === undefined ? {} : { cohort }),
  };
  const waiting = isRaise ? waitsOf(entry, situation, stands, nowMs) : [];
  if (waiting.length === 0) return { kind: "make", change };
  return { kind: "wait", because: waiting.map(({ gate, text }) => `${gate}: ${text}`).join("; ") };
}

function waitsOf(
  { override, percentThousandths }: Scheduled,
  situation: Situation,
  stands: number,
  nowMs: number,
): readonly Wait[] {
  const { state } = situation;
  const asked = override === true ? { ...situation, window: undefined, freeze: undefined } : situation;
  const raise = { fromThousandths: stands, toThousandths: percentThousandths };
  const word = state.state.replace("_", " ");
  const latched: Wait[] =
    state.state === "open" ? [] : [{ gate: "hold", text: `${word} by ${state.updatedBy}` }];
  return [...latched, ...againstRaise(asked, raise, nowMs)];
}

/** Whether it is to be looked at, by a clock that may be a second behind. */
export function isDue({ dueMs, outcome }: Scheduled, nowMs: number): boolean {
  return outcome === undefined && dueMs <= nowMs;
}

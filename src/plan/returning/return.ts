/**
 * A gradual return: a lowering that is made in steps, so that a legacy that has grown cold is filled again little by little.
 * PURE.
 *
 *   step    each is a change of the percent like any other, so every instance, every release and every screen goes by the
 *           percent that is in force, and no clock but the leader's own decides when the next one comes
 *   late    a step that is late moves all that follow: two are never made at once
 *   ends    at its target; or where somebody raises, resumes (of a gradual rollback) or rolls back meanwhile: what a person
 *           or the guard does counts, and nothing is raised by it ever
 *
 * The record follows the cutover's state; it never leads it. Whoever finds a step made and the record behind makes it not
 * again: it stands below already.
 */
import * as z from "zod";
import type { CutoverState } from "../../state/rules/model.ts";
import { formatPercent } from "../../state/rules/percent.ts";
import { standingPercent } from "../../state/rules/routing.ts";

const thousandths = z.int().min(0).max(100_000);

const returnPart = z.object({
  /** Whose percent; absent: the cutover's own. */
  cohort: z.string().optional(),
  from: thousandths,
  to: thousandths,
});
export type ReturnPart = z.output<typeof returnPart>;

const returnRecord = z.object({
  id: z.string(),
  /** `rollback`: raises are latched by a hold meanwhile, and it ends in a rollback. */
  kind: z.enum(["lower", "rollback"]),
  by: z.string(),
  reason: z.string(),
  /** RFC 3339. */
  startedAt: z.string(),
  overMs: z.int().min(1),
  parts: z.array(returnPart).min(1),
  /** How many steps are made. */
  made: z.int().min(0),
  /** Of the cutover, after the last of them; who knows an older one knows nothing of the return yet. */
  version: z.int().min(0),
  status: z.enum(["running", "done", "ended"]),
  /** Of a status other than running: how it came to that. */
  because: z.string(),
});
export type ReturnRecord = z.output<typeof returnRecord>;

/** @returns `undefined` where the text is none: there is none, or it was written by another program */
export function readReturn(text: string): ReturnRecord | undefined {
  try {
    return returnRecord.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** In how many steps, whatever the time: a twelfth of what is lowered at once is no load for a cold shop. */
export const stepsOfReturn = 12;

export function stepMsOf({ overMs }: Pick<ReturnRecord, "overMs">): number {
  return overMs / stepsOfReturn;
}

/** Where the part stands once so many steps are made; falls from step to step, and reaches its target with the last. */
export function partAt({ from, to }: ReturnPart, made: number): number {
  const left = Math.max(0, stepsOfReturn - made);
  return to + Math.floor((Math.max(0, from - to) * left) / stepsOfReturn);
}

type NextOfReturn =
  | { readonly kind: "rest" }
  /** The record is to be written: it is over. */
  | { readonly kind: "became"; readonly record: ReturnRecord }
  /** What is to be lowered; none where all of it stands there already. Then the record is to be written. */
  | { readonly kind: "step"; readonly lower: readonly Lowering[]; readonly record: ReturnRecord }
  | { readonly kind: "rollback"; readonly record: ReturnRecord };

/** What a step lowers. */
interface Lowering {
  readonly cohort?: string | undefined;
  readonly to: number;
}

/** @param isDue whether the time of a step has passed since the last */
export function nextOfReturn(record: ReturnRecord, state: CutoverState, isDue: boolean): NextOfReturn {
  if (record.status !== "running" || state.version < record.version) return { kind: "rest" };
  const end = endOf(record, state);
  if (end !== undefined) return { kind: "became", record: { ...record, ...end } };
  if (!isDue) return { kind: "rest" };
  const made = Math.min(record.made + 1, stepsOfReturn);
  const lower = record.parts.flatMap((part): Lowering[] => {
    const to = partAt(part, made);
    if (standingPercent(state, part.cohort) <= to) return [];
    return [part.cohort === undefined ? { to } : { to, cohort: part.cohort }];
  });
  const next = { ...record, made };
  if (made < stepsOfReturn) return { kind: "step", lower, record: next };
  const done = { ...next, status: "done", because: "" } as const;
  return record.kind === "rollback"
    ? { kind: "rollback", record: done }
    : { kind: "step", lower, record: done };
}

/** Whether something is still to come of it, by how the cutover stands: its last record may not have been read yet. */
export function isReturning(record: ReturnRecord, state: CutoverState): boolean {
  if (record.status !== "running") return false;
  if (state.version < record.version) return true;
  if (endOf(record, state) !== undefined) return false;
  return (
    record.kind === "rollback" || record.parts.some(({ cohort, to }) => standingPercent(state, cohort) > to)
  );
}

function endOf(
  record: ReturnRecord,
  state: CutoverState,
): Pick<ReturnRecord, "status" | "because"> | undefined {
  const { kind, parts, made } = record;
  const by = state.updatedBy;
  if (state.state === "closed") return { status: "ended", because: "legacy is closed" };
  if (state.state === "rolled_back") return { status: "ended", because: `rolled back by ${by}` };
  if (kind === "rollback" && state.state !== "held") return { status: "ended", because: `resumed by ${by}` };
  const raised = parts.find((part) => standingPercent(state, part.cohort) > partAt(part, made));
  if (raised === undefined) return undefined;
  const stands = formatPercent(standingPercent(state, raised.cohort));
  return { status: "ended", because: `set to ${stands}% by ${by}` };
}

interface Beginning {
  readonly id: string;
  readonly kind: ReturnRecord["kind"];
  readonly by: string;
  readonly reason: string;
  /** RFC 3339. */
  readonly at: string;
  readonly overMs: number;
  /** What is to be lowered from now on. */
  readonly parts: readonly ReturnPart[];
  /** How many steps are made already. */
  readonly made: number;
  /** The cutover's, after them. */
  readonly version: number;
  /** As it stands here, that version or near it. */
  readonly state: CutoverState;
}

/** What was returning before goes on to its own target beside it, over the new time. */
export function begunReturn(before: ReturnRecord | undefined, beginning: Beginning): ReturnRecord {
  const { parts, made, state, at: startedAt, ...told } = beginning;
  const isOfRunning = before?.status === "running" && before.kind === "lower";
  const others = (isOfRunning ? before.parts : []).filter(
    ({ cohort }) => !parts.some((part) => part.cohort === cohort),
  );
  const rest = others.map((part) => rebased(part, standingPercent(state, part.cohort), made));
  const fields = { startedAt, made, status: "running", because: "" } as const;
  return { ...told, ...fields, parts: [...parts, ...rest] };
}

/** From where it stands, as if so many steps had been made of it. */
function rebased(part: ReturnPart, stands: number, made: number): ReturnPart {
  const above = Math.max(0, stands - part.to);
  return { ...part, from: part.to + Math.ceil((above * stepsOfReturn) / (stepsOfReturn - made)) };
}

/** As a change's reason: `errors up (returning to 10% over 60 s)`. */
export function reasonOfReturn({
  kind,
  reason,
  parts,
  overMs,
}: Pick<ReturnRecord, "kind" | "reason" | "parts" | "overMs">): string {
  const [first] = parts;
  const target = kind === "rollback" ? "0%, to be rolled back" : `${formatPercent(first?.to ?? 0)}%`;
  const told = `returning to ${target} over ${Math.round(overMs / 1000)} s`;
  return reason === "" ? told : `${reason} (${told})`;
}

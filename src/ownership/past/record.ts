/** The rules of past requests, and the texts that they are kept in; note-past.lua is the same rules. PURE. */
import * as z from "zod";
import { jsonOf } from "../../base/json.ts";
import { sides } from "../../state/rules/model.ts";
import {
  type Answered,
  type DoubtNote,
  doubtOutcomes,
  type InDoubt,
  type KeyNote,
  type KeyPast,
  mostOthers,
  type PastDecision,
} from "./port.ts";

/** Most decisions kept of a key: the first half of them, and the last ones. */
export const mostDecisions = 8;

const nothing: KeyPast = { decisions: [], omitted: 0, answered: {} };

/** What is known of a key once the note is taken. */
export function noted(before: KeyPast | undefined, { decisions, answered }: KeyNote): KeyPast {
  const past = decisions.reduce(withDecision, before ?? nothing);
  return { ...past, answered: later(past.answered, answered) };
}

function later(before: Answered, next: Answered): Answered {
  const both = { ...before };
  for (const side of sides) {
    const atMs = Math.max(before[side] ?? 0, next[side] ?? 0);
    if (atMs > 0) both[side] = atMs;
  }
  return both;
}

/** One that is as the one before it says nothing new. */
function withDecision(past: KeyPast, made: PastDecision): KeyPast {
  const at = past.decisions.findIndex(({ atMs }) => atMs > made.atMs);
  const place = at === -1 ? past.decisions.length : at;
  const [before, after] = [past.decisions[place - 1], past.decisions[place]];
  if (before !== undefined && isAlike(before, made)) return past;
  const isEarlier = after !== undefined && isAlike(after, made);
  const decisions = past.decisions.toSpliced(place, isEarlier ? 1 : 0, made);
  if (decisions.length <= mostDecisions) return { ...past, decisions };
  return { ...past, decisions: decisions.toSpliced(mostDecisions / 2, 1), omitted: past.omitted + 1 };
}

export function isAlike(one: Omit<PastDecision, "atMs" | "route">, other: typeof one): boolean {
  return one.side === other.side && one.reason === other.reason && one.version === other.version;
}

/** Whether the side has answered a request with one of its keys since it was sent. */
export function hasAnswered({ side, sentAtMs }: DoubtNote, pasts: readonly (KeyPast | undefined)[]): boolean {
  return pasts.some((past) => (past?.answered[side] ?? 0) >= sentAtMs);
}

/** Whether a note of one that has ended takes away what was noted while it waited. */
export function isWithdrawn(known: InDoubt, { sentAtMs }: DoubtNote): boolean {
  return known.outcome === "instance_gone" && known.sentAtMs === sentAtMs && known.lastSentAtMs === sentAtMs;
}

/** Those with one first key are one: sent first then, and last then. What only waits says nothing of what is in doubt. */
export function merged(
  known: InDoubt | undefined,
  note: DoubtNote & { outcome: InDoubt["outcome"] },
): InDoubt {
  const { side, digest, others, sentAtMs, sinceMs, route, outcome } = note;
  if (known === undefined)
    return { side, digest, others, sentAtMs, lastSentAtMs: sentAtMs, sinceMs, route, outcome };
  const [waited, waits] = [known, note].map((one) => one.outcome === "instance_gone");
  const own = { outcome: known.outcome, route: known.route, sinceMs: known.sinceMs };
  const next = { outcome, route, sinceMs };
  const told = waits
    ? { ...own, sinceMs: waited ? Math.max(known.sinceMs, sinceMs) : known.sinceMs }
    : { ...next, sinceMs: waited ? sinceMs : Math.min(known.sinceMs, sinceMs) };
  return {
    side,
    digest,
    ...told,
    others: [...new Set([...known.others, ...others])].slice(0, mostOthers),
    sentAtMs: Math.min(known.sentAtMs, sentAtMs),
    lastSentAtMs: Math.max(known.lastSentAtMs, sentAtMs),
  };
}

const decision = z.tuple([z.number(), z.enum(sides), z.string(), z.number(), z.string()]);
/** Lua writes an empty list as an object. */
const empty = z.record(z.string(), z.never()).transform((): z.output<typeof decision>[] => []);
const record = z.object({
  d: z.array(decision).or(empty),
  n: z.number().default(0),
  a: z
    .partialRecord(z.enum(sides), z.number())
    .or(z.array(z.never()).transform(() => ({})))
    .default({}),
});

/** `d`: the decisions, each time, side, reason, version and route; `n`: those left out; `a`: when each side has answered. */
export function recordText({ decisions, omitted, answered }: KeyPast): string {
  const d = decisions.map(({ atMs, side, reason, version, route }) => [atMs, side, reason, version, route]);
  return JSON.stringify({ d, n: omitted, a: answered });
}

/** @returns `undefined` for what is no record */
export function readRecord(text: unknown): KeyPast | undefined {
  const read = record.safeParse(typeof text === "string" ? jsonOf(text) : undefined).data;
  if (read === undefined) return undefined;
  const decisions = read.d.map(([atMs, side, reason, version, route]) => {
    return { atMs, side, reason, version, route };
  });
  return { decisions, omitted: read.n, answered: read.a };
}

const doubt = z.object({
  at: z.number(),
  last: z.number(),
  since: z.number().optional(),
  outcome: z.enum(doubtOutcomes),
  route: z.string(),
  others: z.string(),
});

export function doubtText({ sentAtMs, lastSentAtMs, sinceMs, outcome, route, others }: InDoubt): string {
  const times = { at: sentAtMs, last: lastSentAtMs, since: sinceMs };
  return JSON.stringify({ ...times, outcome, route, others: others.join(",") });
}

/** @param sinceMs where the text does not say it @returns `undefined` for what is none */
export function readDoubt(
  { side, digest }: Pick<InDoubt, "side" | "digest">,
  text: unknown,
  sinceMs = 0,
): InDoubt | undefined {
  const read = doubt.safeParse(typeof text === "string" ? jsonOf(text) : undefined).data;
  if (read === undefined) return undefined;
  const { at, last, since = sinceMs, outcome, route, others } = read;
  const names = others === "" ? [] : others.split(",");
  return { side, digest, others: names, sentAtMs: at, lastSentAtMs: last, sinceMs: since, outcome, route };
}

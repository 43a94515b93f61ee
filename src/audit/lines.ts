/**
 * The lines of the audit file: one JSON object each, `kind` first. PURE.
 *
 *   begin       a file begins: the versions its changes go on from, the file before it, files that were removed
 *   change      an entry of the history, whoever made it and on whichever instance
 *   gap         versions the store had forgotten before they were read: from, to
 *   refused     a change this instance was asked for and did not make, and why; by the rule book, or before it was
 *               asked: then with the `call` in place of the action
 *   local       a change of this instance alone; once the store has it, a `change` with via reconciled follows
 *   annotation  a reason this instance was given for an earlier change
 *   proposal    a raise that needs a second person: proposed, approved, withdrawn or expired
 *   omitted     so many refusals are not in the file: more came than are written
 */
import { z } from "zod";
import type { Annotation, HistoryEntry } from "../state/rules/history.ts";
import { percentToNumber } from "../state/rules/percent.ts";
import type { AskedChange, ProposalEvent, RefusedChange, TurnedAway } from "./port.ts";

export type Line = { readonly kind: string } & Readonly<Record<string, unknown>>;

/** The last version of each cutover that is in the file. */
export type Versions = ReadonlyMap<string, number>;

interface Standing {
  readonly percentThousandths: number;
  readonly state: string;
}

const standing = ({ percentThousandths, state }: Standing) => ({
  percent: percentToNumber(percentThousandths),
  state,
});

export function changeLine(cutover: string, entry: HistoryEntry): Line {
  const { version, at, by, action, from, to, reason, via = null, requestId = null } = entry;
  const moved = { from: standing(from), to: standing(to) };
  return { kind: "change", at, cutover, version, action, ...moved, by, via, reason, requestId };
}

/** @param at RFC 3339, the instance's clock */
export function refusedLine(at: string, instance: string, { code, ...asked }: RefusedChange): Line {
  return { kind: "refused", at, ...askedFields(asked), code, instance };
}

export function turnedAwayLine(at: string, instance: string, turned: TurnedAway): Line {
  const { name, call, actor, via, code, why, page, requestId } = turned;
  const who = { by: actor?.name ?? null, role: actor?.role ?? null };
  return { kind: "refused", at, cutover: name, call, ...who, via, code, why, page, requestId, instance };
}

export function proposalLine(at: string, instance: string, told: ProposalEvent): Line {
  const { event, name, proposal, actor, origin, replaces = null } = told;
  const { id, percentThousandths, version, by, reason, expiresAt } = proposal;
  const percent = percentToNumber(percentThousandths);
  const what = { event, id, percent, version, proposedBy: by, reason, expiresAt, replaces };
  const who = { by: actor?.name ?? null, via: origin?.via ?? null, requestId: origin?.requestId ?? null };
  return { kind: "proposal", at, cutover: name, ...what, ...who, instance };
}

export function localLine(at: string, instance: string, made: AskedChange): Line {
  return { kind: "local", at, ...askedFields(made), instance };
}

function askedFields({ name, change, actor, reason, origin, stands }: AskedChange) {
  const percent = change.action === "set" ? { percent: percentToNumber(change.percentThousandths) } : {};
  return {
    cutover: name,
    action: change.action,
    ...percent,
    by: actor.name,
    role: actor.role,
    via: origin.via,
    reason,
    stands: { ...standing(stands), version: stands.version },
    requestId: origin.requestId ?? null,
  };
}

export function annotationLine(cutover: string, version: number, annotation: Annotation): Line {
  const { at, by, reason, via = null, requestId = null } = annotation;
  return { kind: "annotation", at, cutover, version, by, via, reason, requestId };
}

export function gapLine(cutover: string, from: number, to: number): Line {
  return { kind: "gap", cutover, from, to };
}

const followed = z.union([
  z.object({ kind: z.literal("begin"), versions: z.record(z.string(), z.int().min(0)) }),
  z.object({ kind: z.literal("change"), cutover: z.string(), version: z.int().min(1) }),
  z.object({ kind: z.literal("gap"), cutover: z.string(), to: z.int().min(1) }),
]);

/** How far the changes in the text go; what does not read, such as a line a crash has cut, is passed over. */
export function versionsIn(text: string): Map<string, number> {
  const versions = new Map<string, number>();
  const raise = (cutover: string, version: number) =>
    versions.set(cutover, Math.max(version, versions.get(cutover) ?? 0));
  for (const line of text.split("\n")) {
    const found = followed.safeParse(jsonOf(line)).data;
    if (found?.kind === "begin") {
      for (const [cutover, version] of Object.entries(found.versions)) raise(cutover, version);
    } else if (found?.kind === "change") raise(found.cutover, found.version);
    else if (found?.kind === "gap") raise(found.cutover, found.to);
  }
  return versions;
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

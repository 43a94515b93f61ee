/**
 * The audit file: lines that are durable once they are written (base/append-file.ts), each a JSON object, `kind`
 * first.
 *
 *   begin       a file begins: the versions its changes go on from, the file before it, files that were removed
 *   change      an entry of the history, of any person and any instance
 *   gap         versions the store had forgotten before they were read: from, to
 *   refused     a change this instance was asked for and did not make, and why; by the rule book, or before it was
 *               asked: then with the `call` in place of the action
 *   local       a change of this instance alone; once the store has it, a `change` with via reconciled follows
 *   annotation  a reason this instance was given for an earlier change
 *   proposal    a raise that needs a second person: proposed, approved, withdrawn or expired
 *   owner       the owner of a key: proposed, set or released
 *   doubt       requests in doubt that a person has settled
 *   omitted     so many refusals are not in the file: more came than are written
 *
 * It is never shared: the first process on a host has PATH, the next PATH-2 (before the ending), and so on. At
 * `rotateBytes` it is put aside and begun anew; the oldest that is removed for it is named in the log and in the new file.
 */
import { basename } from "node:path";
import * as z from "zod";
import { type AppendFile, createAppendFile } from "../base/append-file.ts";
import { codeOf } from "../base/errors.ts";
import { jsonOf } from "../base/json.ts";
import { textIn } from "../base/replace-file.ts";
import type { Annotation, HistoryEntry } from "../state/rules/history.ts";
import { type CohortPercents, percentToNumber } from "../state/rules/percent.ts";
import { maintenancePart } from "../state/rules/sides/maintenance.ts";
import type {
  AskedChange,
  DoubtEvent,
  FreezeEvent,
  ListEvent,
  OwnerEvent,
  PlanEvent,
  ProposalEvent,
  RefusedChange,
  TurnedAway,
} from "./port.ts";

export type AuditLine = { readonly kind: string } & Readonly<Record<string, unknown>>;

/** The last version of each cutover that is in the file. */
type Versions = ReadonlyMap<string, number>;

export interface AuditFileOptions {
  readonly path: string;
  /** 16 MiB without it. */
  readonly rotateBytes?: number;
  /** How many that were put aside are kept; 64 without it. */
  readonly keepFiles?: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Stands in the first line of each file. */
  readonly instance: string;
  readonly onRemoved: (path: string) => void;
}

export interface AuditFile {
  readonly path: string;
  /** How far the file's changes went when it was opened. */
  readonly versions: Versions;
  /** @throws the file system's error: none of the lines is in the file */
  append(lines: readonly AuditLine[]): Promise<void>;
  /** Begins a new file when this one has its size. @param versions how far the changes go by now */
  rotateWhenFull(versions: Versions): Promise<void>;
  close(): Promise<void>;
}

const maxProcesses = 99;

/** @throws Error of the file system */
export async function openAuditFile(options: AuditFileOptions): Promise<AuditFile> {
  const { rotateBytes = 16 * 1024 ** 2, keepFiles = 64, now, instance, onRemoved } = options;
  const { path, file } = await openFirst(options.path);

  const beginLine = (at: Versions, previous: string | null, removed: readonly string[]) => {
    const from = { versions: Object.fromEntries(at), previous, removed };
    return textOf({ kind: "begin", ...from, at: new Date(now()).toISOString(), instance });
  };

  try {
    const versions = versionsIn((await textIn(path)) ?? "");
    if (file.size() === 0) await file.append(beginLine(versions, null, []));
    return {
      path,
      versions,
      append: (lines) => file.append(lines.map(textOf).join("")),
      async rotateWhenFull(at) {
        if (file.size() < rotateBytes) return;
        await file.rotate({
          nowMs: now(),
          keepFiles,
          begin(aside, removed) {
            removed.forEach(onRemoved);
            return beginLine(
              at,
              basename(aside),
              removed.map((each) => basename(each)),
            );
          },
        });
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Opens the first of PATH, PATH-2, … that no other process of this host has. */
async function openFirst(wanted: string): Promise<{ readonly path: string; readonly file: AppendFile }> {
  for (let number = 1; ; number++) {
    const path = number === 1 ? wanted : wanted.replace(/(\.[^./]*)?$/, `-${number}$1`);
    const file = createAppendFile(path, { isLocked: true });
    try {
      await file.open();
      return { path, file };
    } catch (error) {
      await file.close();
      if (codeOf(error) !== "ELOCKED" || number === maxProcesses) throw error;
    }
  }
}

function textOf(line: AuditLine): string {
  return `${JSON.stringify(line)}\n`;
}

interface Standing {
  readonly percentThousandths: number;
  readonly cohorts?: CohortPercents | undefined;
  readonly state: string;
}

const standing = ({ percentThousandths, cohorts = {}, state }: Standing) => {
  const percents = Object.entries(cohorts).map(([name, percent]) => [name, percentToNumber(percent)]);
  return {
    percent: percentToNumber(percentThousandths),
    ...(percents.length === 0 ? {} : { cohorts: Object.fromEntries(percents) }),
    state,
  };
};

export function changeLine(cutover: string, entry: HistoryEntry): AuditLine {
  const { version, at, by, action, from, to, reason, via = null, requestId = null } = entry;
  const moved = { from: standing(from), to: { ...standing(to), ...maintenancePart(to.maintenance) } };
  const made = action === "set" && via === "plan" ? "plan_step" : action;
  return { kind: "change", at, cutover, version, action: made, ...moved, by, via, reason, requestId };
}

/** @param at RFC 3339, the instance's clock */
export function refusedLine(at: string, instance: string, { code, ...asked }: RefusedChange): AuditLine {
  return { kind: "refused", at, ...askedFields(asked), code, instance };
}

export function turnedAwayLine(at: string, instance: string, turned: TurnedAway): AuditLine {
  const { name, call, actor, via, code, why, page, requestId } = turned;
  const who = { by: actor?.name ?? null, role: actor?.role ?? null };
  return { kind: "refused", at, cutover: name, call, ...who, via, code, why, page, requestId, instance };
}

export function proposalLine(at: string, instance: string, told: ProposalEvent): AuditLine {
  const { event, name, proposal, actor, origin, replaces = null } = told;
  const { id, action = "set", cohort, force = false, override, percentThousandths, ...rest } = proposal;
  const { version, by, reason, expiresAt } = rest;
  const percent = percentToNumber(percentThousandths);
  const what = {
    event,
    id,
    action: action === "set_cohort" ? "set" : action,
    ...(cohort === undefined ? {} : { cohort }),
    force,
    ...(override === true ? { override } : {}),
    percent,
    version,
    proposedBy: by,
    reason,
    expiresAt,
    replaces,
  };
  const who = { by: actor?.name ?? null, via: origin?.via ?? null, requestId: origin?.requestId ?? null };
  return { kind: "proposal", at, cutover: name, ...what, ...who, instance };
}

export function ownerLine(at: string, instance: string, told: OwnerEvent): AuditLine {
  const { event, name, key, side, before, actor, origin, reason, force, proposedBy = null } = told;
  const who = { by: actor.name, role: actor.role, via: origin.via, requestId: origin.requestId };
  return {
    kind: "owner",
    at,
    cutover: name,
    event,
    key,
    side,
    before,
    reason,
    force,
    proposedBy,
    ...who,
    instance,
  };
}

export function doubtLine(at: string, instance: string, told: DoubtEvent): AuditLine {
  const { name, digest, settled, actor, origin, reason } = told;
  const who = { by: actor.name, role: actor.role, via: origin.via, requestId: origin.requestId };
  return { kind: "doubt", at, cutover: name, event: "settled", digest, settled, reason, ...who, instance };
}

export function listLine(at: string, instance: string, told: ListEvent): AuditLine {
  const { event, list, added, removed, actor, origin, reason, proposedBy = null } = told;
  const who = { by: actor.name, role: actor.role, via: origin.via, requestId: origin.requestId };
  return { kind: "list", at, list, event, added, removed, reason, proposedBy, ...who, instance };
}

export function planLine(at: string, instance: string, told: PlanEvent): AuditLine {
  const { event, name, actor, reason, origin } = told;
  const who = { by: actor.name, role: actor.role, via: origin.via, requestId: origin.requestId ?? null };
  return { kind: "plan", at, cutover: name, event, reason, ...who, instance };
}

export function freezeLine(at: string, instance: string, told: FreezeEvent): AuditLine {
  const { event, until, actor, reason, origin } = told;
  const who = { by: actor.name, role: actor.role, via: origin.via, requestId: origin.requestId ?? null };
  return { kind: "freeze", at, event, until, reason, ...who, instance };
}

export function localLine(at: string, instance: string, made: AskedChange): AuditLine {
  return { kind: "local", at, ...askedFields(made), instance };
}

function askedFields({ name, change, actor, reason, origin, stands }: AskedChange) {
  const percent = change.action === "set" ? { percent: percentToNumber(change.percentThousandths) } : {};
  const whose = change.action === "set" && change.cohort !== undefined ? { cohort: change.cohort } : {};
  return {
    cutover: name,
    action: change.action,
    ...whose,
    ...percent,
    ...(change.action === "maintain" ? { side: change.side, until: change.until } : {}),
    by: actor.name,
    role: actor.role,
    via: origin.via,
    reason,
    stands: { ...standing(stands), version: stands.version },
    requestId: origin.requestId ?? null,
  };
}

export function annotationLine(cutover: string, version: number, annotation: Annotation): AuditLine {
  const { at, by, reason, via = null, requestId = null } = annotation;
  return { kind: "annotation", at, cutover, version, by, via, reason, requestId };
}

export function gapLine(cutover: string, from: number, to: number): AuditLine {
  return { kind: "gap", cutover, from, to };
}

const followed = z.union([
  z.object({ kind: z.literal("begin"), versions: z.record(z.string(), z.int().min(0)) }),
  z.object({ kind: z.literal("change"), cutover: z.string(), version: z.int().min(1) }),
  z.object({ kind: z.literal("gap"), cutover: z.string(), to: z.int().min(1) }),
]);

/** How far the changes in the text go; what does not read, such as a line a crash has cut, is passed over. */
function versionsIn(text: string): Map<string, number> {
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

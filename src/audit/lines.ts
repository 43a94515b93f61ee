/** The lines of the audit file (file.ts says what each kind is). PURE. */
import type { Annotation, HistoryEntry, Origin } from "../state/rules/history.ts";
import type { Actor } from "../state/rules/model.ts";
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
  ScheduleEvent,
  TurnedAway,
} from "./port.ts";

export type AuditLine = { readonly kind: string } & Readonly<Record<string, unknown>>;

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
  const {
    id,
    action = "set",
    cohort,
    force = false,
    override,
    dueAt,
    percentThousandths,
    ...rest
  } = proposal;
  const { version, by, reason, expiresAt } = rest;
  const percent = percentToNumber(percentThousandths);
  const what = {
    event,
    id,
    action: action === "set_cohort" ? "set" : action,
    ...(cohort === undefined ? {} : { cohort }),
    force,
    ...(override === true ? { override } : {}),
    ...(dueAt === undefined ? {} : { dueAt }),
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
    ...whoOf(actor, origin),
    instance,
  };
}

export function doubtLine(at: string, instance: string, told: DoubtEvent): AuditLine {
  const { name, digest, settled, actor, origin, reason } = told;
  return {
    kind: "doubt",
    at,
    cutover: name,
    event: "settled",
    digest,
    settled,
    reason,
    ...whoOf(actor, origin),
    instance,
  };
}

export function listLine(at: string, instance: string, told: ListEvent): AuditLine {
  const { event, list, added, removed, actor, origin, reason, proposedBy = null } = told;
  return {
    kind: "list",
    at,
    list,
    event,
    added,
    removed,
    reason,
    proposedBy,
    ...whoOf(actor, origin),
    instance,
  };
}

export function planLine(at: string, instance: string, told: PlanEvent): AuditLine {
  const { event, name, actor, reason, origin } = told;
  return { kind: "plan", at, cutover: name, event, reason, ...whoOf(actor, origin), instance };
}

export function freezeLine(at: string, instance: string, told: FreezeEvent): AuditLine {
  const { event, until, actor, reason, origin } = told;
  return { kind: "freeze", at, event, until, reason, ...whoOf(actor, origin), instance };
}

export function scheduleLine(at: string, instance: string, told: ScheduleEvent): AuditLine {
  const { event, name, id, percent, cohort, due, scheduledBy, actor, reason, origin } = told;
  const whose = cohort === undefined ? {} : { cohort };
  return {
    ...{ kind: "schedule", at, cutover: name, event, id, percent, ...whose, due, scheduledBy, reason },
    ...whoOf(actor, origin),
    instance,
  };
}

function whoOf({ name: by, role }: Actor, { via, requestId }: Origin) {
  return { by, role, via, requestId: requestId ?? null };
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

/** What the scripts, the streams, and the channel of changes say, in terms of the rest of the program. PURE. */
import * as z from "zod";
import { jsonOf } from "../../../base/json.ts";
import type { Proposal } from "../../rules/approval.ts";
import {
  byId,
  type InstanceRecord,
  type Roster,
  type RosterMember,
  rememberMs,
} from "../../rules/completion.ts";
import type { RawFields, View } from "../../rules/hand-edit.ts";
import { type HistoryEntry, withAnnotations } from "../../rules/history.ts";
import type { Fenced, Leased } from "../../rules/leases/lease.ts";
import { type Applied, initialState, refusalCodes } from "../../rules/model.ts";
import type { Announcement } from "../../rules/succession.ts";
import { instanceRecordSchema, proposalSchema } from "../../rules/written.ts";
import {
  annotationFromStream,
  auditEntryFrom,
  entryFromStream,
  hashFields,
  isHalfRolledBack,
  parentFromHash,
  stateFromHash,
} from "./fields.ts";

const text = z.string();
const nullable = z.string().nullable();

const rosterEntry = z.tuple([
  z.number(),
  instanceRecordSchema.omit({ traffic: true, guard: true, seenAt: true }),
]);

/** @returns the instance's record; `undefined` when the text is not one */
export function parseInstanceRecord(text: string): InstanceRecord | undefined {
  return instanceRecordSchema.safeParse(jsonOf(text)).data;
}

/** @param text `[seenAtMs, record]`, as instances.lua writes it @returns `undefined` when it is not that */
function parseMember(text: string): RosterMember | undefined {
  const read = rosterEntry.safeParse(jsonOf(text));
  if (!read.success) return undefined;
  const [seenAtMs, record] = read.data;
  return { ...record, seenAtMs };
}

/** @returns `undefined` when the text is no proposal */
function parseProposal(text: string): Proposal | undefined {
  return proposalSchema.safeParse(jsonOf(text)).data;
}

/** In the order in which read.lua gives them. */
const viewReply = z.tuple([
  z.string().regex(/^\d+$/).transform(Number),
  text,
  z.number(),
  text,
  text,
  text,
  z.array(text),
  z.array(nullable),
  z.array(text),
  z.array(text),
]);

export function viewFrom(reply: unknown, receivedAtMs: number): View {
  const [
    serverMs,
    visibleKind,
    present,
    visibleDigest,
    acceptedDigest,
    acceptedKind,
    raw,
    values,
    own,
    next,
  ] = viewReply.parse(reply);
  const accepted = stateFromHash(values);
  return {
    serverMs,
    receivedAtMs,
    visible: {
      wrongType: visibleKind !== "hash" && visibleKind !== "none",
      present: present === 1,
      raw: rawFieldsFrom(raw),
      digest: visibleDigest,
    },
    accepted: {
      state: accepted,
      broken: accepted === undefined && acceptedKind !== "none",
      isHalf: isHalfRolledBack(values),
      digest: acceptedDigest,
    },
    lineage: { own: auditEntryFrom(own).to, next: auditEntryFrom(next).from },
  };
}

/** @param pairs names and values by turns */
function rawFieldsFrom(pairs: readonly string[]): RawFields {
  const fields: Record<string, string> = {};
  for (let at = 0; at + 1 < pairs.length; at += 2) fields[pairs[at] ?? ""] = pairs[at + 1] ?? "";
  return fields;
}

const applyReply = z.union([
  z.tuple([z.literal("moved")]),
  z.tuple([z.literal("refused"), z.enum([...refusalCodes, "fenced"])], text),
  z.tuple([z.literal("accepted"), z.enum(["0", "1"])], text),
]);

export function applyReplyFrom(reply: unknown): Applied | Fenced | "moved" {
  const [kind, detail, ...values] = applyReply.parse(reply);
  if (kind === "moved") return kind;
  // A cutover nobody has changed yet is at version 0, which is not written down and does not read as written.
  const state = stateFromHash(values) ?? initialState();
  return kind === "refused"
    ? { accepted: false, code: detail, state }
    : { accepted: true, changed: detail === "1", state };
}

const entries = z.array(z.tuple([text, z.array(text)])).nullable();

/** @param audit of XREVRANGE, as are the annotations; entries that are not ours are left out */
export function historyFrom(audit: unknown, annotations: unknown): readonly HistoryEntry[] {
  const found = (entries.parse(audit) ?? []).flatMap(([, pairs]) => entryFromStream(pairs) ?? []);
  const added = (entries.parse(annotations) ?? []).flatMap(([, pairs]) => annotationFromStream(pairs) ?? []);
  return withAnnotations(found, added.reverse());
}

export function idsFrom(reply: unknown): readonly string[] {
  return z.array(text).nullable().parse(reply) ?? [];
}

/** @param reply the values of the keys; records that have run out or do not read are left out */
export function instancesFrom(reply: unknown): readonly InstanceRecord[] {
  const found = z.array(nullable).nullable().parse(reply) ?? [];
  return found.flatMap((record) => (record === null ? [] : (parseInstanceRecord(record) ?? [])));
}

const rosterReply = z.tuple([z.number(), z.array(text)]);

/** @param reply of instances.lua; entries that do not read, or are past their time, are left out */
export function rosterFrom(reply: unknown): Roster {
  const [nowMs, found] = rosterReply.parse(reply);
  const members = found
    .flatMap((entry) => parseMember(entry) ?? [])
    .filter((member) => nowMs < member.seenAtMs + rememberMs(member));
  return { nowMs, members: members.sort(byId) };
}

/** @returns `undefined` when there is none, or none that reads */
export function proposalFrom(reply: unknown): Proposal | undefined {
  const found = nullable.parse(reply);
  return found === null ? undefined : parseProposal(found);
}

export function textFrom(reply: unknown): string {
  return text.parse(reply);
}

/** The cutover's name, five fields of what the change was made from, the state after it; perhaps the cohorts of both. */
const toldLength = 1 + 5 + hashFields.length;
const told = z.array(z.string()).refine(({ length }) => length === toldLength || length === toldLength + 2);

/**
 * @param isSure whether the server that answers reads has sent it
 * @returns `undefined` when it does not read as a change: older programs publish the name alone
 */
export function announcementFrom(message: Buffer, isSure: boolean): Announcement | undefined {
  const [name = "", ...values] = told.safeParse(jsonOf(message.toString("utf8"))).data ?? [];
  const [fromCohorts = "", toCohorts = ""] = values.slice(toldLength - 1);
  const from = parentFromHash(values.slice(0, 5), fromCohorts);
  const state = stateFromHash([...values.slice(5, toldLength - 1), toCohorts]);
  if (name === "" || from === undefined || state === undefined) return undefined;
  return { name, from, state, isSure };
}

const annotateReply = z.union([z.tuple([z.literal("unknown")]), z.tuple([z.literal("annotated"), text])]);

/** @returns when the annotation was made; `undefined` when there is no such version */
export function annotatedFrom(reply: unknown): string | undefined {
  const [, at] = annotateReply.parse(reply);
  return at;
}

const leaseReply = z.union([z.tuple([z.literal("granted"), z.int()]), z.tuple([z.literal("refused"), text])]);

export function leasedFrom(reply: unknown): Leased {
  const [kind, detail] = leaseReply.parse(reply);
  return kind === "granted" ? { granted: true, token: detail } : { granted: false, holder: detail };
}

export function isReleased(reply: unknown): boolean {
  const [kind] = z.tuple([z.enum(["released", "fenced"])]).parse(reply);
  return kind === "released";
}

export function isKept(reply: unknown): boolean {
  const [kind] = z.tuple([z.enum(["kept", "fenced"])]).parse(reply);
  return kind === "kept";
}

/** @returns `undefined` when nothing is kept */
export function keptFrom(reply: unknown): string | undefined {
  return nullable.parse(reply) ?? undefined;
}

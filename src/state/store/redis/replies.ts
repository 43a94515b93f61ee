/** What the scripts, the streams, and the channel of changes say, in terms of the rest of the program. PURE. */
import { z } from "zod";
import { jsonOf } from "../../../base/json.ts";
import { type InstanceRecord, type Roster, type RosterMember, rememberMs } from "../../rules/completion.ts";
import type { View } from "../../rules/hand-edit.ts";
import { type HistoryEntry, type StoredAnnotation, vias, withAnnotations } from "../../rules/history.ts";
import {
  type Applied,
  type CutoverState,
  initialState,
  type Proposal,
  refusalCodes,
  stateNames,
} from "../../rules/model.ts";
import { parsePercent } from "../../rules/percent.ts";
import type { Announcement } from "../../rules/succession.ts";
import {
  annotationSchema,
  historyEntrySchema,
  instanceRecordSchema,
  percentThousandths,
  proposalSchema,
  storedState,
} from "../../rules/written.ts";
import { byId } from "../in-process.ts";

const text = z.string();
const nullable = z.string().nullable();

/** The fields of a Redis hash, in the order in which the scripts give them. */
const hashFields = [
  "percent",
  "state",
  "pin_epoch",
  "version",
  "updated_at",
  "updated_by",
  "reason",
] as const;

/**
 * @param values in the order of `hashFields`; `null` = missing
 * @returns `undefined` when they are not a state
 */
export function stateFromHash(values: readonly (string | null)[]): CutoverState | undefined {
  const [percent, state, pinEpoch, version, updatedAt, updatedBy, reason] = values;
  const read = storedState.safeParse({
    percentThousandths: parsePercent(percent ?? ""),
    state,
    pinEpoch: parseInteger(pinEpoch),
    version: parseInteger(version),
    updatedAt,
    updatedBy,
    reason,
  });
  return read.success && read.data.version > 0 ? read.data : undefined;
}

const parentState = z.object({
  percentThousandths,
  state: z.enum(stateNames),
  pinEpoch: z.int().min(0),
  version: z.int().min(0),
  updatedAt: z.string(),
});

/** @param values the first five of `hashFields`, of version 0 as well @returns `undefined` when they do not read */
function parentFromHash(values: readonly string[]): z.output<typeof parentState> | undefined {
  const [percent, state, pinEpoch, version, updatedAt] = values;
  const percentThousandths = parsePercent(percent ?? "");
  const numbers = { pinEpoch: parseInteger(pinEpoch), version: parseInteger(version) };
  return parentState.safeParse({ percentThousandths, state, ...numbers, updatedAt }).data;
}

/**
 * @param pairs the field names and values of an entry of the audit stream
 * @returns `undefined` when they are not a history entry
 */
export function entryFromStream(pairs: readonly string[]): HistoryEntry | undefined {
  const fields = fieldsOf(pairs);
  const read = historyEntrySchema.safeParse({
    version: parseInteger(fields.get("version")),
    at: fields.get("at"),
    by: fields.get("by"),
    action: fields.get("action"),
    from: {
      percentThousandths: parsePercent(fields.get("from_percent") ?? ""),
      state: fields.get("from_state"),
    },
    to: { percentThousandths: parsePercent(fields.get("to_percent") ?? ""), state: fields.get("to_state") },
    reason: fields.get("reason"),
    ...originOf(fields),
  });
  return read.data;
}

/** @param pairs as of `entryFromStream`, of the stream of annotations */
function annotationFromStream(pairs: readonly string[]): StoredAnnotation | undefined {
  const fields = fieldsOf(pairs);
  return annotationSchema.safeParse({
    version: parseInteger(fields.get("annotates")),
    at: fields.get("at"),
    by: fields.get("by"),
    reason: fields.get("reason"),
    ...originOf(fields),
  }).data;
}

/** A way this version has no word for is left unsaid: the entry itself must not be lost for it. */
function originOf(fields: ReadonlyMap<string, string>) {
  const via = vias.find((known) => known === fields.get("via"));
  const requestId = fields.get("request_id") ?? "";
  return { ...(via === undefined ? {} : { via }), ...(requestId === "" ? {} : { requestId }) };
}

/** What an entry of the audit stream says of its version, and of the state that was changed. */
interface AuditEntry {
  /** As that version was written. */
  readonly to: CutoverState | undefined;
  readonly from: Pick<CutoverState, "percentThousandths" | "state" | "updatedAt"> | undefined;
}

const auditFrom = z.object({ percentThousandths, state: z.enum(stateNames), updatedAt: z.string() });

/** @param pairs as of `entryFromStream` */
function auditEntryFrom(pairs: readonly string[]): AuditEntry {
  const fields = fieldsOf(pairs);
  const names = ["to_percent", "to_state", "to_pin_epoch", "version", "at", "by", "reason"];
  const from = auditFrom.safeParse({
    percentThousandths: parsePercent(fields.get("from_percent") ?? ""),
    state: fields.get("from_state"),
    updatedAt: fields.get("from_at"),
  });
  return { to: stateFromHash(names.map((name) => fields.get(name) ?? null)), from: from.data };
}

function fieldsOf(pairs: readonly string[]): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (let at = 0; at + 1 < pairs.length; at += 2) fields.set(pairs[at] ?? "", pairs[at + 1] ?? "");
  return fields;
}

function parseInteger(text: string | null | undefined): number | undefined {
  return text !== undefined && text !== null && /^(?:0|[1-9]\d{0,15})$/.test(text) ? Number(text) : undefined;
}

const rosterEntry = z.tuple([
  z.number(),
  instanceRecordSchema.pick({ id: true, startedAt: true, versions: true, stale: true }),
]);

/** @returns the instance's record; `undefined` when the text is not one */
export function parseInstanceRecord(text: string): InstanceRecord | undefined {
  return instanceRecordSchema.safeParse(jsonOf(text)).data;
}

/** @param text `[seenAtMs, record]`, as acknowledge.lua writes it @returns `undefined` when it is not that */
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
  z.tuple([nullable, nullable, nullable]),
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
  const [percent, state, pinEpoch] = raw;
  const accepted = stateFromHash(values);
  return {
    serverMs,
    receivedAtMs,
    visible: {
      wrongType: visibleKind !== "hash" && visibleKind !== "none",
      present: present === 1,
      raw: {
        ...(percent === null ? {} : { percent }),
        ...(state === null ? {} : { state }),
        ...(pinEpoch === null ? {} : { pin_epoch: pinEpoch }),
      },
      digest: visibleDigest,
    },
    accepted: {
      state: accepted,
      broken: accepted === undefined && acceptedKind !== "none",
      digest: acceptedDigest,
    },
    lineage: { own: auditEntryFrom(own).to, next: auditEntryFrom(next).from },
  };
}

const applyReply = z.union([
  z.tuple([z.literal("moved")]),
  z.tuple([z.literal("refused"), z.enum(refusalCodes)], text),
  z.tuple([z.literal("accepted"), z.enum(["0", "1"])], text),
]);

export function applyReplyFrom(reply: unknown): Applied | "moved" {
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

/** @param reply of roster.lua; entries that do not read, or are past their time, are left out */
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

/** The cutover's name, five fields of what the change was made from, the state it has come to. */
const told = z.array(z.string()).length(1 + 5 + hashFields.length);

/**
 * @param isSure whether the server that answers reads has sent it
 * @returns `undefined` when it does not read as a change: older programs publish the name alone
 */
export function announcementFrom(message: Buffer, isSure: boolean): Announcement | undefined {
  const [name = "", ...values] = told.safeParse(jsonOf(message.toString("utf8"))).data ?? [];
  const from = parentFromHash(values.slice(0, 5));
  const state = stateFromHash(values.slice(5));
  if (name === "" || from === undefined || state === undefined) return undefined;
  return { name, from, state, isSure };
}

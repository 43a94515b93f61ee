/** How states, history entries and instance records are written down, and what of it is believed when read back. */
import { z } from "zod";
import { localActions } from "../rules/ceiling.ts";
import type { Proposal } from "../rules/four-eyes.ts";
import { type CutoverState, historyActions, stateNames } from "../rules/model.ts";
import { type Annotation, vias } from "../rules/origin.ts";
import { maxThousandths, parsePercent } from "../rules/percent.ts";
import type { HistoryEntry, InstanceRecord, Member } from "./port.ts";
import { storedState } from "./stored-state.ts";

const percentThousandths = z.int().min(0).max(maxThousandths);
const position = z.strictObject({ percentThousandths, state: z.enum(stateNames) });

/** Whether the state can have come of changes by the rules. Version 0 is nobody's and is not written down. */
export function isBelievable(state: CutoverState): boolean {
  return state.version > 0 && storedState.safeParse(state).success;
}

export const historyEntrySchema = z.strictObject({
  version: z.int().min(1),
  at: z.string(),
  by: z.string(),
  action: z.enum(historyActions),
  from: position,
  to: position,
  reason: z.string(),
  via: z.enum(vias).optional(),
  requestId: z.string().optional(),
});

/** With the version of the change it belongs to. */
export const annotationSchema = z.strictObject({
  version: z.int().min(1),
  at: z.string(),
  by: z.string(),
  reason: z.string(),
  via: z.enum(vias).optional(),
  requestId: z.string().optional(),
});
export type StoredAnnotation = z.output<typeof annotationSchema>;

/** The entries, each with what was added to it. @param annotations oldest first */
export function withAnnotations(
  entries: readonly HistoryEntry[],
  annotations: readonly StoredAnnotation[],
): readonly HistoryEntry[] {
  if (annotations.length === 0) return entries;
  const found = new Map<number, Annotation[]>();
  for (const { version, ...annotation } of annotations) {
    found.set(version, [...(found.get(version) ?? []), annotation]);
  }
  return entries.map((entry) => {
    const own = found.get(entry.version);
    return own === undefined ? entry : { ...entry, annotations: own };
  });
}

export const localChangeSchema = z
  .strictObject({
    id: z.string().min(1),
    name: z.string(),
    action: z.enum(localActions),
    ceiling: z.strictObject({
      percentThousandths,
      state: z.enum(["held", "rolled_back"]),
      pinEpoch: z.int().min(0),
    }),
    instance: z.string(),
    by: z.string(),
    at: z.string(),
    reason: z.string(),
    requestId: z.string().optional(),
    from: position.extend({ version: z.int().min(0) }),
  })
  .refine(({ ceiling }) => ceiling.state === "held" || ceiling.percentThousandths === 0);

/** Unknown keys are dropped, not refused: a newer instance may say more of itself. */
export const instanceRecordSchema = z.object({
  id: z.string().min(1),
  startedAt: z.string(),
  seenAt: z.string(),
  versions: z.record(z.string(), z.int().min(0)),
  traffic: z.record(z.string(), z.unknown()),
  stale: z.object({ afterMs: z.number().min(0), legacy: z.array(z.string()) }).optional(),
});

const rosterEntry = z.tuple([
  z.number(),
  instanceRecordSchema.pick({ id: true, startedAt: true, versions: true, stale: true }),
]);

/** @returns the instance's record; `undefined` when the text is not one */
export function parseInstanceRecord(text: string): InstanceRecord | undefined {
  return instanceRecordSchema.safeParse(jsonOf(text)).data;
}

/** @param text `[seenAtMs, record]`, as acknowledge.lua writes it @returns `undefined` when it is not that */
export function parseMember(text: string): Member | undefined {
  const read = rosterEntry.safeParse(jsonOf(text));
  if (!read.success) return undefined;
  const [seenAtMs, record] = read.data;
  return { ...record, seenAtMs };
}

export const proposalSchema = z.object({
  id: z.string().min(1),
  percentThousandths,
  version: z.int().min(0),
  by: z.string(),
  reason: z.string(),
  at: z.string(),
  expiresAt: z.string(),
});

/** @returns `undefined` when the text is no proposal */
export function parseProposal(text: string): Proposal | undefined {
  return proposalSchema.safeParse(jsonOf(text)).data;
}

/** @returns `undefined` when the text is no JSON */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The fields of a Redis hash, in the order in which the scripts give them. */
export const hashFields = [
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
export function parentFromHash(values: readonly string[]): z.output<typeof parentState> | undefined {
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
export function annotationFromStream(pairs: readonly string[]): StoredAnnotation | undefined {
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
export interface AuditEntry {
  /** As that version was written. */
  readonly to: CutoverState | undefined;
  readonly from: Pick<CutoverState, "percentThousandths" | "state" | "updatedAt"> | undefined;
}

const auditFrom = z.object({ percentThousandths, state: z.enum(stateNames), updatedAt: z.string() });

/** @param pairs as of `entryFromStream` */
export function auditEntryFrom(pairs: readonly string[]): AuditEntry {
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

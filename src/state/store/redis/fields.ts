/** States and history entries as they stand in Redis, in the fields of hashes and of stream entries. PURE. */
import * as z from "zod";
import { type HistoryEntry, type StoredAnnotation, vias } from "../../rules/history.ts";
import { type CutoverState, stateNames } from "../../rules/model.ts";
import { parseCohorts, parsePercent, zeroCohorts } from "../../rules/percent.ts";
import { cohortsIn } from "../../rules/routing.ts";
import { maintenancePart } from "../../rules/sides/maintenance.ts";
import {
  annotationSchema,
  historyEntrySchema,
  percentThousandths,
  storedState,
} from "../../rules/written.ts";

/** The fields of a state in Redis, in the order in which the scripts give them; its cohorts come behind them. */
export const hashFields = [
  "percent",
  "state",
  "pin_epoch",
  "version",
  "updated_at",
  "updated_by",
  "reason",
  "maintenance",
] as const;

/**
 * What an older program rolled back has its cohorts at 0, whatever it left there (`isHalfRolledBack`).
 *
 * @param values in the order of `hashFields`, and the cohorts; `null` = missing
 * @returns `undefined` when they are not a state
 */
export function stateFromHash(values: readonly (string | null)[]): CutoverState | undefined {
  const [percent, state, pinEpoch, version, updatedAt, updatedBy, reason, maintenance] = values;
  const cohortsText = values[hashFields.length];
  const cohorts = parseCohorts(cohortsText ?? "");
  if (cohorts === undefined) return undefined;
  const read = storedState.safeParse({
    percentThousandths: parsePercent(percent ?? ""),
    ...cohortsIn(state === "rolled_back" ? zeroCohorts(cohorts) : cohorts),
    state,
    pinEpoch: parseInteger(pinEpoch),
    version: parseInteger(version),
    updatedAt,
    updatedBy,
    reason,
    ...maintenancePart(maintenance ?? undefined),
  });
  return read.success && read.data.version > 0 ? read.data : undefined;
}

/** @param values as of `stateFromHash` @returns whether cohorts were left above 0 */
export function isHalfRolledBack(values: readonly (string | null)[]): boolean {
  const cohorts = Object.values(parseCohorts(values[hashFields.length] ?? "") ?? {});
  return values[1] === "rolled_back" && cohorts.some((percent) => percent > 0);
}

const parentState = z.object({
  percentThousandths,
  cohorts: z.record(z.string(), percentThousandths).optional(),
  state: z.enum(stateNames),
  pinEpoch: z.int().min(0),
  version: z.int().min(0),
  updatedAt: z.string(),
});

/**
 * @param values the first five of `hashFields`, of version 0 as well
 * @param cohortsText of its cohorts
 * @returns `undefined` when they do not read
 */
export function parentFromHash(
  values: readonly string[],
  cohortsText: string,
): z.output<typeof parentState> | undefined {
  const [percent, state, pinEpoch, version, updatedAt] = values;
  const percentThousandths = parsePercent(percent ?? "");
  const cohorts = parseCohorts(cohortsText);
  if (cohorts === undefined) return undefined;
  const numbers = { pinEpoch: parseInteger(pinEpoch), version: parseInteger(version) };
  return parentState.safeParse({ percentThousandths, ...cohortsIn(cohorts), state, ...numbers, updatedAt })
    .data;
}

/**
 * @param pairs the field names and values of an entry of the audit stream
 * @returns `undefined` when they are not a history entry
 */
export function entryFromStream(pairs: readonly string[]): HistoryEntry | undefined {
  const fields = fieldsOf(pairs);
  const standing = (when: "from" | "to") => ({
    percentThousandths: parsePercent(fields.get(`${when}_percent`) ?? ""),
    ...cohortsIn(parseCohorts(fields.get(`${when}_cohorts`) ?? "")),
    state: fields.get(`${when}_state`),
  });
  const read = historyEntrySchema.safeParse({
    version: parseInteger(fields.get("version")),
    at: fields.get("at"),
    by: fields.get("by"),
    action: fields.get("action"),
    from: standing("from"),
    to: { ...standing("to"), ...maintenancePart(fields.get("to_maintenance")) },
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
interface AuditEntry {
  /** As that version was written. */
  readonly to: CutoverState | undefined;
  readonly from: Pick<CutoverState, "percentThousandths" | "state" | "updatedAt"> | undefined;
}

const auditFrom = z.object({ percentThousandths, state: z.enum(stateNames), updatedAt: z.string() });

/** @param pairs as of `entryFromStream` */
export function auditEntryFrom(pairs: readonly string[]): AuditEntry {
  const fields = fieldsOf(pairs);
  const names = [
    ...["to_percent", "to_state", "to_pin_epoch", "version", "at", "by", "reason"],
    ...["to_maintenance", "to_cohorts"],
  ];
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

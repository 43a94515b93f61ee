/** What the scripts answer, in terms of the rest of the program. A reply of another shape throws a ZodError. */
import { z } from "zod";
import type { Proposal } from "../../rules/four-eyes.ts";
import type { View } from "../../rules/hand-edit.ts";
import { initialState, refusalCodes } from "../../rules/model.ts";
import { byId } from "../in-process.ts";
import { type Applied, type HistoryEntry, type InstanceRecord, type Roster, rememberMs } from "../port.ts";
import {
  annotationFromStream,
  auditEntryFrom,
  entryFromStream,
  parseInstanceRecord,
  parseMember,
  parseProposal,
  stateFromHash,
  withAnnotations,
} from "../written.ts";

const text = z.string();
const nullable = z.string().nullable();

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

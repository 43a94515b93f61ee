/**
 * What the primary and a worker say to each other over the channel between them, checked on both sides: after a
 * rolling restart the two may be of different releases. A worker of another protocol refuses to start, and the
 * workers of before go on.
 */
import * as z from "zod";
import { doubtOutcomes } from "../../ownership/past/port.ts";
import { knownOfKey } from "../../ownership/stores/by-hand.ts";
import { underWayKinds } from "../../ownership/under-way/port.ts";
import { sides } from "../../state/rules/model.ts";
import { storedState } from "../../state/rules/written.ts";
import { logLevels } from "../../telemetry/log.ts";
import { workerFigures } from "./metrics.ts";

/** Raised whenever a message changes. */
export const protocol = 13;

/** The configuration as its file says it: each side reads it for itself. */
const source = z.object({ file: z.string(), text: z.string() });

const snapshot = z.object({
  /** Rises with each snapshot: a change of this instance alone has no version of its own. */
  seq: z.number(),
  states: z.record(z.string(), storedState),
  local: z.array(z.string()),
});
/** As of `Writing` (state/follow/snapshot.ts); `null`: it never was. */
const writing = {
  writtenMs: z.number().nullable(),
  troubledMs: z.number().nullable(),
  silentMs: z.number().nullable(),
};
/** How the primary stands with the store; ages in milliseconds as of the sending. */
const contact = z.object({
  /** The `hostMs` at the sending. */
  sentAtMs: z.number(),
  up: z.boolean(),
  stalenessMs: z.number(),
  /** The age of the contact that counts; `null`: there was none. */
  inContactMs: z.number().nullable(),
  ...writing,
  /** The same of the stores that owners have of their own, by what tells one from another. */
  owners: z.record(z.string(), z.object(writing)),
});
const secrets = z.record(z.string(), z.array(z.string()));

const pin = z.object({
  id: z.string(),
  side: z.enum(sides),
  epoch: z.number(),
  startedAt: z.number(),
  expiresAt: z.number(),
  reserved: z.number().optional(),
  ended: z.boolean().optional(),
});
const text = z.string();
const namedKey = z.object({ key: text, claimed: z.boolean() });
const note = z.object({
  kind: z.enum(underWayKinds),
  cutover: text,
  id: text,
  epoch: z.number(),
  atMs: z.number(),
  underWay: z.object({ side: z.enum(sides), startedAt: z.number(), expiresAt: z.number() }).exactOptional(),
});

const answered = z.object({ legacy: z.number().exactOptional(), new: z.number().exactOptional() });
const decision = z.object({
  atMs: z.number(),
  side: z.enum(sides),
  reason: text,
  version: z.number(),
  route: text,
});
const past = z.object({
  keys: z
    .array(
      z.object({
        cutover: text,
        digest: text,
        ttlMs: z.number(),
        decisions: z.array(decision).readonly(),
        answered,
      }),
    )
    .readonly(),
  doubts: z
    .array(
      z.object({
        cutover: text,
        side: z.enum(sides),
        digest: text,
        others: z.array(text).readonly(),
        sentAtMs: z.number(),
        sinceMs: z.number(),
        route: text,
        outcome: z.enum(doubtOutcomes).nullable(),
      }),
    )
    .readonly(),
});

/** An owner that a worker could not record, for the others. */
const sharedOwner = z.object({ cutover: text, key: namedKey, side: z.enum(sides) });
export type SharedOwner = z.output<typeof sharedOwner>;

/** A question to the owners and pins that the primary keeps, or what it is to note. */
const question = z.discriminatedUnion("call", [
  z.object({ call: z.literal("lookup"), cutover: text, keys: z.array(namedKey) }),
  z.object({
    call: z.literal("record"),
    cutover: text,
    key: namedKey,
    side: z.enum(sides),
    ttlMs: z.number(),
    late: z.boolean(),
    token: text.optional(),
  }),
  z.object({
    call: z.literal("settle"),
    cutover: text,
    key: namedKey,
    token: text,
    isKept: z.boolean(),
  }),
  z.object({ call: z.literal("release_owner"), cutover: text, key: text, side: z.enum(sides) }),
  z.object({ call: z.literal("find"), cutover: text, shopper: text, maxTtl: z.number() }),
  z.object({
    call: z.literal("reserve"),
    cutover: text,
    shopper: text,
    offer: pin,
    maxTtl: z.number(),
    reserveTtl: z.number(),
  }),
  z.object({ call: z.literal("release"), cutover: text, shopper: text, id: text }),
  z.object({ call: z.literal("start"), cutover: text, shopper: text, offer: pin, maxTtl: z.number() }),
  z.object({ call: z.literal("keep"), cutover: text, shopper: text, pin, ttl: z.number() }),
  z.object({ call: z.literal("tie"), cutover: text, keys: z.array(text), id: text, ttl: z.number() }),
  z.object({
    call: z.literal("end"),
    cutover: text,
    shopper: text,
    grace: z.number(),
    maxTtl: z.number(),
    by: z.union([z.object({ id: text }), z.object({ orders: z.array(text) })]).optional(),
  }),
  /** All pins that there are. */
  z.object({ call: z.literal("pins"), cutover: text, maxTtl: z.number() }),
  z.object({ call: z.literal("note"), notes: z.array(note) }),
  z.object({
    call: z.literal("expose"),
    cutover: text,
    notes: z.array(z.object({ id: text, agoMs: z.number(), amount: z.number().exactOptional() })),
    limits: z.object({ maxOpenAmount: z.number(), forMs: z.number() }),
  }),
  z.object({ call: z.literal("note_past"), notes: past }),
  z.object({ call: z.literal("share"), owner: sharedOwner }),
  z.object({ call: z.literal("list_stamps"), names: z.array(text) }),
  z.object({ call: z.literal("list_parts"), name: text }),
  z.object({ call: z.literal("list_part"), name: text, at: z.number() }),
]);
export type StoreQuestion = z.output<typeof question>;

const owner = z.enum(sides).nullable();
const reply = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("owners"), owners: z.array(owner) }),
  z.object({ kind: z.literal("pin"), pin: pin.nullable() }),
  z.object({ kind: z.literal("pins"), digests: z.array(text) }),
  z.object({ kind: z.literal("noted"), refused: z.number() }),
  z.object({ kind: z.literal("exposure"), openAmount: z.number(), isOver: z.boolean() }),
  z.object({ kind: z.literal("numbers"), numbers: z.array(z.number()) }),
  z.object({ kind: z.literal("list_part"), stamp: z.number(), text }),
  /** The store does not answer. */
  z.object({ kind: z.literal("unavailable") }),
]);
export type StoreReply = z.output<typeof reply>;

/** What a client has claimed by one worker, for the budget that it has with all of them. */
const spent = z.object({ type: z.literal("spent"), cutover: text, client: text, claims: z.number() });

const keyQuestion = z.object({ cutover: text, key: text, forget: z.boolean() });

const start = z.object({
  type: z.literal("start"),
  protocol: z.number(),
  source,
  instance: z.string(),
  /** From 1, never given twice in the life of a primary. */
  worker: z.number(),
  at: z.union([z.object({ host: z.string(), port: z.number() }), z.object({ fd: z.number() })]),
  snapshot,
  contact,
  secrets,
  owners: z.array(sharedOwner),
  logLevel: z.enum(logLevels),
  accessLog: z.boolean(),
  logPath: z.string().optional(),
});
export type Start = z.output<typeof start>;

const drain = z.object({ idle: z.number(), grace: z.number() });

export const toWorker = z.discriminatedUnion("type", [
  start,
  z.object({ type: z.literal("snapshot"), snapshot }),
  z.object({ type: z.literal("contact"), contact }),
  z.object({ type: z.literal("secrets"), secrets }),
  /** Build what this configuration asks for; serve by it at `commit`, forget it at `discard`. */
  z.object({ type: z.literal("prepare"), source }),
  z.object({ type: z.literal("commit") }),
  z.object({ type: z.literal("discard") }),
  z.object({ type: z.literal("collect"), seq: z.number() }),
  z.object({ type: z.literal("drain"), drain }),
  spent,
  z.object({ type: z.literal("owner"), seq: z.number(), owner: sharedOwner }),
  /** A journey that the embedded store keeps is over. */
  z.object({ type: z.literal("over"), cutover: text, journey: text }),
  /** A fact that the embedded store kept has ended. */
  z.object({ type: z.literal("released"), cutover: text, key: text, side: z.enum(sides) }),
  /** What do you know of this key? */
  z.object({ type: z.literal("key"), seq: z.number(), question: keyQuestion }),
  /** A pin is made in the embedded store. */
  z.object({ type: z.literal("pin"), cutover: text, digest: text }),
  z.object({ type: z.literal("reply"), seq: z.number(), reply }),
]);
export type ToWorker = z.output<typeof toWorker>;

const report = z.object({
  type: z.literal("report"),
  /** The number of the `collect` it answers. */
  seq: z.number().optional(),
  ...workerFigures.shape,
});
export type Report = z.output<typeof report>;

export const fromWorker = z.discriminatedUnion("type", [
  /** The worker hears from now on; what is said to it before is lost. */
  z.object({ type: z.literal("booted") }),
  /** The worker accepts connections. */
  z.object({ type: z.literal("listening"), port: z.number() }),
  z.object({ type: z.literal("failed"), message: z.string(), code: z.string().optional() }),
  /** The worker decides by the snapshot of this `seq`, and by these versions, from now on. */
  z.object({ type: z.literal("following"), seq: z.number(), versions: z.record(z.string(), z.number()) }),
  z.object({ type: z.literal("prepared"), problem: z.string().optional() }),
  report,
  spent,
  /** The worker knows the owner of this `seq`. */
  z.object({ type: z.literal("heard"), seq: z.number() }),
  /** The answer to the `key` of this number. */
  z.object({ type: z.literal("key"), seq: z.number(), known: knownOfKey }),
  z.object({ type: z.literal("ask"), seq: z.number(), question }),
]);
export type FromWorker = z.output<typeof fromWorker>;
export type SnapshotMessage = z.output<typeof snapshot>;
export type ContactMessage = z.output<typeof contact>;
export type WritingMessage = ContactMessage["owners"][string];

export const reportEveryMs = 250;

/** Milliseconds of a clock that never steps back and is the same in every process of the host. */
export function hostMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

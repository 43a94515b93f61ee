/** A decision in one sentence, for people, and in a field, for tests. PURE. */
import type { Side } from "../state/rules/model.ts";
import { type Ahead, type Decision, decide, percentFor, type Reason } from "./decide.ts";

/** How the owner of a key is known: by the key's form, by a record, not at all, or not just now. */
export const owning = ["pattern", "record", "nobody", "unknown"] as const;
export type Owning = (typeof owning)[number];

export interface Told {
  readonly side: Side;
  readonly reason: Reason;
  readonly bucket: number | undefined;
  /** Whose it is; absent: of none. */
  readonly cohort?: string | undefined;
  /** That counts for it: the cohort's own, or the cutover's; and no more than the cutover that it goes after lets go. */
  readonly percentThousandths: number;
  /** The same without that cutover. */
  readonly ownThousandths?: number;
  readonly after?: Ahead | undefined;
  /** The name of a cutover that it goes after, where that is rolled back and takes it along. */
  readonly takenBy?: string | undefined;
  readonly version: number;
  /** Absent when no key was asked about. */
  readonly owning: Owning | undefined;
  /** Whether that bucket is of before a login, or of another device of the account's. */
  readonly isLinked?: boolean;
}

/** `new, because the shopper's bucket 4321 is below 10000, which is 10% of 100000; version 43 at 10%.` */
export function decisionSentence(told: Told): string {
  const { side, reason, bucket, percentThousandths, version, isLinked } = told;
  const because = becauseOf(told);
  const place = bucket === undefined || reason === "bucket" ? "" : ` (bucket ${bucket})`;
  const link = isLinked
    ? "; the account goes by that bucket since its login or its visit, on all its devices"
    : "";
  const key = told.owning === undefined ? "" : keys[told.owning];
  const whose = told.cohort === undefined ? "" : ` for the cohort ${told.cohort}`;
  const { ownThousandths = percentThousandths, after } = told;
  const held =
    after !== undefined && percentThousandths < ownThousandths
      ? `, held at ${share(percentThousandths)} by ${after.name}, version ${after.state.version}`
      : "";
  const stands = `version ${version} at ${share(ownThousandths)}${whose}${held}`;
  return `${side}, because ${because}${place}${link}${key}; ${stands}.`;
}

function becauseOf(told: Told): string {
  return told.reason === "bucket" ? bucketReason(told) : becauses[told.reason](told);
}

const becauses: Readonly<Record<Exclude<Reason, "bucket">, (told: Told) => string>> = {
  owner: ({ owning: how }) =>
    how === "pattern"
      ? "the key's form says that it is that side's, and nothing overrides an owner"
      : "it owns the order or the key, and nothing overrides an owner",
  closed: () => "legacy is closed for good",
  journey: () => "the journey began there and stays",
  rolled_back: ({ takenBy }) =>
    `${takenBy === undefined ? "the cutover" : goneAfter(takenBy)} is rolled back: new journeys start on legacy`,
  exposure: () =>
    "more than its cap is unpaid on new: until that is less, journeys and visits begin on legacy",
  forced: () => "an authorised override says so",
  cohort: ({ cohort }) => `the configuration sends the cohort ${cohort ?? "?"} there`,
  anonymous: ({ side }) =>
    side === "new"
      ? "the request names no shopper, and at 100% that goes there as well"
      : "the request names no shopper",
  stale: () => "the store has not been read and written for too long, and the cutover then says legacy",
  after: ({ after }) => heldReason(after),
  visit: () => "a visit began there and stays until it is over",
  fallback: () => "the new side cannot be connected to",
};

/** Why the cutover that it goes after has the same request on legacy. */
function heldReason(after: Ahead | undefined): string {
  if (after === undefined) return "the cutover that it goes after has the same request on legacy";
  const { name, state, facts } = after;
  const { side, reason } = decide(state, facts);
  const percentThousandths = percentFor(state, facts);
  const { bucket, cohort } = facts;
  const told = { side, reason, bucket, cohort: cohort?.name, percentThousandths, after: facts.after };
  const because = becauseOf({ ...told, version: state.version, owning: undefined });
  return `${goneAfter(name)} has the same request on legacy: ${because}`;
}

function goneAfter(name: string): string {
  return `${name}, which it goes after,`;
}

const keys: Readonly<Record<Owning, string>> = {
  pattern: "",
  record: "",
  nobody: "; nobody owns the key",
  unknown: "; who owns the key can not be told while the store does not say",
};

function bucketReason({ bucket, percentThousandths, side }: Told): string {
  const relation = side === "new" ? "below" : "not below";
  const portion = `${percentThousandths}, which is ${share(percentThousandths)} of 100000`;
  return `the shopper's bucket ${bucket ?? "?"} is ${relation} ${portion}`;
}

function share(thousandths: number): string {
  return `${thousandths / 1000}%`;
}

/** The value of the debugging field: `checkout; side=new; reason=bucket; version=12`. */
export function decisionField(cutover: string, { side, reason }: Decision, version: number): string {
  return `${cutover}; side=${side}; reason=${reason}; version=${version}`;
}

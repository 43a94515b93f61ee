/** A decision in one sentence, for people, and in a field, for tests. PURE. */
import type { Side } from "../state/rules/model.ts";
import type { Decision, Reason } from "./decide.ts";

/** How the owner of a key is known: by the key's form, by a record, not at all, or not just now. */
export const owning = ["pattern", "record", "nobody", "unknown"] as const;
export type Owning = (typeof owning)[number];

export interface Told {
  readonly side: Side;
  readonly reason: Reason;
  readonly bucket: number | undefined;
  /** Whose it is; absent: of none. */
  readonly cohort?: string | undefined;
  /** That counts for it: the cohort's own, or the cutover's. */
  readonly percentThousandths: number;
  readonly version: number;
  /** Absent when no key was asked about. */
  readonly owning: Owning | undefined;
  /** Whether that bucket is of before a login, or of another device of the account's. */
  readonly isLinked?: boolean;
}

/** `new, because the shopper's bucket 4321 is below 10000, which is 10% of 100000; version 43 at 10%.` */
export function decisionSentence(told: Told): string {
  const { side, reason, bucket, percentThousandths, version, isLinked } = told;
  const because = reason === "bucket" ? bucketReason(told) : becauses[reason](told);
  const place = bucket === undefined || reason === "bucket" ? "" : ` (bucket ${bucket})`;
  const link = isLinked
    ? "; the account goes by that bucket since its login or its visit, on all its devices"
    : "";
  const key = told.owning === undefined ? "" : keys[told.owning];
  const whose = told.cohort === undefined ? "" : ` for the cohort ${told.cohort}`;
  const stands = `version ${version} at ${share(percentThousandths)}${whose}`;
  return `${side}, because ${because}${place}${link}${key}; ${stands}.`;
}

const becauses: Readonly<Record<Exclude<Reason, "bucket">, (told: Told) => string>> = {
  owner: ({ owning: how }) =>
    how === "pattern"
      ? "the key's form says that it is that side's, and nothing overrides an owner"
      : "it owns the order or the key, and nothing overrides an owner",
  closed: () => "legacy is closed for good",
  journey: () => "the journey began there and stays",
  rolled_back: () => "the cutover is rolled back: new journeys start on legacy",
  forced: () => "an authorised override says so",
  cohort: ({ cohort }) => `the configuration sends the cohort ${cohort ?? "?"} there`,
  anonymous: ({ side }) =>
    side === "new"
      ? "the request names no shopper, and at 100% that goes there as well"
      : "the request names no shopper",
  stale: () => "the store has not been read and written for too long, and the cutover then says legacy",
  visit: () => "a visit began there and stays until it is over",
  fallback: () => "the new side cannot be connected to",
};

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

/** What the decision needs to know of a request, read out of it once. */
import { createHash } from "node:crypto";
import { bucketOf } from "../decide/bucket.ts";
import { fieldValue, type RequestView, readFirst } from "../decide/sources.ts";
import type { OwnerKey } from "../ownership/port.ts";
import type { Side } from "../state/model.ts";
import type { CompiledCutover } from "./table.ts";

/** @returns the shopper's bucket, 0–99999; `undefined` when the request names no shopper */
export function bucketIn(cutover: CompiledCutover, view: RequestView): number | undefined {
  const shopper = readFirst(cutover.shopper, view);
  return shopper === undefined ? undefined : bucketOf(cutover.salt, shopper);
}

/** @returns the side an authorised tester asks for (`NAME: legacy SECRET` or `new SECRET`) */
export function forcedIn(cutover: CompiledCutover, view: RequestView): Side | undefined {
  if (cutover.force === undefined) return undefined;
  const value = fieldValue(view.fields, view.fieldNames, cutover.force.header);
  const [, side, secret] = /^(legacy|new) (\S+)$/.exec(value ?? "") ?? [];
  if (secret === undefined) return undefined;
  // Compared by digest: what a lookup's time could tell is a prefix of a hash, not of a secret.
  const digest = createHash("sha256").update(secret, "latin1").digest("hex");
  if (!cutover.force.hashes.has(digest)) return undefined;
  return side === "new" ? "new" : "legacy";
}

/** The keys of the request that may have an owner, in config order. */
export function ownerKeysIn(cutover: CompiledCutover, view: RequestView): OwnerKey[] {
  const keys: OwnerKey[] = [];
  for (const { key: sources, learn, ttlMs } of cutover.owners) {
    const key = readFirst(sources, view);
    if (key !== undefined) keys.push({ key, ttlMs, claimed: learn === undefined });
  }
  return keys;
}

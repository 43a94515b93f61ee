/** What the decision needs to know of a request, read out of it once. */
import { createHash } from "node:crypto";
import { bucketOf } from "../../decide/bucket.ts";
import { fieldValue, type RequestView, readFirst } from "../../decide/sources.ts";
import type { OwnerKey } from "../../ownership/port.ts";
import type { Side } from "../../state/rules/model.ts";
import type { CompiledCutover, CompiledOwner } from "../routes.ts";
import { type Recorded, recordNotice } from "../settle.ts";

/** @returns the shopper's identity, a byte string; `undefined` when the request names none */
export function shopperIn(cutover: CompiledCutover, view: RequestView): string | undefined {
  return readFirst(cutover.shopper, view);
}

/** @returns the shopper's bucket, 0–99999 */
export function bucketFor(cutover: CompiledCutover, shopper: string | undefined): number | undefined {
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

/** The longest key that counts, in bytes: what is remembered of keys is bounded by their number. */
export const longestKey = 512;

/** @returns the keys of the request that may have an owner, in the order of the configuration */
export function ownerKeysIn(exchange: Recorded, cutover: CompiledCutover, view: RequestView): OwnerKey[] {
  const keys: OwnerKey[] = [];
  for (const owner of cutover.owners) {
    const key = readFirst(owner.key, view);
    if (key === undefined) continue;
    if (key.length > longestKey) recordNotice(exchange, { kind: "long_key" });
    else keys.push(ownerKey(owner, key));
  }
  return keys;
}

/** A key with what its form tells of its owner. */
export function ownerKey({ patterns, learn, ttlMs }: CompiledOwner, key: string): OwnerKey {
  const plain = { key, ttlMs, claimed: learn === undefined };
  if (patterns.length === 0) return plain;
  const text = /[^\0-\x7f]/.test(key) ? Buffer.from(key, "latin1").toString("utf8") : key;
  const form = patterns.find(({ pattern }) => pattern.test(text));
  return form === undefined ? plain : { ...plain, side: form.side };
}

/** One short text for all configurations by which instances decide alike. PURE but for the digest. */
import { createHash } from "node:crypto";
import type { Config } from "./schema.ts";

/** What is each instance's own: two of one fleet differ in it and decide alike all the same. */
const own: ReadonlySet<string> = new Set(["listeners", "instance", "workers", "snapshot", "spool", "audit"]);
/** A digest of a guessable secret would tell it. */
const secret: ReadonlySet<string> = new Set(["secret", "secrets", "sha256"]);

/** @returns the first 48 bits of SHA-256 as 12 hex digits; secrets, sign-ins in URLs and what is an instance's own left out */
export function configHash(config: Config): string {
  const shared = Object.fromEntries(Object.entries(config).filter(([key]) => !own.has(key)));
  return createHash("sha256")
    .update(JSON.stringify(canonical(shared)))
    .digest("hex")
    .slice(0, 12);
}

function canonical(value: unknown): unknown {
  if (typeof value === "string") return value.replace(/(:\/\/)[^\s/]*@/g, "$1");
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(canonical);
  // A compiled expression stands beside the text it was made from.
  if (Object.getPrototypeOf(value) !== Object.prototype) return undefined;
  // What is sent along, which may be a secret too, decides nothing.
  if (isTemplate(value)) return undefined;
  const kept = Object.entries(value).filter(([key]) => !secret.has(key));
  return Object.fromEntries(kept.sort(byKey).map(([key, each]) => [key, canonical(each)]));
}

/** @see values/template.ts */
function isTemplate(value: object): boolean {
  return "parts" in value && Array.isArray(value.parts);
}

function byKey([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : 1;
}

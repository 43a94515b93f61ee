/** What of a configuration cannot change while the instance runs: a reload that asks for it is refused whole. */
import type { Config } from "./schema.ts";

/** @returns the keys that differ and may not, each with why; empty when the new one may take over */
export function lastingDifferences(now: Config, next: Config): string[] {
  const differs = (one: unknown, other: unknown) => JSON.stringify(one) !== JSON.stringify(other);
  const found: string[] = [];
  const forbid = (key: string, why: string) => found.push(`${key}: ${why}`);

  for (const listener of ["proxy", "admin"] as const) {
    if (differs(now.listeners[listener], next.listeners[listener])) {
      forbid(`listeners.${listener}`, "a listener stays where it is until the next start");
    }
  }
  for (const key of ["store", "prefix", "snapshot", "spool", "audit"] as const) {
    if (differs(now[key], next[key])) forbid(key, "what is kept stays where it is until the next start");
  }
  if (differs(now.workers, next.workers)) forbid("workers", "their number stays until the next start");
  if ((now.auth === "none") !== (next.auth === "none")) {
    forbid("auth", "between none and tokens there is a start");
  }
  for (const [name, before] of Object.entries(now.cutovers)) {
    const after = next.cutovers[name];
    if (after !== undefined && (after.salt ?? name) !== (before.salt ?? name)) {
      forbid(`cutovers.${name}.salt`, "another salt would move shoppers of a cutover that lives");
    }
  }
  found.push(...movedOwners(now, next));
  return found;
}

/** A store is opened at a start: a cutover that is new may have one that others have already. */
function movedOwners(now: Config, next: Config): string[] {
  const open = new Set([now.store, ...Object.values(now.cutovers).map(({ owners }) => owners.store)]);
  return Object.entries(next.cutovers).flatMap(([name, { owners }]) => {
    const before = now.cutovers[name];
    const stays =
      before === undefined
        ? owners.store === undefined || open.has(owners.store)
        : owners.store === before.owners.store;
    return stays
      ? []
      : [
          `cutovers.${name}.owners.store: owners stay where they are, and a store is opened, until the next start`,
        ];
  });
}

/**
 * What differs between two configurations, by the keys and never by the values; and what cannot change while the
 * instance runs: a reload that asks for it is refused whole.
 */
import { formatPath, type Path } from "./load/problems.ts";
import { type Config, saltOf } from "./schema.ts";

/**
 * @returns `cutovers.checkout.routes[1].path` for a value that differs, with `(added)` or `(removed)` behind a whole part;
 *   in the order of the configuration
 */
export function changedKeys(now: Config, next: Config): string[] {
  return differencesIn(now, next, []);
}

/** What a reload takes no notice of: it is for the next start. @returns the keys that differ */
export function keysForNextStart(now: Config, next: Config): string[] {
  const lasting = ({ listeners: { wait }, instance, console, otlp }: Config) => ({
    listeners: { wait },
    instance,
    console,
    otlp,
  });
  return differencesIn(lasting(now), lasting(next), []);
}

function differencesIn(now: unknown, next: unknown, path: Path): string[] {
  if (now === undefined || next === undefined) {
    return now === next ? [] : [`${formatPath(path)} ${now === undefined ? "(added)" : "(removed)"}`];
  }
  if (isWritten(now) || isWritten(next) || !isPlain(now) || !isPlain(next)) {
    return JSON.stringify(now) === JSON.stringify(next) ? [] : [formatPath(path)];
  }
  const keys = [...new Set([...Object.keys(now), ...Object.keys(next)])];
  // A compiled expression stands beside the text it was made from.
  const shown = keys.filter((key) => !isCompiled(now[key]) && !isCompiled(next[key]));
  const isList = Array.isArray(now);
  return shown.flatMap((key) => differencesIn(now[key], next[key], [...path, isList ? Number(key) : key]));
}

/** Whether it stands in the file as one value or one list of them: what was read from a text has it beside. */
function isWritten(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isWritten);
  return !isPlain(value) || typeof value.text === "string";
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !isCompiled(value);
}

function isCompiled(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.getPrototypeOf(value) !== Object.prototype;
}

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
    if (after !== undefined && saltOf(after, name) !== saltOf(before, name)) {
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

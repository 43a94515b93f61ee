/**
 * What is frozen in the fleet, as this instance knows it: read from the store where it decides, and kept as it was last
 * read for whoever only looks. While the store is out of reach it is in force as it was known, and nothing can be raised anyway.
 */
import type { Clock } from "../../base/clock.ts";
import { coalesce } from "../../base/coalesce.ts";
import { StoreUnavailable } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { isAtLeast, type Role } from "../../state/rules/model.ts";
import type { Store } from "../../state/store/port.ts";
import {
  endsSooner,
  everyCutover,
  type Freeze,
  type FreezeRecord,
  freezeIn,
  freezeText,
  furtherOf,
  happened,
  neverFrozen,
  readFreeze,
} from "../freeze.ts";

interface FreezesOptions {
  readonly store: Pick<Store, "note" | "writeNote">;
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
}

interface Asked {
  readonly by: string;
  readonly role: Role;
  readonly reason: string;
}

/** `changed`: false where it stood so. */
type Frozen =
  | { readonly kind: "done"; readonly changed: boolean; readonly record: FreezeRecord }
  /** It would end sooner what somebody has frozen. */
  | { readonly kind: "forbidden" };

export interface Freezes {
  /** What is in force now, by the store. @throws StoreUnavailable */
  now(): Promise<Freeze | undefined>;
  /** The same as it was last read. */
  known(): Freeze | undefined;
  /** What has happened, newest first. @throws StoreUnavailable */
  record(): Promise<FreezeRecord>;
  /** @param untilMs since the epoch; who may not lift ends nothing sooner @throws StoreUnavailable */
  freeze(asked: Asked & { readonly untilMs: number }): Promise<Frozen>;
  /** @throws StoreUnavailable */
  lift(asked: Asked): Promise<Frozen>;
}

/** Who may lift a freeze, and end one sooner: whoever may raise. */
const liftRole: Role = "operator";

/** Of several who change it at once each is tried again over what the one before has written. */
const mostAttempts = 5;

export function createFreezes({ store, clock, log }: FreezesOptions): Freezes {
  let known = neverFrozen;
  let fault: unknown;

  async function read(): Promise<number> {
    const { revision, text } = await store.note(everyCutover, "freeze");
    const { record, isLost } = furtherOf(readFreeze(text), known);
    known = record;
    if (!isLost) return revision;
    log.warn({ events: record.number }, "the store has lost what was frozen: it is given back");
    const outcome = await store.writeNote(everyCutover, "freeze", {
      text: freezeText(record),
      ifRevision: revision,
    });
    return outcome === "written" ? revision + 1 : revision;
  }

  const readAgain = coalesce(async () => {
    try {
      await read();
      fault = undefined;
    } catch (error) {
      fault = error;
    }
  });

  async function fresh(): Promise<FreezeRecord> {
    await readAgain();
    if (fault !== undefined) throw fault;
    return known;
  }

  async function write(
    change: (record: FreezeRecord) => FreezeRecord | "unchanged" | "forbidden",
  ): Promise<Frozen> {
    for (let attempt = 1; attempt <= mostAttempts; attempt++) {
      const ifRevision = await read();
      const next = change(known);
      if (next === "unchanged") return { kind: "done", changed: false, record: known };
      if (next === "forbidden") return { kind: "forbidden" };
      const outcome = await store.writeNote(everyCutover, "freeze", { text: freezeText(next), ifRevision });
      if (outcome !== "written") continue;
      known = next;
      return { kind: "done", changed: true, record: next };
    }
    throw new StoreUnavailable("what is frozen is being changed by others again and again");
  }

  const at = () => new Date(clock.now()).toISOString();

  return {
    now: async () => freezeIn(await fresh(), clock.now()),
    known: () => freezeIn(known, clock.now()),
    record: fresh,
    freeze: ({ by, role, reason, untilMs }) =>
      write((record) => {
        if (freezeIn(record, clock.now())?.untilMs === untilMs) return "unchanged";
        if (endsSooner(record, untilMs, clock.now()) && !isAtLeast(role, liftRole)) return "forbidden";
        return happened(record, { event: "frozen", at: at(), by, reason, untilMs });
      }),
    lift: ({ by, role, reason }) =>
      write((record) => {
        if (!isAtLeast(role, liftRole)) return "forbidden";
        if (freezeIn(record, clock.now()) === undefined) return "unchanged";
        return happened(record, { event: "lifted", at: at(), by, reason });
      }),
  };
}

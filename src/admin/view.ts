/** A cutover as the API shows it: the snapshot this instance decides by, and what the fleet says of it. */
import { saltOf } from "../config/schema.ts";
import { countApplied } from "../state/follow/applied.ts";
import type { Contact, Following } from "../state/follow/snapshot.ts";
import { type InstanceRecord, leaseEndsAtMs, type RosterMember } from "../state/rules/completion.ts";
import { type Change, type CutoverState, initialState } from "../state/rules/model.ts";
import type { Leader } from "../state/rules/order/after.ts";
import { maxThousandths, percentToNumber } from "../state/rules/percent.ts";
import { standingPercent } from "../state/rules/routing.ts";
import { mergeTraffic } from "../telemetry/traffic/merge.ts";
import type { CutoverView, Remainder, SideUnderWay, SilentInstance } from "./api/cutover-view.ts";
import { type GuardView, guardBriefly, guardViewOf } from "./api/guard/guard-view.ts";
import type { ContactView } from "./api/instance-view.ts";
import { nearest } from "./api/nearest.ts";
import { returningIn } from "./api/plan/return-view.ts";
import { restOf } from "./api/rules.ts";
import { exposureText, exposureViewOf } from "./api/sides/exposure.ts";
import { maintenanceView } from "./api/sides/maintenance.ts";
import type { Warning } from "./api/write.ts";
import type { AdminContext } from "./context.ts";
import type { Flagged, flagOf } from "./flagd/flagd.ts";
import type { Fleet } from "./fleet.ts";
import { cohortOrderView, leadersIn, leftByHardRollback, orderView } from "./order.ts";
import { Refused } from "./problem.ts";
import type { Proposals } from "./proposals.ts";
import { warningsOf } from "./warnings.ts";

type Cohorts = NonNullable<AdminContext["cutovers"][string]["cohorts"]>;

export interface Views {
  /** Shows these cutovers from now on. */
  reconfigure(cutovers: AdminContext["cutovers"]): void;
  names(): readonly string[];
  /** @throws Refused `not_found` when no such cutover is configured */
  assertKnown(name: string): void;
  /** What its flag is made of. */
  flagged(name: string): Parameters<typeof flagOf>;
  /** @throws Refused `not_found` when the cutover has no such cohort, or it has a side of the configuration */
  assertCohort(name: string, cohort: string): void;
  /** Those that the cutover goes after, as they stand on this instance; the nearest first. */
  leaders(name: string): Leader[];
  /** What a change that was made leaves to be done in other cutovers. */
  leftBy(name: string, change: Change): Warning[];
  /** Names of the cohorts that the configuration sends to legacy. @throws Refused `not_found` */
  keptOnLegacy(name: string): string[];
  /** The state in force on this instance. */
  state(name: string): CutoverState;
  one(name: string, records: readonly InstanceRecord[]): CutoverView;
  /** What its guard makes of it. */
  guard(name: string, records: readonly InstanceRecord[]): GuardView;
  all(records: readonly InstanceRecord[]): CutoverView[];
}

export function createViews(
  context: AdminContext,
  fleet: Pick<Fleet, "underWay" | "unheard" | "strays">,
  proposals: Pick<Proposals, "known">,
): Views {
  const { follower, ownerStores, exposure, clock, roll, instance, prefix, refusedByHand } = context;
  let configured = new Map(Object.entries(context.cutovers));
  const names = () => [...configured.keys()];

  function sidesOf(name: string) {
    const sides = configured.get(name);
    if (sides === undefined) {
      const meant = nearest(name, names());
      const hint = meant === undefined ? "" : `: did you mean ${meant}?`;
      throw new Refused("not_found", `no such cutover${hint}`);
    }
    return sides;
  }

  function state(name: string): CutoverState {
    return follower.current().states.get(name) ?? initialState();
  }

  function one(name: string, records: readonly InstanceRecord[]): CutoverView {
    const declared = sidesOf(name);
    const { approval, cohorts = [] } = declared;
    const stands = state(name);
    const { percentThousandths, ...rest } = stands;
    const leaders = leadersIn(Object.fromEntries(configured), state, name);
    const maintenance = maintenanceView(rest.maintenance, clock.now());
    const proposal = proposals.known(name, rest.version);
    const atRisk = declared.exposure && exposure?.(name);
    const ofOwners = ownerStores().get(name);
    const { figures, warnings: ofSides } = mergeTraffic(
      records.map((record) => record.traffic[name]),
      records.map(({ seenAt }) => ageOf(seenAt, clock.now())),
    );
    const count = countApplied(records, name, rest.version);
    const silent = fleet.unheard(records).flatMap((member) => silentView(member, name) ?? []);
    const stated = {
      name,
      legacy: declared.legacy,
      new: declared.new,
      percent: percentToNumber(percentThousandths),
      ...orderView(stands, leaders),
      ...(cohorts.length === 0 ? {} : { cohorts: cohorts.map((each) => cohortView(stands, each, leaders)) }),
      state: rest.state,
      version: rest.version,
      pinEpoch: rest.pinEpoch,
      ...(maintenance === undefined ? {} : { maintenance }),
      updatedAt: rest.updatedAt,
      updatedBy: rest.updatedBy,
      reason: rest.reason,
      scope: follower.current().local?.has(name) === true ? ("local" as const) : ("fleet" as const),
      ...(approval === undefined ? {} : { approval: approvalViewOf(approval) }),
      ...(proposal === undefined ? {} : { proposal }),
      traffic: figures,
      ...fleet.underWay(name),
      ...(atRisk && declared.exposure && { exposure: exposureViewOf(atRisk, declared.exposure) }),
      ...guardBriefly(guardViewOf(name, context.guard(name), records)),
      ...context.plans.raises.known(name),
      ...returningIn(context.plans.returns, name),
      instances: { live: count.of, applied: count.instances, silent },
      store: storeView(follower.contact(), clock.now()),
      ...(ofOwners === undefined ? {} : { ownerStore: storeView(ofOwners, clock.now()) }),
    };
    const view = { ...stated, stillLegacy: remaindersOf(stated, declared, clock.now()) };
    const warnings = warningsOf({
      ...{ view, nowMs: clock.now(), storeNowMs: roll.nowMs(), records, self: instance.id, prefix },
      rejection: refusedByHand().find((rejection) => rejection.name === name),
      isStray: fleet.strays().includes(name),
      isStoreUp: follower.contact().up,
    });
    return { ...view, warnings: [...ofSides, ...warnings] };
  }

  return {
    names,
    reconfigure(next) {
      configured = new Map(Object.entries(next));
    },
    assertKnown: sidesOf,
    flagged(name) {
      const leaders = leadersIn(Object.fromEntries(configured), state, name);
      const { effectivePercent } = orderView(state(name), leaders);
      const flaggedOf = (each: string) => flaggedFrom(each, state(each), configured.get(each));
      return [flaggedOf(name), leaders.map((each) => flaggedOf(each.name)), effectivePercent];
    },
    leaders: (name) => leadersIn(Object.fromEntries(configured), state, name),
    leftBy: (name, { action }) =>
      action === "rollback_hard" ? leftByHardRollback(Object.fromEntries(configured), name) : [],
    keptOnLegacy: (name) =>
      (sidesOf(name).cohorts ?? []).flatMap(({ name: each, side }) => (side === "legacy" ? [each] : [])),
    assertCohort: (name, cohort) => assertPercentOf(sidesOf(name).cohorts ?? [], cohort),
    state,
    one,
    guard: (name, records) => guardViewOf(name, context.guard(name), records),
    all: (records) => names().map((name) => one(name, records)),
  };
}

function flaggedFrom(
  name: string,
  state: CutoverState,
  declared: AdminContext["cutovers"][string] | undefined,
): Flagged {
  const { cohorts = [], anonymous } = declared ?? {};
  return {
    name,
    state,
    salt: saltOf(declared ?? {}, name),
    cohorts,
    anonymousMoves: anonymous === "new-at-100",
  };
}

/**
 * What still goes to legacy, and why, in the order in which it is decided.
 *
 * @param nowMs since the epoch
 */
function remaindersOf(
  {
    state,
    percent: own,
    effectivePercent: percent = own,
    cohorts = [],
    updatedAt,
    journeys,
    unfinished,
    exposure,
  }: Omit<CutoverView, "stillLegacy" | "warnings">,
  { anonymous = "legacy", visit, force, fallback }: AdminContext["cutovers"][string],
  nowMs: number,
): Remainder[] {
  const found: Remainder[] = [];
  const add = (reason: string, text: string) => found.push({ reason, text });
  const many = ({ open, atLeast }: SideUnderWay, what: string) =>
    `${atLeast ? "at least " : ""}${open} ${what}${open === 1 ? "" : "s"}`;
  if (unfinished !== null && unfinished.legacy.open > 0) {
    add("owner", `${many(unfinished.legacy, "unfinished order")} that it owns`);
  }
  if (state === "closed") return found;
  if (journeys !== null && journeys.legacy.open > 0) {
    add("journey", `${many(journeys.legacy, "journey")} under way that began there`);
  }
  if (state === "rolled_back") add("rolled_back", "all that begins: the cutover is rolled back");
  else {
    if (exposure?.over)
      add("exposure", `journeys and visits that begin: unpaid on new are ${exposureText(exposure)}`);
    if (force !== undefined) add("forced", "testers who ask for it");
    for (const { name, side } of cohorts) {
      if (side === "legacy") add("cohort", `the cohort ${name}, by the configuration`);
    }
    const nameless = "requests that name no shopper, as crawlers, monitors and preflights send them";
    if (anonymous === "legacy") add("anonymous", `${nameless}: anonymous is legacy`);
    else if (percent < 100) add("anonymous", `${nameless}, until 100%`);
    const lastsUntil = Date.parse(updatedAt) + Math.max(visit?.for ?? 0, visit?.max ?? 0);
    if (visit !== undefined && lastsUntil > nowMs) {
      add("visit", `visits that began there, until ${new Date(lastsUntil).toISOString()} at the latest`);
    }
    if (percent < 100) {
      add(
        "bucket",
        `${percentToNumber(maxThousandths - Math.round(percent * 1000))}% of shoppers, by their bucket`,
      );
    }
    for (const { name, percent: ofCohort, effectivePercent = ofCohort } of cohorts) {
      if (effectivePercent === null || effectivePercent === 100) continue;
      add("bucket", `${restOf(effectivePercent)}% of the cohort ${name}, by their bucket`);
    }
    if (fallback === true) add("fallback", "what can not be connected to new");
  }
  return found;
}

function assertPercentOf(cohorts: Cohorts, cohort: string): void {
  const found = cohorts.find(({ name }) => name === cohort);
  if (found === undefined) {
    const known = cohorts.map(({ name }) => name);
    const meant = nearest(cohort, known);
    throw new Refused("not_found", `no such cohort${meant === undefined ? "" : `: did you mean ${meant}?`}`);
  }
  if (found.side !== undefined) {
    throw new Refused("not_found", `the cohort has no percent: the configuration sends it to ${found.side}`);
  }
}

function cohortView(
  state: CutoverState,
  { name, side }: Cohorts[number],
  leaders: readonly Leader[],
): NonNullable<CutoverView["cohorts"]>[number] {
  if (side !== undefined) return { name, side, percent: null };
  const percent = percentToNumber(standingPercent(state, name));
  return { name, side: null, percent, ...cohortOrderView(state, leaders, name) };
}

/** Records are renewed each second; clocks that differ by more are not believed. */
const oldestRecordMs = 1000;

function ageOf(seenAt: string, nowMs: number): number {
  const ms = nowMs - Date.parse(seenAt);
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(0, ms), oldestRecordMs);
}

/** @returns `undefined` where the instance does not have the cutover in its configuration */
function silentView(member: RosterMember, cutover: string): SilentInstance | undefined {
  const { id, name = id, address = null, pid = null, versions, seenAtMs } = member;
  const version = versions[cutover];
  if (version === undefined) return undefined;
  const endsAtMs = leaseEndsAtMs(member, cutover);
  return {
    ...{ id, name, address, pid, version },
    since: new Date(seenAtMs).toISOString(),
    until: endsAtMs === undefined ? null : new Date(endsAtMs).toISOString(),
  };
}

function approvalViewOf({
  over,
  ttl,
  window = 0,
}: NonNullable<AdminContext["cutovers"][string]["approval"]>): NonNullable<CutoverView["approval"]> {
  return { over, ttlSeconds: ttl / 1000, windowSeconds: window / 1000 };
}

/** @param nowMs since the epoch */
function storeView(contact: Contact, nowMs: number): NonNullable<CutoverView["store"]> {
  const { up, stalenessMs, word, refusedForMs } = contact;
  const writable = up && word === undefined;
  const forMs = up ? (refusedForMs ?? 0) : stalenessMs;
  const since = writable ? null : new Date(nowMs - forMs).toISOString();
  return { reachable: up || word !== undefined, writable, since, word: word ?? null };
}

/** How this instance stands with the store, in seconds to the millisecond. */
export function contactView({ contact }: Pick<Following, "contact">): ContactView {
  const { up, stalenessMs, word } = contact();
  return {
    up,
    writable: up && word === undefined,
    word: word ?? null,
    stalenessSeconds: Math.round(stalenessMs) / 1000,
  };
}

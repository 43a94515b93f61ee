/**
 * What an operator must know of a cutover beside where it stands, a sentence each: the one list that the API, `status`,
 * `watch` and the page show. PURE. Moments are RFC 3339; a reader's screen says them in its own zone.
 */
import type { ConfigInForce, InstanceRecord } from "../state/rules/completion.ts";
import type { Rejection } from "../state/store/port.ts";
import type { CutoverView, SilentInstance } from "./api/cutover-view.ts";
import { raiseWarnings } from "./api/plan/raise-view.ts";
import { returningWarnings } from "./api/plan/return-view.ts";
import { isByHand } from "./api/rules.ts";
import { exposureWarnings } from "./api/sides/exposure.ts";
import { maintenanceWarnings } from "./api/sides/maintenance.ts";
import type { Warning } from "./api/write.ts";

/** The view as it would be without warnings, and what else is known. */
interface WarningFacts {
  readonly view: Omit<CutoverView, "warnings">;
  /** Since the epoch, by this instance's clock. */
  readonly nowMs: number;
  /** The same by the store's: instances' last words are counted from it. */
  readonly storeNowMs: number;
  /** The instances that are heard of, this one included. */
  readonly records: readonly InstanceRecord[];
  /** This instance's id. */
  readonly self: string;
  /** What stands in the store by hand for the cutover and is not followed. */
  readonly rejection: Rejection | undefined;
  /** Whether somebody has written under the key without its braces. */
  readonly isStray: boolean;
  /** The beginning of every key in the store. */
  readonly prefix: string;
  /** Whether the store tells of other instances. */
  readonly isStoreUp: boolean;
}

export function warningsOf(facts: WarningFacts): Warning[] {
  const { view, nowMs } = facts;
  return [
    ...storeWarnings("store", "the store", "changes and owners", view.store, nowMs),
    ...storeWarnings(
      "owner_store",
      `the store of ${view.name}'s owners`,
      "its owners",
      view.ownerStore,
      nowMs,
    ),
    ...maintenanceWarnings(view.maintenance),
    ...raiseWarnings(view),
    ...returningWarnings(view.returning),
    ...exposureWarnings(view.exposure),
    ...localWarnings(view),
    ...orderWarnings(view),
    ...fleetWarnings(facts),
    ...handEditWarnings(facts),
    ...configWarnings(facts),
  ];
}

function storeWarnings(
  code: "store" | "owner_store",
  which: string,
  lost: string,
  store: CutoverView["store"],
  nowMs: number,
): Warning[] {
  if (store === undefined || store.writable) return [];
  const what = store.word === null ? "is out of reach" : `answers ${store.word}`;
  const since = store.since === null ? "" : ` for ${duration(nowMs - Date.parse(store.since))}`;
  return [
    {
      code: store.word === null ? `${code}_unreachable` : `${code}_refuses`,
      text: `${which} ${what}${since}: ${lost} cannot be recorded`,
    },
  ];
}

function localWarnings({ scope }: WarningFacts["view"]): Warning[] {
  if (scope === "fleet") return [];
  const text =
    "on this instance alone: it was told without the store; the others hear of it when the store is back";
  return [{ code: "local_only", text }];
}

/** Its percent, and those of its cohorts, are not in effect whole. */
function orderWarnings({ percent, effectivePercent, after, cohorts = [] }: WarningFacts["view"]): Warning[] {
  if (after === undefined) return [];
  const held = cohorts.flatMap(({ name, percent: own, effectivePercent: effective }) => {
    return effective === undefined ? [] : [`${effective}% of ${name}'s ${own}%`];
  });
  const parts = [...(effectivePercent === undefined ? [] : [`${effectivePercent}% of ${percent}%`]), ...held];
  if (parts.length === 0) return [];
  const text = `in effect ${parts.length === 1 ? "is" : "are"} ${listed(parts)}: it goes after ${after.name}, and never further`;
  return [{ code: "held_by_after", text }];
}

function fleetWarnings({ view, records, storeNowMs, isStoreUp }: WarningFacts): Warning[] {
  const { live, applied, silent } = view.instances;
  const behind = records.filter((record) => (record.versions[view.name] ?? view.version) < view.version);
  const lagging = behind.map((record) => `${nameOf(record)} at version ${record.versions[view.name] ?? 0}`);
  const draining = records.filter(({ phase }) => phase === "draining");
  return [
    ...(applied === live
      ? []
      : [
          {
            code: "not_applied",
            text: `applied on ${applied} of ${live} that are heard of: ${listed(lagging)}`,
          },
        ]),
    ...(silent.length === 0 ? [] : [silentWarning(view, isStoreUp, storeNowMs)]),
    ...(draining.length === 0
      ? []
      : [{ code: "draining", text: `${listed(draining.map(nameOf))} drains: it takes no new connections` }]),
  ];
}

function silentWarning(
  { instances, version, scope, store }: WarningFacts["view"],
  isStoreUp: boolean,
  nowMs: number,
): Warning {
  const { silent } = instances;
  const each = silent.map((one) => {
    const what = `for ${duration(nowMs - Date.parse(one.since))}, ${meanwhile(one, { isOlder: one.version < version, isLocal: scope === "local" }, nowMs)}`;
    return { what, who: `${one.name}${one.address === null ? "" : ` at ${one.address}`}${pidOf(one)}` };
  });
  const isTold = isStoreUp && store?.writable !== false;
  const without = isStoreUp ? "while the store takes no writes" : "without the store";
  const word = isTold ? "silent" : `not heard of ${without}`;
  const [first] = each;
  const said =
    each.length === 1 && first !== undefined
      ? `one ${word} ${first.what}: ${first.who}`
      : `${each.length} ${word}: ${listed(
          each.map(({ what, who }) => `${who} ${what}`),
          "; ",
        )}`;
  return {
    code: isTold ? "instances_silent" : "instances_unheard",
    text: `applied on ${instances.applied} of ${instances.live + silent.length}, ${said}`,
  };
}

/**
 * What an instance does that cannot be asked. @param isLocal what is in force here is not what the store holds as that
 * version, and what the other one goes by
 */
function meanwhile(
  { version, until }: SilentInstance,
  { isOlder, isLocal }: { isOlder: boolean; isLocal: boolean },
  nowMs: number,
): string {
  if (until === null) {
    if (isLocal) return `goes on by version ${version} as it was before the change here`;
    return `goes on by ${isOlder ? `version ${version}` : "this version"}`;
  }
  if (Date.parse(until) <= nowMs) return `has started none on new since ${until}`;
  return isOlder || isLocal
    ? `starts new journeys on new until ${until}`
    : `goes on by this version until ${until}, then starts none on new`;
}

function handEditWarnings({ view, rejection, isStray, prefix }: WarningFacts): Warning[] {
  const key = `${prefix}:{${view.name}}`;
  return [
    ...(rejection === undefined
      ? []
      : [
          {
            code: "hand_edit_refused",
            text: `the store holds ${heldBy(rejection, key)}, which nobody follows`,
          },
        ]),
    ...(view.state === "open" && view.percent === 0 && view.version > 0 && isByHand(view.updatedBy)
      ? [
          {
            code: "not_latched",
            text: "0% was set by hand in the store and is followed; it does not latch: whoever may raise, raises it",
          },
        ]
      : []),
    ...(isStray
      ? [
          {
            code: "stray_key",
            text: `the store holds ${prefix}:${view.name}, which nobody reads: the key has braces, ${key}`,
          },
        ]
      : []),
  ];
}

function heldBy({ fields, found = {} }: Rejection, key: string): string {
  const held = fields.map((field) =>
    field === "type" ? `a key ${key} that is no hash` : `${field} ${JSON.stringify(found[field] ?? "")}`,
  );
  return held.join(" and ");
}

function configWarnings({ records, self }: WarningFacts): Warning[] {
  const own = records.find(({ id }) => id === self)?.config;
  const others = records.filter(({ id, config }) => id !== self && differs(own, config));
  const refused = records.flatMap((record) => {
    const at = record.config?.refusedAt;
    return at === undefined ? [] : [`${nameOf(record)} at ${at}, its log says why`];
  });
  const since = (record: InstanceRecord) =>
    `${nameOf(record)} by ${record.config?.hash ?? "?"}, loaded at ${record.config?.loadedAt ?? "?"}`;
  return [
    ...(own === undefined || others.length === 0
      ? []
      : [
          {
            code: "config_differs",
            text: `the instances go by different configurations: this one by ${own.hash}, loaded at ${own.loadedAt}; ${listed(others.map(since))}`,
          },
        ]),
    ...(refused.length === 0
      ? []
      : [
          {
            code: "reload_refused",
            text: `a reload was refused, and the configuration of before is in force: ${listed(refused)}`,
          },
        ]),
  ];
}

function differs(own: ConfigInForce | undefined, other: ConfigInForce | undefined): boolean {
  return own !== undefined && other !== undefined && own.hash !== other.hash;
}

function nameOf({ name, id }: InstanceRecord): string {
  return name ?? id;
}

function pidOf({ pid }: SilentInstance): string {
  return pid === null ? "" : `, pid ${pid}`;
}

const mostListed = 5;

function listed(all: readonly string[], gap = ", "): string {
  const more = all.length - mostListed;
  return [...all.slice(0, mostListed), ...(more > 0 ? [`${more} more`] : [])].join(gap);
}

/** In the largest whole unit: `12 s`, `5 min`, `3 h`. */
function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}

/**
 * Carries out one cutover's plan, on the instance that leads it: the loop around steps.ts.
 *
 *   look     each second: what stands in the store of the plan, how the cutover stands, what has been counted
 *   became   whatever has become of the plan is written down first, over the revision that was read, under the fence
 *   raise    a change of the percent, on the version that was judged, under the fence; then it has become another plan
 *   wait     dwell and evidence grow here and are written down every ten seconds
 *
 * All that is kept in this process may be lost at any moment: it is read from the record again, which is never ahead of
 * what was made. Time counts while this instance leads without a break and the step stands.
 */
import type { Clock } from "../../base/clock.ts";
import { errorText, type Log } from "../../base/log.ts";
import type { BlockCounts } from "../../guard/evidence/likelihood.ts";
import type { Leadership } from "../../state/leading/leadership.ts";
import type { HistoryEntry } from "../../state/rules/history.ts";
import type { Fence } from "../../state/rules/leases/lease.ts";
import type { Actor, CutoverState } from "../../state/rules/model.ts";
import type { Store } from "../../state/store/port.ts";
import { createGathering, type Gathering } from "../gathering.ts";
import { type PlanRecord, type PlanSpec, planText, readPlan } from "../plan.ts";
import { type Author, type Circumstances, type Next, nextOf } from "../steps.ts";

/** What stands around a plan on this instance. */
export interface Around {
  /** The configuration's plan; `undefined`: none. */
  readonly configured: () => PlanSpec | undefined;
  /** As it is in force here. */
  readonly state: () => CutoverState;
  readonly guard: () => Promise<Circumstances["guard"]>;
  readonly limit?: () => Circumstances["limit"];
  readonly legacy: () => Promise<Circumstances["legacy"]>;
  /** What is against a raise now. */
  readonly closed: () => Promise<Pick<Circumstances, "window" | "freeze">>;
}

interface StewardOptions extends Around {
  /** The cutover's. */
  readonly name: string;
  readonly store: Pick<Store, "note" | "writeNote" | "apply" | "history">;
  readonly leadership: () => Pick<Leadership, "fence" | "refused"> | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly onBecame?: (record: PlanRecord, said: string) => void;
}

export interface Steward {
  /** Never rejects. */
  look(): Promise<void>;
  /** A block of attempts that are over, of the step that stands. */
  counted(strata: readonly BlockCounts[]): void;
  /** Journeys of it. */
  paid(strata: readonly BlockCounts[]): void;
}

export const planActor = { name: "plan", role: "operator" } as const satisfies Actor;

const byPlan = { actor: planActor, origin: { via: "plan" } } as const;

const writeEachMs = 10_000;
/** As the API takes reasons. */
const longestReason = 500;

/** What this process knows of the step beyond the record. */
interface Watched {
  readonly token: number;
  revision: number;
  record: PlanRecord;
  readonly gathering: Gathering | undefined;
  lookedAtMs: number;
  writtenAtMs: number;
}

export function createSteward(options: StewardOptions): Steward {
  const { name, store, clock, log } = options;
  let watched: Watched | undefined;
  /** What the store had last, as far as this process has seen. */
  let last: { readonly revision: number; readonly record: PlanRecord } | undefined;

  async function look(fence: Fence): Promise<void> {
    const { revision, text } = await store.note(name, "plan");
    const record = readPlan(text);
    if (record !== undefined) last = { revision, record };
    else if (text === "" && last !== undefined && revision < last.revision) {
      watched = undefined;
      return await giveBack(options, last.record, revision, fence);
    }
    if (record === undefined || record.status !== "running") {
      watched = undefined;
      return;
    }
    const isKnown = watched?.token === fence.token && watched.revision === revision;
    if (watched === undefined || !isKnown) watched = begun(fence, revision, record, clock.monotonic());
    const state = options.state();
    // Who knows less than the record would take its step for somebody else's.
    if (state.version >= watched.record.version) await follow(watched, state, fence);
  }

  /** Once what has become of the plan is written down there may be a step to make, and that makes another plan of it. */
  async function follow(now: Watched, state: CutoverState, fence: Fence): Promise<void> {
    grow(now, state, clock.monotonic());
    const circumstances = await circumstancesOf(options, now, state);
    const next = nextOf(now.record, circumstances, clock.now());
    if (next.kind === "became") {
      if (await write(now, next.record, fence)) tell(next);
      return;
    }
    if (state.version > now.record.version) now.record = { ...now.record, version: state.version };
    if (next.kind === "raise") return await raise(now, state, next, fence);
    if (clock.monotonic() - now.writtenAtMs >= writeEachMs) await write(now, now.record, fence);
  }

  async function raise(now: Watched, state: CutoverState, to: Raise, fence: Fence): Promise<void> {
    const made = await makeStep(options, state, to, fence);
    if (made === undefined) return;
    const circumstances = { ...(await circumstancesOf(options, now, made.state)), author: made.author };
    const next = nextOf(now.record, circumstances, clock.now());
    if (next.kind === "became" && (await write(now, next.record, fence))) tell(next);
  }

  async function write(now: Watched, record: PlanRecord, fence: Fence): Promise<boolean> {
    const text = planText(record);
    const outcome = await store.writeNote(name, "plan", { text, ifRevision: now.revision, fence });
    if (outcome === "fenced") options.leadership()?.refused(fence);
    if (outcome !== "written") {
      // Somebody has started or paused it: the next look reads what they have made of it.
      watched = undefined;
      return false;
    }
    const revision = now.revision + 1;
    if (record === now.record) {
      now.revision = revision;
      now.writtenAtMs = clock.monotonic();
    } else watched = begun(fence, revision, record, clock.monotonic());
    return true;
  }

  function tell({ record, said }: Extract<Next, { kind: "became" }>): void {
    log.info({ cutover: name, plan: record.id, status: record.status }, `the plan: ${said}`);
    options.onBecame?.(record, said);
  }

  return {
    async look() {
      const fence = options.leadership()?.fence();
      if (fence === undefined) {
        watched = undefined;
        return;
      }
      try {
        await look(fence);
      } catch (error) {
        // What was sent may have been made: the record says, or the history does.
        watched = undefined;
        log.warn({ cutover: name, error: errorText(error) }, "the plan could not be looked at");
      }
    },
    counted(strata) {
      // What arrives while it is held proves nothing: the step has to stand anew.
      if (options.state().state === "open") watched?.gathering?.failures(strata);
    },
    paid(strata) {
      if (options.state().state === "open") watched?.gathering?.paid(strata);
    },
  };
}

type Raise = Extract<Next, { kind: "raise" }>;

/** @returns `undefined`: it was refused */
async function makeStep(
  { name, store, leadership, log }: StewardOptions,
  { version: ifVersion }: CutoverState,
  { toThousandths: percentThousandths, because }: Raise,
  fence: Fence,
): Promise<{ readonly state: CutoverState; readonly author: Author } | undefined> {
  const reason = because.slice(0, longestReason);
  const made = { name, reason, fence, ifVersion };
  const applied = await store.apply({ ...made, ...byPlan, change: { action: "set", percentThousandths } });
  if (applied.accepted) {
    const { state } = applied;
    const author = { action: "set", via: "plan", by: planActor.name, reason, at: state.updatedAt };
    return { state, author };
  }
  log.info({ cutover: name, code: applied.code }, "a step of the plan was refused");
  if (applied.code === "fenced") leadership()?.refused(fence);
  return undefined;
}

/** What was approved is not lost with the store; what happened meanwhile nobody knows, so a person starts it again. */
async function giveBack(
  { name, store, log, onBecame }: StewardOptions,
  record: PlanRecord,
  ifRevision: number,
  fence: Fence,
): Promise<void> {
  const isRunning = record.status === "running";
  const because = "the store had lost the plan";
  const back = isRunning ? ({ ...record, status: "paused", because } as const) : record;
  const given = await store.writeNote(name, "plan", { text: planText(back), ifRevision, fence });
  if (given !== "written") return;
  log.warn({ cutover: name, plan: record.id }, `${because}: it is given back`);
  if (isRunning) onBecame?.(back, because);
}

function begun({ token }: Fence, revision: number, record: PlanRecord, nowMs: number): Watched {
  const { evidence } = record.spec;
  const gathering =
    evidence === undefined || record.standsThousandths === 0
      ? undefined
      : createGathering(evidence, record.gathered);
  return { token, revision, record, gathering, lookedAtMs: nowMs, writtenAtMs: nowMs };
}

/** The step has stood until now, where it stands. */
function grow(now: Watched, { state, percentThousandths }: CutoverState, nowMs: number): void {
  const passedMs = nowMs - now.lookedAtMs;
  now.lookedAtMs = nowMs;
  if (state !== "open" || percentThousandths !== now.record.standsThousandths) return;
  const gathered = now.gathering === undefined ? {} : { gathered: now.gathering.state() };
  now.record = { ...now.record, dweltMs: now.record.dweltMs + passedMs, ...gathered };
}

async function circumstancesOf(
  { name, store, configured, guard, limit, legacy, closed }: StewardOptions,
  { record, gathering }: Watched,
  state: CutoverState,
): Promise<Circumstances> {
  const history = state.version > record.version ? await store.history(name, lookBack) : [];
  return {
    state,
    author: authorIn(history, state),
    passed: history.filter(({ version }) => version > record.version && version <= state.version),
    configured: configured(),
    evidence: gathering?.evidence(record.dweltMs) ?? { kind: "not asked" },
    guard: await guard(),
    limit: limit?.(),
    legacy: await legacy(),
    ...(await closed()),
  };
}

const lookBack = 100;

/** Who brought the percent to where it stands. */
function authorIn(
  history: readonly HistoryEntry[],
  { percentThousandths, version }: CutoverState,
): Author | undefined {
  return history.find((entry) => {
    const isOfThis = entry.version <= version && entry.to.percentThousandths === percentThousandths;
    return isOfThis && entry.from.percentThousandths !== percentThousandths;
  });
}

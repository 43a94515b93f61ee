/** The plans of an instance: a steward and a desk for each cutover, as it is configured. */
import { type Clock, systemTimers, type Timers } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { occurrences } from "../../config/plan/cron.ts";
import type { Config } from "../../config/schema.ts";
import type { BlockCounts } from "../../guard/evidence/likelihood.ts";
import type { Following } from "../../state/follow/snapshot.ts";
import type { Leaderships } from "../../state/leading/leaderships.ts";
import { initialState } from "../../state/rules/model.ts";
import type { Store } from "../../state/store/port.ts";
import { type PlanRecord, type PlanSpec, specOf } from "../plan.ts";
import type { Scheduled, ScheduleOutcome } from "../schedule.ts";
import type { Circumstances } from "../steps.ts";
import { createWindows, type Windows } from "../windows.ts";
import { createDesk } from "./desk.ts";
import { createFreezes, type Freezes } from "./freezes.ts";
import { createSchedules } from "./schedules.ts";
import { createSteward, type Steward } from "./steward.ts";
import { createTimekeeper, type Timekeeper } from "./timekeeper.ts";

interface StewardsOptions {
  readonly store: Pick<Store, "note" | "writeNote" | "apply" | "history">;
  readonly follower: Pick<Following, "current">;
  readonly leaderships: Pick<Leaderships, "of" | "also">;
  /** By the leader's own judgement where this instance leads, else by what that tells. */
  readonly guard: (name: string) => Promise<Circumstances["guard"]>;
  /** How far the cutovers that it goes after let it go. */
  readonly limit?: (name: string) => Circumstances["limit"];
  /** Whether everybody could go back to legacy. */
  readonly legacy: (name: string) => Promise<Circumstances["legacy"]>;
  readonly clock: Clock;
  readonly timers?: Timers;
  readonly log: Log;
  readonly onBecame?: (name: string, record: PlanRecord, said: string) => void;
  /** What was scheduled was made, or is not made any more. */
  readonly onOver?: (name: string, entry: Scheduled, outcome: ScheduleOutcome) => void;
}

type Desk = ReturnType<typeof createDesk>;

export interface Stewards {
  /** The plan of each cutover, for people. */
  desk(name: string): Desk;
  /** What is scheduled of the cutover, for people. */
  schedule(name: string): ReturnType<typeof createSchedules>;
  /** What is against a raise by the cutover's windows. @param atMs since the epoch; now, without it */
  window(name: string, atMs?: number): ReturnType<Windows["against"]>;
  /** What is frozen in the fleet. */
  readonly freezes: Freezes;
  /** By when everybody has to be on new; `undefined`: there is no such date. */
  deadline(name: string): Deadline | undefined;
  /** The configured cutovers. */
  names(): readonly string[];
  /** Whether its configuration has a plan. */
  isPlanned(name: string): boolean;
  /** A block of attempts of the cutover that are over, of the step that stands. */
  counted(name: string, strata: readonly BlockCounts[]): void;
  /** Journeys of it, as the guard's late look has them. */
  paid(name: string, strata: readonly BlockCounts[]): void;
  /** Looks no more. */
  stop(): void;
}

interface Parts {
  readonly desk: Desk;
  readonly schedule: ReturnType<typeof createSchedules>;
  readonly steward: Steward;
  readonly timekeeper: Timekeeper;
}

const lookEachMs = 1000;

type InForce = Pick<Config, "cutovers" | "freeze">;

/** What the configuration says of one cutover's plan. */
interface Configured {
  readonly spec: PlanSpec | undefined;
  readonly deadline: Deadline | undefined;
  /** Of the plan, and of the configuration as a whole. */
  readonly windows: Windows;
}

/** `at`: ms since the epoch. */
type Deadline = { readonly at: number; readonly reason: string };

const nothing: Configured = { spec: undefined, deadline: undefined, windows: createWindows([], occurrences) };

/** @param config the configuration in force, asked at each use */
export function createStewards(config: () => InForce, options: StewardsOptions): Stewards {
  const { timers = systemTimers } = options;
  const freezes = createFreezes(options);
  const parts = new Map<string, Parts>();
  let inForce = config();
  let read = readConfigured(inForce);
  let isStopped = false;
  let cancel = () => {};

  function configured(): ReadonlyMap<string, Configured> {
    const now = config();
    if (now !== inForce) read = readConfigured(now);
    inForce = now;
    return read;
  }

  function partsOf(name: string) {
    const known = parts.get(name);
    if (known !== undefined) return known;
    const made = createParts(name, () => configured().get(name) ?? nothing, { ...options, freezes });
    parts.set(name, made);
    return made;
  }

  async function look(): Promise<void> {
    const each = [...configured().keys()].map(async (name) => {
      const { steward, timekeeper } = partsOf(name);
      // One after the other: the plan follows what a person has asked to be set.
      await timekeeper.look();
      await steward.look();
    });
    await Promise.all(each);
    if (!isStopped) cancel = timers.after(lookEachMs, () => void look());
  }

  cancel = timers.after(lookEachMs, () => void look());
  return {
    desk: (name) => partsOf(name).desk,
    schedule: (name) => partsOf(name).schedule,
    freezes,
    deadline: (name) => configured().get(name)?.deadline,
    names: () => [...configured().keys()],
    isPlanned: (name) => configured().get(name)?.spec !== undefined,
    window: (name, atMs = options.clock.now()) => (configured().get(name) ?? nothing).windows.against(atMs),
    counted: (name, strata) => partsOf(name).steward.counted(strata),
    paid: (name, strata) => partsOf(name).steward.paid(strata),
    stop() {
      isStopped = true;
      cancel();
    },
  };
}

function readConfigured({ cutovers, freeze }: InForce): ReadonlyMap<string, Configured> {
  return new Map(
    Object.entries(cutovers).map(([name, { plan, deadline }]) => {
      const spec = plan === undefined ? undefined : specOf(plan);
      return [
        name,
        { spec, deadline, windows: createWindows([...(spec?.windows ?? []), ...freeze], occurrences) },
      ];
    }),
  );
}

function createParts(
  name: string,
  configured: () => Configured,
  options: StewardsOptions & { readonly freezes: Freezes },
): Parts {
  const { freezes, store, follower, leaderships, guard, limit, legacy, clock, log } = options;
  const around = {
    name,
    store,
    clock,
    configured: () => configured().spec,
    state: () => follower.current().states.get(name) ?? initialState(),
    guard: () => guard(name),
    limit: () => limit?.(name),
    legacy: async () => (configured().spec?.requireReady === undefined ? undefined : await legacy(name)),
    closed: async () => ({
      window: configured().windows.against(clock.now()),
      freeze: await freezes.now(),
    }),
  };
  const leading = { ...around, log, leadership: () => leaderships.of(name) };
  const steward = createSteward({
    ...leading,
    onBecame: (record, said) => options.onBecame?.(name, record, said),
  });
  const timekeeper = createTimekeeper({
    ...leading,
    onWaiting: (isWaiting) => leaderships.also(name, isWaiting),
    onOver: (entry, outcome) => options.onOver?.(name, entry, outcome),
  });
  const desk = createDesk({
    ...around,
    windows: () => configured().windows,
    deadline: () => configured().deadline,
  });
  return { steward, timekeeper, desk, schedule: createSchedules(around) };
}

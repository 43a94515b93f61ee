/** The plans of an instance on a test's store, with windows that the test opens: what holds people is what would in earnest. */
import type { PlansDesk } from "../../src/admin/api/plan/raise-desk.ts";
import { systemClock } from "../../src/base/clock.ts";
import { StoreUnavailable } from "../../src/base/errors.ts";
import { occurrences } from "../../src/config/plan/cron.ts";
import { createRaiseDesk } from "../../src/instance/plans/raises.ts";
import { createScheduleDesk } from "../../src/instance/plans/schedule.ts";
import type { WindowSpec } from "../../src/plan/plan.ts";
import { createFreezes } from "../../src/plan/steward/freezes.ts";
import { createSchedules } from "../../src/plan/steward/schedules.ts";
import { createWindows } from "../../src/plan/windows.ts";
import { type CutoverState, initialState } from "../../src/state/rules/model.ts";
import type { Store } from "../../src/state/store/port.ts";
import { createRecordedLog } from "./recorded-log.ts";

export interface TestRaises {
  readonly plans: PlansDesk;
  /** Those of every cutover. */
  readonly windows: WindowSpec[];
  connection: "up" | "down";
}

/** @param store asked at each use */
export function createTestRaises(
  store: () => Pick<Store, "note" | "writeNote">,
  windows: WindowSpec[],
): TestRaises {
  const state: { connection: TestRaises["connection"]; cutover: CutoverState } = {
    connection: "up",
    cutover: initialState(),
  };
  const reach = <T>(work: () => Promise<T>) =>
    state.connection === "up" ? work() : Promise.reject(new StoreUnavailable("cut off by the test"));
  const notes: Pick<Store, "note" | "writeNote"> = {
    note: (...asked) => reach(() => store().note(...asked)),
    writeNote: (...asked) => reach(() => store().writeNote(...asked)),
  };
  const freezes = createFreezes({
    store: notes,
    clock: systemClock,
    log: createRecordedLog(),
  });
  const schedules = {
    schedule: (name: string) =>
      createSchedules({
        name,
        store: notes,
        state: () => state.cutover,
        clock: systemClock,
      }),
  };
  const raises = createRaiseDesk(
    {
      ...schedules,
      freezes,
      names: () => ["checkout"],
      isPlanned: () => false,
      deadline: () => undefined,
      window: (_, atMs = Date.now()) => createWindows(windows, occurrences).against(atMs),
      desk: () => {
        throw new Error("there are no plans");
      },
    },
    () => state.connection === "up",
  );
  const noReturns = {
    steps: 0,
    over: () => undefined,
    known: () => undefined,
    first: ({ to }: { readonly to: number }) => to,
    begin: async () => undefined,
    end: async () => {},
  };
  const none = async () => Promise.reject(new Error("there are no plans"));
  return {
    plans: {
      raises,
      returns: noReturns,
      schedule: createScheduleDesk(schedules),
      show: none,
      startable: none,
      start: none,
      pause: none,
    },
    windows,
    get connection() {
      return state.connection;
    },
    set connection(next) {
      state.connection = next;
    },
  };
}

/** What is scheduled of one cutover, as people see, add and cancel it on any instance. */
import { randomBytes } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { StoreUnavailable } from "../../base/errors.ts";
import type { CutoverState } from "../../state/rules/model.ts";
import { standingPercent } from "../../state/rules/routing.ts";
import type { Store } from "../../state/store/port.ts";
import {
  mostWaiting,
  readSchedule,
  type Schedule,
  type Scheduled,
  scheduleText,
  waitingIn,
  withOutcome,
  withScheduled,
} from "../schedule.ts";

interface SchedulesOptions {
  readonly name: string;
  readonly store: Pick<Store, "note" | "writeNote">;
  readonly state: () => CutoverState;
  readonly clock: Pick<Clock, "now">;
}

type Asked = Pick<
  Scheduled,
  "percentThousandths" | "cohort" | "dueMs" | "by" | "reason" | "requestId" | "override"
>;

/** Each call throws StoreUnavailable. */
interface Schedules {
  read(): Promise<Schedule>;
  /** @returns `undefined`: as many wait as may */
  add(asked: Asked): Promise<Scheduled | undefined>;
  /** @returns what was cancelled; `undefined`: it waits no more, or never did */
  cancel(id: string, by: string): Promise<Scheduled | undefined>;
}

const mostAttempts = 5;

export function createSchedules({ name, store, state, clock }: SchedulesOptions): Schedules {
  async function write<T>(
    change: (record: Schedule) => { readonly next: Schedule; readonly answer: T } | undefined,
  ): Promise<T | undefined> {
    for (let attempt = 1; attempt <= mostAttempts; attempt++) {
      const { revision, text } = await store.note(name, "schedule");
      const made = change(readSchedule(text));
      if (made === undefined) return undefined;
      const writing = { text: scheduleText(made.next), ifRevision: revision };
      if ((await store.writeNote(name, "schedule", writing)) === "written") return made.answer;
    }
    throw new StoreUnavailable("the schedule is being changed by others again and again");
  }

  const at = () => new Date(clock.now()).toISOString();

  return {
    read: async () => readSchedule((await store.note(name, "schedule")).text),
    add: (asked) =>
      write((record) => {
        if (waitingIn(record).length >= mostWaiting) return undefined;
        const before = waitingIn(record).findLast(
          ({ cohort, dueMs }) => cohort === asked.cohort && dueMs < asked.dueMs,
        );
        const fromThousandths = before?.percentThousandths ?? standingPercent(state(), asked.cohort);
        const entry = { ...asked, id: randomBytes(4).toString("hex"), askedAt: at(), fromThousandths };
        return { next: withScheduled(record, entry), answer: entry };
      }),
    cancel: (id, by) =>
      write((record) => {
        const entry = waitingIn(record).find((each) => each.id === id);
        const outcome = { kind: "cancelled", at: at(), because: `cancelled by ${by}` } as const;
        const next = withOutcome(record, id, outcome);
        return entry === undefined || next === undefined ? undefined : { next, answer: entry };
      }),
  };
}

/**
 * Sets what is scheduled of one cutover when its time has come, on the instance that leads it: the loop around schedule.ts.
 *
 * The leader reads the schedule every five seconds, and whenever something it knows of is due. Where nothing else watches
 * over the cutover nobody leads it: then each instance reads it every ten seconds, and is a candidate while anything waits.
 */
import type { Clock } from "../../base/clock.ts";
import { errorText, type Log } from "../../base/log.ts";
import type { Leadership } from "../../state/leading/leadership.ts";
import type { Fence } from "../../state/rules/leases/lease.ts";
import type { CutoverState } from "../../state/rules/model.ts";
import type { Store } from "../../state/store/port.ts";
import {
  type Due,
  dueOf,
  isDue,
  type Scheduled,
  type ScheduleOutcome,
  waitingIn,
  withOutcome,
} from "../schedule.ts";
import { createScheduleNote } from "./schedule-note.ts";
import type { Around } from "./steward.ts";

interface TimekeeperOptions extends Pick<Around, "state" | "guard" | "limit" | "legacy" | "closed"> {
  /** The cutover's. */
  readonly name: string;
  readonly store: Pick<Store, "note" | "writeNote" | "apply" | "history">;
  /** `undefined`: nothing watches over the cutover. */
  readonly leadership: () => Pick<Leadership, "fence" | "refused"> | undefined;
  /** Something waits, or nothing any more. */
  readonly onWaiting: (isWaiting: boolean) => void;
  readonly onOver?: (entry: Scheduled, outcome: ScheduleOutcome) => void;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Timekeeper {
  /** Never rejects. */
  look(): Promise<void>;
}

const leaderReadsEachMs = 5000;
const othersReadEachMs = 10_000;
const lookBack = 100;
/** Between an instance's clock and the store's. */
const mostSkewMs = 60_000;

export function createTimekeeper(options: TimekeeperOptions): Timekeeper {
  const { name, store, clock, log } = options;
  const note = createScheduleNote(options);
  let readAtMs = Number.NEGATIVE_INFINITY;
  /** What has kept each that is due, by its id. */
  const kept = new Map<string, string>();

  async function read(): Promise<number> {
    readAtMs = clock.monotonic();
    const revision = await note.read();
    options.onWaiting(waitingIn(note.known()).length > 0);
    return revision;
  }

  async function end(
    entry: Scheduled,
    outcome: Pick<ScheduleOutcome, "kind" | "because">,
    fence: Fence,
  ): Promise<void> {
    kept.delete(entry.id);
    const ifRevision = await read();
    const told = { ...outcome, at: new Date(clock.now()).toISOString() };
    const next = withOutcome(note.known(), entry.id, told);
    // Somebody has cancelled it in this very moment.
    if (next === undefined) return;
    const written = await note.write(next, ifRevision, fence);
    if (written === "fenced") options.leadership()?.refused(fence);
    // The next look finds it due still, and what was made in the history.
    if (written !== "written") return;
    const said = { cutover: name, id: entry.id, outcome: told.kind, because: told.because };
    if (told.kind === "made") log.info(said, "what was scheduled was made");
    else log.warn(said, "what was scheduled was not made");
    options.onOver?.(entry, told);
  }

  async function make(
    entry: Scheduled,
    { change }: Extract<Due, { kind: "make" }>,
    fence: Fence,
  ): Promise<void> {
    const { by, reason, requestId } = entry;
    const applied = await store.apply({
      ...{ name, change, reason, fence, ifVersion: options.state().version },
      actor: { name: by, role: "operator" },
      origin: { via: "schedule", requestId },
    });
    if (applied.accepted) return await end(entry, { kind: "made", because: "its time had come" }, fence);
    if (applied.code === "fenced") return options.leadership()?.refused(fence);
    kept.set(entry.id, `refused (${applied.code})`);
  }

  async function keep(entry: Scheduled, fence: Fence): Promise<void> {
    if (await isMade(store, name, entry)) {
      return await end(entry, { kind: "made", because: "its time had come" }, fence);
    }
    const state: CutoverState = options.state();
    const situation = {
      state,
      guard: await options.guard(),
      legacy: await options.legacy(),
      limit: options.limit?.(),
      ...(await options.closed()),
    };
    const due = dueOf(entry, situation, { because: kept.get(entry.id), nowMs: clock.now() });
    if (due.kind === "over") return await end(entry, due.outcome, fence);
    if (due.kind === "make") return await make(entry, due, fence);
    kept.set(entry.id, due.because);
  }

  return {
    async look() {
      const leadership = options.leadership();
      const fence = leadership?.fence();
      // Whoever leads it reads it.
      if (leadership !== undefined && fence === undefined) return;
      const eachMs = fence === undefined ? othersReadEachMs : leaderReadsEachMs;
      const isNear = note.known().entries.some((entry) => isDue(entry, clock.now()));
      if (!isNear && clock.monotonic() - readAtMs < eachMs) return;
      try {
        await read();
        if (fence === undefined) return;
        for (const entry of waitingIn(note.known())) {
          if (isDue(entry, clock.now())) await keep(entry, fence);
        }
      } catch (error) {
        // What was sent may have been made: the history says.
        log.warn({ cutover: name, error: errorText(error) }, "the schedule could not be looked at");
      }
    },
  };
}

async function isMade(
  store: Pick<Store, "history">,
  name: string,
  { requestId, askedAt }: Scheduled,
): Promise<boolean> {
  const history = await store.history(name, lookBack, Date.parse(askedAt) - mostSkewMs);
  return history.some((entry) => entry.via === "schedule" && entry.requestId === requestId);
}

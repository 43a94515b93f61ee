/** The gradual returns of an instance: one for each cutover that is configured to lower little by little. */
import { randomBytes } from "node:crypto";
import { type Clock, systemTimers, type Timers } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Config } from "../../config/schema.ts";
import type { Following } from "../../state/follow/snapshot.ts";
import type { Leaderships } from "../../state/leading/leaderships.ts";
import { initialState } from "../../state/rules/model.ts";
import type { Store } from "../../state/store/port.ts";
import { begunReturn, partAt, type ReturnPart, type ReturnRecord } from "./return.ts";
import { createReturner, type Returner } from "./returner.ts";

interface ReturnsOptions {
  readonly store: Pick<Store, "note" | "writeNote" | "apply">;
  readonly follower: Pick<Following, "current">;
  readonly leaderships: Pick<Leaderships, "of">;
  readonly clock: Clock;
  readonly timers?: Timers;
  readonly log: Log;
}

interface Begun {
  readonly kind: ReturnRecord["kind"];
  readonly by: string;
  readonly reason: string;
  readonly parts: readonly ReturnPart[];
  /** How many steps were made by whoever asks. */
  readonly made: number;
  /** Of the cutover, after them. */
  readonly version: number;
}

interface Returns {
  /** Over how many ms the cutover lowers; `undefined`: at once. */
  over(name: string): number | undefined;
  /** What is returning, as far as is known here; `undefined`: nothing. */
  known(name: string): ReturnRecord | undefined;
  /** Where the first step of it ends, in thousandths. */
  first(part: ReturnPart): number;
  /** @returns `undefined`: somebody was faster, several times over. @throws StoreUnavailable */
  begin(name: string, asked: Begun): Promise<ReturnRecord | undefined>;
  /** What is lowered is to stay where it stands. @throws StoreUnavailable */
  end(name: string, because: string): Promise<void>;
  /** Looks no more. */
  stop(): void;
}

const lookEachMs = 500;
const mostAttempts = 5;

/** @param config the configuration in force, asked at each use */
export function createReturns(config: () => Pick<Config, "cutovers">, options: ReturnsOptions): Returns {
  const { follower, leaderships, clock, timers = systemTimers } = options;
  const returners = new Map<string, Returner>();
  let isStopped = false;

  const over = (name: string) => config().cutovers[name]?.return?.over;

  function returnerOf(name: string): Returner {
    const known = returners.get(name);
    if (known !== undefined) return known;
    const made = createReturner({
      ...options,
      name,
      state: () => follower.current().states.get(name) ?? initialState(),
      leadership: () => leaderships.of(name),
    });
    returners.set(name, made);
    return made;
  }

  async function look(): Promise<void> {
    const names = Object.keys(config().cutovers).filter((name) => over(name) !== undefined);
    await Promise.all(names.map((name) => returnerOf(name).look()));
    if (!isStopped) cancel = timers.after(lookEachMs, () => void look());
  }

  let cancel = timers.after(0, () => void look());
  return {
    over,
    known: (name) => (over(name) === undefined ? undefined : returnerOf(name).known()),
    first: (part) => partAt(part, 1),
    async begin(name, asked) {
      const overMs = over(name);
      if (overMs === undefined) return undefined;
      const at = new Date(clock.now()).toISOString();
      const id = randomBytes(4).toString("hex");
      const returner = returnerOf(name);
      for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
        const { revision, record } = await returner.read();
        const state = follower.current().states.get(name) ?? initialState();
        const begun = begunReturn(record, { ...asked, id, at, overMs, state });
        if (await returner.write(begun, revision)) return begun;
      }
      return undefined;
    },
    async end(name, because) {
      const returner = returnerOf(name);
      for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
        const { revision, record } = await returner.read();
        if (record?.status !== "running" || record.kind !== "lower") return;
        if (await returner.write({ ...record, status: "ended", because }, revision)) return;
      }
    },
    stop() {
      isStopped = true;
      cancel();
    },
  };
}

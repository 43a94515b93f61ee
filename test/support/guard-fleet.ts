/** Instances with a guard each, on one memory store and over fake time: attempts in, changes of the store out. */
import { StoreUnavailable } from "../../src/base/errors.ts";
import type { Config } from "../../src/config/schema.ts";
import { createChance } from "../../src/guard/simulate/chance.ts";
import type { GuardAction } from "../../src/guard/verdict/verdict.ts";
import { openGuard } from "../../src/guard/watch/guard.ts";
import { createTellings } from "../../src/guard/watch/tellings.ts";
import { createAttemptsWindow } from "../../src/guard/window/attempts.ts";
import { createJourneysWindow } from "../../src/guard/window/journeys.ts";
import { createSlowWindow } from "../../src/guard/window/slow.ts";
import { toldOfStratum } from "../../src/guard/window/told.ts";
import type { LocalWrites } from "../../src/state/follow/local-changes.ts";
import { createRoll } from "../../src/state/follow/roll.ts";
import { createLeaderships } from "../../src/state/leading/leaderships.ts";
import type { InstanceRecord } from "../../src/state/rules/completion.ts";
import { type Actor, type Change, type CutoverState, initialState } from "../../src/state/rules/model.ts";
import { createMemoryStore } from "../../src/state/store/in-process.ts";
import type { Store } from "../../src/state/store/port.ts";
import { createManualTime, type ManualTime } from "./manual-time.ts";
import { createRecordedLog } from "./recorded-log.ts";

export interface GuardWishes {
  readonly action?: GuardAction;
  readonly budget?: number;
  readonly tolerance?: number;
  /** Of an answer. */
  readonly sloMs?: number;
  /** Where the cutover stands. */
  readonly percent?: number;
}

const blockMs = 2000;

function configOf({ action, budget = 0.01, tolerance = 1, sloMs }: GuardWishes): Pick<Config, "cutovers"> {
  const guard = {
    ...{ budget, tolerance, maxErrorRate: 0.1, minFailures: 3, block: blockMs, sloTimeout: 10_000 },
    ...(action === undefined ? {} : { action }),
    ...(sloMs === undefined ? {} : { latency: { slo: sloMs } }),
  };
  const routes = [{ journey: { start: {} } }, { journey: { end: {} } }];
  return { cutovers: { checkout: { guard, routes } } } as unknown as Pick<Config, "cutovers">;
}

/** @param seed of who fails */
export async function createGuardFleet(size = 1, wishes: GuardWishes = {}, seed = 1) {
  const time = createManualTime();
  const store = createMemoryStore({ clock: time });
  const chance = createChance(seed);
  let nextBucket = 0;
  const ask = async (change: Change, actor: Actor = { name: "ana", role: "admin" }) => {
    await store.apply({ name: "checkout", change, actor, reason: "test" });
    await time.advance(0);
  };
  const { percent = 50 } = wishes;
  await ask({ action: "set", percentThousandths: percent * 1000 });
  const instances = await Promise.all(
    Array.from({ length: size }, (_, n) => join({ store, time, id: `i${n}`, phaseMs: 311 * n, wishes })),
  );
  await time.advance(0);

  /** 20 attempts a second, each by another shopper. @param failing the shares that fail at once */
  async function serve(
    seconds: number,
    failing: { readonly legacy: number; readonly onNew: number },
    by: readonly { readonly arrived: Attempt }[] = instances,
  ) {
    for (let step = 0; step < seconds * 10; step += 1) {
      for (const side of ["legacy", "onNew"] as const) {
        nextBucket = (nextBucket + 1) % 100_000;
        by[nextBucket % by.length]?.arrived(side, nextBucket, chance.uniform() < failing[side]);
      }
      await time.advance(100);
    }
  }
  /**
   * 20 journeys a second begin, and pay some seconds later, each on whichever instance.
   *
   * @param paying the shares of them that pay
   */
  async function shop(
    seconds: number,
    paying: { readonly legacy: number; readonly onNew: number },
    by: readonly Pick<(typeof instances)[number], "begins" | "pays">[] = instances,
  ) {
    const medianMs = 3000;
    for (let step = 0; step < seconds * 10; step += 1) {
      for (let n = 0; n < 2; n += 1) {
        nextBucket = (nextBucket + 1) % 100_000;
        const bucket = nextBucket;
        const side = chance.uniform() < percent / 100 ? "onNew" : "legacy";
        const minute = by[bucket % by.length]?.begins(side, bucket);
        if (minute === undefined || chance.uniform() >= paying[side]) continue;
        const payer = by[Math.floor(chance.uniform() * by.length)];
        time.after(medianMs * Math.exp(0.7 * chance.normal()), () => payer?.pays(side, bucket, minute));
      }
      await time.advance(100);
    }
  }
  const [first] = instances;
  if (first === undefined) throw new RangeError("a fleet of none");
  return {
    ...{ time, store, instances, first, ask, serve, shop, join },
    history: () => store.history("checkout", 20),
    state: first.state,
    leader: () => instances.find((each) => each.leads()),
    another: (more: GuardWishes, n = instances.length) =>
      join({ store, time, id: `i${n}`, phaseMs: 311 * n, wishes: { ...wishes, ...more } }),
  };
}

type Attempt = (side: "legacy" | "onNew", bucket: number, fails: boolean, hangs?: boolean) => void;

interface Joining {
  readonly store: Store;
  readonly time: ManualTime;
  readonly id: string;
  /** When in a second it writes its record; and its host's clock is as much ahead. */
  readonly phaseMs: number;
  readonly wishes: GuardWishes;
}

async function join({ store, time, id, phaseMs, wishes }: Joining) {
  const config = configOf(wishes);
  const log = createRecordedLog();
  const of = { isCutOff: false, isFrozen: false, isDead: false };
  const late: (() => void)[] = [];
  const local: Parameters<LocalWrites["makeLocally"]>[0][] = [];
  let state: CutoverState = initialState();
  let fleetAsks = 0;

  async function reach<T>(work: () => Promise<T>): Promise<T> {
    if (of.isDead) return new Promise(() => {});
    fleetAsks += 1;
    if (of.isCutOff) throw new StoreUnavailable("cut off");
    return work();
  }
  const reached: Pick<Store, "apply" | "instances" | "keep" | "kept" | "lease" | "release"> = {
    apply: (command) =>
      reach(async () => {
        const applied = await store.apply(command);
        await read();
        return applied;
      }),
    instances: () => reach(() => store.instances()),
    keep: (fence, text) => reach(() => store.keep(fence, text)),
    kept: (lease) => reach(() => store.kept(lease)),
    lease: (...args) => reach(() => store.lease(...args)),
    release: (...args) => reach(() => store.release(...args)),
  };
  const timers = {
    after: (ms: number, run: () => void) =>
      time.after(ms, () => {
        if (of.isFrozen) late.push(run);
        else if (!of.isDead) run();
      }),
  };

  const quickAfterMs = 1000;
  const window = createAttemptsWindow({ blockMs, quickAfterMs, lateAfterMs: 10_000 });
  const journeys = createJourneysWindow({ blockMs, paidAfterMs: quickAfterMs });
  const { sloMs } = wishes;
  const slow =
    sloMs === undefined ? undefined : createSlowWindow({ blockMs, sloMs, slowAfterMs: sloMs + quickAfterMs });
  const hostMs = () => time.monotonic() + 1_000_000 + 2000 * phaseMs;
  const report = () => {
    const now = hostMs();
    const told = [window.report(now), slow?.report(now) ?? [], journeys.report(now)] as const;
    return toldOfStratum(undefined, ...told, []);
  };
  const roll = createRoll(time);
  const tellings = createTellings(config, { counting: { nowMs: hostMs, report }, storeMs: roll.nowMs });
  const leaderships = createLeaderships({
    ...{ store: reached, instance: id, roll, clock: time, timers, log },
    onChange: () => void beat(),
  });

  async function read(): Promise<void> {
    if (of.isCutOff || of.isDead) return;
    const { states } = await store.load(["checkout"], new Map());
    const next = states.get("checkout") ?? state;
    if (next.percentThousandths !== state.percentThousandths) {
      for (const each of [window, slow, journeys]) each?.renew();
    }
    if (next.version > state.version) state = next;
  }
  async function beat(): Promise<void> {
    if (of.isCutOff || of.isDead || of.isFrozen) return;
    const moments = { startedAt: "", seenAt: "" };
    const versions = { checkout: state.version };
    const parts = { ...leaderships.forRecord(), ...tellings.forRecord() };
    // As it comes back from a store that keeps texts.
    const record: InstanceRecord = JSON.parse(
      JSON.stringify({ id, ...moments, versions, traffic: {}, ...parts }),
    );
    await store.acknowledge(record);
    roll.saw(await store.roster());
  }
  const beats = () => {
    void beat();
    timers.after(1000, beats);
  };

  await read();
  store.subscribe(() => void read());
  timers.after(phaseMs % 1000, beats);
  leaderships.configure(["checkout"]);
  const guard = openGuard(config, {
    ...{ instance: id, store: reached, roll, leaderships, tellings, log },
    follower: {
      current: () => ({ states: new Map([["checkout", state]]) }),
      contact: () => ({ up: !of.isCutOff, stalenessMs: 0 }),
      makeLocally(asked) {
        local.push(asked);
        state = { ...state, state: asked.action === "hold" ? "held" : "rolled_back", percentThousandths: 0 };
        return { accepted: true, changed: true, state };
      },
    },
    metrics: { judged: () => {}, split: () => {}, acted: () => {}, found: () => {}, configure: () => {} },
    audit: { madeLocally: () => {} },
    announce: () => void beat(),
    timers,
    clock: time,
  });
  const arrived: Attempt = (side, bucket, fails, hangs = false) => {
    if (of.isDead || of.isFrozen) return;
    const now = hostMs();
    window.arrived(now, side, bucket);
    slow?.arrived(now, side, bucket);
    if (fails) window.failed(now, now, side, bucket);
    if (!hangs) slow?.ended(now, now, side, bucket);
  };
  /** @returns the minute of the journey */
  const begins = (side: "legacy" | "onNew", bucket: number) => {
    if (of.isDead || of.isFrozen) return undefined;
    const minute = Math.floor(time.now() / 60_000);
    journeys.begun(hostMs(), side, bucket, minute, state.percentThousandths);
    return minute;
  };
  const pays = (side: "legacy" | "onNew", bucket: number, minute: number) => {
    if (of.isDead || of.isFrozen) return;
    journeys.paid(hostMs(), side, bucket, minute, state.percentThousandths);
  };
  return {
    ...{ id, of, guard, local, lines: log.lines, arrived, begins, pays },
    state: () => state,
    leads: () => !of.isDead && leaderships.of("checkout")?.fence() !== undefined,
    known: () => guard.known("checkout"),
    asks: () => fleetAsks,
    async stop() {
      guard.stop();
      await leaderships.stop();
      of.isDead = true;
      await store.leave(id);
    },
    thaw() {
      of.isFrozen = false;
      for (const run of late.splice(0)) run();
    },
  };
}

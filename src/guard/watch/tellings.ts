/**
 * What this instance tells the fleet of each guarded cutover, in the record that it writes each second anyway: what its
 * processes have counted of late, and what it makes of everybody's counts while it leads.
 */
import { createHash } from "node:crypto";
import * as z from "zod";
import { followsJourneys } from "../../config/cutover-schema.ts";
import type { Config, CutoverConfig } from "../../config/schema.ts";
import type { InstanceRecord } from "../../state/rules/completion.ts";
import type { WindowTimes } from "../window/attempts.ts";
import type { GuardCounting, GuardReports } from "../window/counting.ts";
import { createFleetBlocks } from "../window/fleet-blocks.ts";
import { mergedBlocks, type ToldBlocks, written, writtenBlocks } from "../window/told.ts";
import type { FleetJudgement } from "./fleet-judgement.ts";
import { toldJourneys } from "./told-journeys.ts";

export type GuardConfig = NonNullable<CutoverConfig["guard"]>;

export interface Tellings {
  /** What another process of this instance has counted, all of it that is told of still. */
  hear(worker: number, reports: GuardReports): void;
  gone(worker: number): void;
  /** What all processes of this instance have counted. */
  told(cutover: string): ToldBlocks;
  /** What every instance tells of journeys begun and paid. @param self this instance's id */
  journeys(
    cutover: string,
    records: readonly InstanceRecord[],
    self: string,
  ): ReturnType<typeof toldJourneys>;
  /** The clock by which the fleet tells the cutover's blocks apart, in ms. */
  nowMs(cutover: string): number;
  /** As the leader; `undefined`: it does not lead, or nothing is judged. */
  judge(cutover: string, judged: FleetJudgement | undefined): void;
  forRecord(): Pick<InstanceRecord, "guard">;
  configure(config: Pick<Config, "cutovers">): void;
}

/** What an instance's record says of one cutover. `judged` is read by whoever shows it. */
export const guardTold = z.object({
  /** Alike where guards are configured alike. */
  config: z.string(),
  blockMs: z.number(),
  lateAfterMs: z.number(),
  sloMs: z.number().optional(),
  throughMs: z.number(),
  blocks: writtenBlocks,
});

/** After a block's end, when its quick look is. */
const quickAfterMs = 1000;
/** What another process has counted is heard within so long. */
const behindMs = 300;

/** What of a cutover's configuration the guard counts by. */
export type GuardedCutover = Pick<CutoverConfig, "routes"> & { readonly guard: GuardConfig };

export function timesOf({ guard, routes }: GuardedCutover): WindowTimes {
  const { block, sloTimeout, latency, paid = true } = guard;
  return {
    ...{ blockMs: block, quickAfterMs, lateAfterMs: sloTimeout },
    ...(latency === undefined ? {} : { sloMs: latency.slo }),
    followsJourneys: paid && followsJourneys(routes),
  };
}

/** 8 hex digits: the same for guards that are configured alike and follow alike. */
export function guardDigest(of: GuardedCutover): string {
  const { followsJourneys: follows } = timesOf(of);
  return createHash("sha256")
    .update(JSON.stringify([of.guard, follows]))
    .digest("hex")
    .slice(0, 8);
}

interface TellingsOptions {
  /** Of this process. */
  readonly counting: Pick<GuardCounting, "report" | "nowMs">;
  /** The store's clock, since the epoch. */
  readonly storeMs: () => number;
}

interface Telling {
  readonly times: WindowTimes;
  readonly config: string;
  readonly blocks: ReturnType<typeof createFleetBlocks>;
}

export function createTellings(
  config: Pick<Config, "cutovers">,
  { counting, storeMs }: TellingsOptions,
): Tellings {
  const workers = new Map<number, GuardReports>();
  const judgements = new Map<string, FleetJudgement>();
  const known = new Map<string, Telling>();

  function configure({ cutovers }: Pick<Config, "cutovers">): void {
    for (const name of known.keys()) if (cutovers[name]?.guard === undefined) known.delete(name);
    for (const [name, { guard, routes }] of Object.entries(cutovers)) {
      if (guard === undefined) continue;
      const digest = guardDigest({ guard, routes });
      const times = timesOf({ guard, routes });
      const before = known.get(name);
      const blocks =
        before?.config === digest
          ? before.blocks
          : createFleetBlocks({ blockMs: guard.block, hostMs: counting.nowMs, storeMs });
      known.set(name, { times, config: digest, blocks });
    }
  }

  function toldOf(name: string, { blocks }: Telling): ToldBlocks {
    const others = [...workers.values()].map((each) => each[name] ?? []);
    const throughMs = blocks.nowMs() - (workers.size === 0 ? 0 : behindMs);
    return { throughMs, blocks: blocks.numbered(mergedBlocks([counting.report(name), ...others])) };
  }

  configure(config);
  return {
    hear: (worker, counted) => void workers.set(worker, counted),
    gone: (worker) => void workers.delete(worker),
    told(cutover) {
      const telling = known.get(cutover);
      return telling === undefined ? { throughMs: storeMs(), blocks: [] } : toldOf(cutover, telling);
    },
    journeys(cutover, records, self) {
      const telling = known.get(cutover);
      if (telling?.times.followsJourneys !== true) return [];
      const own = { ...toldOf(cutover, telling), blockMs: telling.times.blockMs };
      return toldJourneys(cutover, records, self, own);
    },
    nowMs: (cutover) => known.get(cutover)?.blocks.nowMs() ?? storeMs(),
    judge(cutover, judged) {
      if (judged === undefined) judgements.delete(cutover);
      else judgements.set(cutover, judged);
    },
    forRecord() {
      if (known.size === 0) return {};
      const guard = Object.fromEntries(
        [...known].map(([name, telling]) => {
          const { throughMs, blocks } = toldOf(name, telling);
          const { blockMs, lateAfterMs, sloMs } = telling.times;
          const judged = judgements.get(name);
          const times = { blockMs, lateAfterMs, ...(sloMs === undefined ? {} : { sloMs }) };
          const told = { config: telling.config, ...times, throughMs, blocks: written(blocks) };
          return [name, { ...told, ...(judged === undefined ? {} : { judged }) }];
        }),
      );
      return { guard };
    },
    configure,
  };
}

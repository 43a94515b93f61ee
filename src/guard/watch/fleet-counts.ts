/**
 * What the leader has heard of everybody's counts: by each record that it reads, and of an instance that has fallen silent
 * what it told last.
 */
import {
  byId,
  type InstanceRecord,
  leaseEndsAtMs,
  type RosterMember,
  rememberMs,
} from "../../state/rules/completion.ts";
import type { WindowTimes } from "../window/attempts.ts";
import { blocksFrom, type ToldBlocks } from "../window/told.ts";
import { guardTold } from "./tellings.ts";

/** Who is known of the fleet. */
type Member = RosterMember & { readonly isLapsed: boolean };

interface FleetCountsOptions {
  readonly cutover: string;
  /** This instance's id: what it has counted is taken from itself. */
  readonly self: string;
  readonly times: WindowTimes;
  /** This instance's own digest of the guard's configuration. */
  readonly config: string;
}

export interface FleetCounts {
  /** The records that are there now, all of them. */
  read(records: readonly InstanceRecord[]): void;
  /** What there is to look at; of those who are not there any more nothing is waited for. */
  told(own: ToldBlocks): readonly ToldBlocks[];
  /** Whether somebody tells of failures on new in a block from this one on. */
  isFailing(own: ToldBlocks, fromBlock: number): boolean;
  /**
   * Names of those whose counts are missing, and whether one of them is there, or was so lately that the store knows it: of
   * one that has died for good the store forgets the record, and nothing waits for it any more.
   *
   * @param nowMs the store's clock
   */
  silent(
    members: readonly Member[],
    nowMs: number,
  ): { readonly names: readonly string[]; readonly isBlind: boolean };
  /** Names of those whose guard is configured otherwise. */
  differing(): readonly string[];
  /** What nobody will tell again, from this block on: the own counts, and those of who has gone. */
  toKeep(own: ToldBlocks, fromBlock: number): Readonly<Record<string, ToldBlocks>>;
}

function isAlike(
  told: Pick<WindowTimes, "blockMs" | "lateAfterMs"> & { sloMs?: number | undefined },
  own: WindowTimes,
) {
  return told.blockMs === own.blockMs && told.lateAfterMs === own.lateAfterMs && told.sloMs === own.sloMs;
}

interface Known {
  readonly told: ToldBlocks;
  readonly isThere: boolean;
}

export function createFleetCounts(
  { cutover, self, times, config }: FleetCountsOptions,
  kept: Readonly<Record<string, ToldBlocks>>,
): FleetCounts {
  const known = new Map<string, Known>(
    Object.entries(kept).map(([id, told]) => [id, { told, isThere: false }]),
  );
  /** Names of those who are there and do not tell, or tell of blocks of another length. */
  let mute: readonly string[] = [];
  let differing: readonly string[] = [];
  known.delete(self);

  const gone = () => [...known].flatMap(([id, { told, isThere }]) => (isThere ? [] : [[id, told] as const]));

  return {
    read(records) {
      for (const [id, { told }] of known) known.set(id, { told, isThere: false });
      const muted: string[] = [];
      const different: string[] = [];
      for (const { id, name = id, versions, guard } of [...records].sort(byId)) {
        if (id === self || versions[cutover] === undefined) continue;
        const read = guardTold.safeParse(guard?.[cutover]).data;
        if (read?.config !== config) different.push(name);
        if (read === undefined || !isAlike(read, times)) {
          muted.push(name);
          continue;
        }
        const told = { throughMs: read.throughMs, blocks: blocksFrom(read.blocks) };
        known.set(id, { told, isThere: true });
      }
      mute = muted;
      differing = different;
    },
    told(own) {
      const others = [...known.values()].map(({ told, isThere }) => {
        return isThere ? told : { ...told, throughMs: Number.POSITIVE_INFINITY };
      });
      return [own, ...others];
    },
    isFailing(own, fromBlock) {
      return [own, ...[...known.values()].map(({ told }) => told)].some(({ blocks }) =>
        blocks.some(({ block, onNew }) => block >= fromBlock && onNew.late.length > 0),
      );
    },
    silent(members, nowMs) {
      const away = members.filter((member) => {
        if (member.id === self || !member.isLapsed || member.versions[cutover] === undefined) return false;
        // From then on it sends nobody to new.
        const endsAtMs = leaseEndsAtMs(member, cutover);
        return endsAtMs === undefined || nowMs < endsAtMs;
      });
      const isAwaited = away.some((member) => nowMs < member.seenAtMs + rememberMs(member));
      return {
        names: [...mute, ...away.map(({ id, name = id }) => name)],
        isBlind: mute.length > 0 || isAwaited,
      };
    },
    differing: () => differing,
    toKeep(own, fromBlock) {
      const pending = ({ throughMs, blocks }: ToldBlocks): ToldBlocks => ({
        throughMs,
        blocks: blocks.filter(({ block }) => block >= fromBlock),
      });
      const rest = gone().map(([id, told]) => [id, pending(told)] as const);
      for (const [id, { blocks }] of rest) if (blocks.length === 0) known.delete(id);
      return Object.fromEntries([
        [self, pending(own)],
        ...rest.filter(([, { blocks }]) => blocks.length > 0),
      ]);
    },
  };
}

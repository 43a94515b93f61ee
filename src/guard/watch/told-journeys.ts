/** What instances tell of journeys begun and paid, for whoever shows it: by block, each told several times alike. */
import * as z from "zod";
import type { InstanceRecord } from "../../state/rules/completion.ts";
import { journeyRow, type ToldBlocks } from "../window/told.ts";

interface ToldJourneys {
  /** The instance's id. */
  readonly instance: string;
  /** Of blocks that are over: nothing is added to them. */
  readonly blocks: readonly {
    /** Tells it from the instance's others. */
    readonly key: string;
    readonly rows: readonly z.output<typeof journeyRow>[];
  }[];
}

const toldBlocks = z.object({
  blockMs: z.number(),
  throughMs: z.number(),
  blocks: z.array(z.tuple([z.int(), z.unknown(), z.unknown()], z.unknown())),
});
const more = z.object({ of: z.string().optional(), journeys: z.array(journeyRow).max(200) });

/** @param self this instance's id: what it has counted is taken from itself */
export function toldJourneys(
  cutover: string,
  records: readonly InstanceRecord[],
  self: string,
  own: ToldBlocks & { readonly blockMs: number },
): ToldJourneys[] {
  const isOver = (block: number, told: { readonly blockMs: number; readonly throughMs: number }) =>
    (block + 1) * told.blockMs <= told.throughMs;
  const others = records.flatMap(({ id, guard }): ToldJourneys[] => {
    const told = id === self ? undefined : toldBlocks.safeParse(guard?.[cutover]).data;
    if (told === undefined) return [];
    const blocks = told.blocks.flatMap(([block, , , rest]) => {
      const { data } = more.safeParse(rest);
      if (data === undefined || !isOver(block, told)) return [];
      return [{ key: keyOf(block, data.of), rows: data.journeys }];
    });
    return [{ instance: id, blocks }];
  });
  const blocks = own.blocks.flatMap(({ block, of, journeys }) => {
    if (journeys === undefined || !isOver(block, own)) return [];
    return [{ key: keyOf(block, of), rows: journeys.map((row): z.output<typeof journeyRow> => [...row]) }];
  });
  return [{ instance: self, blocks }, ...others];
}

function keyOf(block: number, of = ""): string {
  return `${block} ${of}`;
}

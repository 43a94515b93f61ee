/**
 * What a leader leaves to the next one, beside the lease: the evidence to the last bit, and the counts that would be lost
 * with whoever told them. At most some 200 kB, and a few while all is well.
 */
import * as z from "zod";
import { jsonOf } from "../../base/json.ts";
import { stateNames } from "../../state/rules/model.ts";
import { longestKept } from "../../state/store/port.ts";
import { keptBucketsSchema } from "../window/buckets.ts";
import { blocksFrom, type ToldBlocks, written, writtenBlocks } from "../window/told.ts";
import type { InquiryState } from "./inquiry.ts";

interface Course {
  /** How the guard of the one that left it is configured, and that part of it that the evidence hangs on. */
  readonly config: string;
  readonly sense: string;
  readonly inquiry: InquiryState;
  /** By the instance's id: of those whose records will not be there any more. */
  readonly heard: Readonly<Record<string, ToldBlocks>>;
}

const number = z.number();
const tally = z.object({ units: number, failed: number });
const sides = z.object({ legacy: tally, onNew: tally });
const stream = z.object({
  day: z.object({ blocks: number, steps: number }),
  left: number,
  processes: z.array(z.object({ mixture: z.array(number), endless: z.array(number), spent: number })),
  failed: number,
});
const payments = z.object({
  ...{ begunOnLegacy: number, paidOnLegacy: number },
  ...{ begunOnNew: number, paidOnNew: number, wouldBePaid: number },
});
const look = z.object({
  next: z.int(),
  step: z.int().optional(),
  legacy: keptBucketsSchema,
  onNew: keptBucketsSchema,
});

const inquirySchema = z.object({
  standing: z.object({
    state: z.enum(stateNames),
    percentThousandths: z.int(),
    cohorts: z.record(z.string(), z.int()).exactOptional(),
  }),
  evidence: z.object({
    streams: z.object({ quick: stream, late: stream, slow: stream, paid: stream }),
    sides: z.object({ quick: sides, late: sides }),
    excess: z.object({ legacy: z.array(tally), blocks: number, since: tally, growth: number }),
  }),
  gate: z.object({ logs: z.array(number) }),
  cohorts: z.object({
    cohorts: z.array(z.tuple([z.string(), z.boolean(), number, number, number, number, number, number])),
    dropped: payments,
  }),
  shares: z.object({ shares: z.array(z.tuple([z.string(), number, number, number, number])) }),
  looks: z.object({ quick: look, late: look, slow: look.optional(), paid: look.optional() }),
  hasPassedAStep: z.boolean(),
  hasActed: z.boolean(),
  firstFailureMs: number.optional(),
});

const keptSchema = z.object({
  format: z.literal(2),
  config: z.string(),
  sense: z.string(),
  inquiry: inquirySchema,
  heard: z.record(z.string(), z.object({ throughMs: number, blocks: writtenBlocks })),
});

/** @returns a text that fits beside a lease */
export function courseText({ heard, ...course }: Course): string {
  const told = Object.entries(heard).map(([id, { throughMs, blocks }]) => {
    return [id, { throughMs, blocks: written(blocks) }] as const;
  });
  const text = JSON.stringify({ format: 2, ...course, heard: Object.fromEntries(told) });
  if (text.length <= longestKept) return text;
  // The evidence itself is bounded; of counts that nobody will tell again some seconds are lost.
  return JSON.stringify({ format: 2, ...course, heard: {} });
}

/** @returns `undefined` when it does not read: another release's, or somebody else's */
export function courseFrom(text: string): Course | undefined {
  const read = keptSchema.safeParse(jsonOf(text));
  if (!read.success) return undefined;
  const { config, sense, inquiry, heard } = read.data;
  const told = Object.entries(heard).map(([id, { throughMs, blocks }]) => {
    return [id, { throughMs, blocks: blocksFrom(blocks) }] as const;
  });
  return { config, sense, inquiry, heard: Object.fromEntries(told) };
}

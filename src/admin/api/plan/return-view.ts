/** A gradual return, as the API shows it (zod), and what the API asks of whoever makes them. */
import * as z from "zod";
import { percentToNumber } from "../../../state/rules/percent.ts";

const returnedPart = z.object({
  cohort: z.string().optional().meta({ description: "Whose percent; absent: the cutover's own" }),
  from: z.number(),
  to: z.number(),
});

const returningView = z
  .object({
    kind: z.enum(["lower", "rollback"]).meta({
      description: "`rollback`: raises are latched, and it is rolled back once it is at 0",
    }),
    parts: z.array(returnedPart),
    step: z.int().meta({ description: "How many steps are made" }),
    steps: z.int(),
    overSeconds: z.number(),
    startedAt: z.string().meta({ description: "RFC 3339" }),
    by: z.string(),
    reason: z.string(),
  })
  .meta({ description: "`percent` is what is in force now, and falls with each step" });
export type ReturningView = z.output<typeof returningView>;

export const returningField = {
  returning: returningView.optional().meta({ description: "A gradual return; absent: nothing returns" }),
};

/** As whoever makes the steps knows it; percents in thousandths. */
interface Returned {
  readonly kind: "lower" | "rollback";
  readonly parts: readonly ReturnedPart[];
  readonly made: number;
  readonly overMs: number;
  readonly startedAt: string;
  readonly by: string;
  readonly reason: string;
}

interface ReturnedPart {
  readonly cohort?: string | undefined;
  readonly from: number;
  readonly to: number;
}

interface BegunBy extends Pick<Returned, "kind" | "parts" | "made" | "by" | "reason"> {
  /** Of the cutover, after the steps that are made. */
  readonly version: number;
}

export interface ReturnDesk {
  readonly steps: number;
  /** Over how many ms the cutover lowers; `undefined`: at once. */
  over(name: string): number | undefined;
  /** As far as is known here. */
  known(name: string): Returned | undefined;
  /** Where the first step of it ends. */
  first(part: ReturnedPart): number;
  /** @returns `undefined`: somebody was faster, several times over. @throws StoreUnavailable */
  begin(name: string, asked: BegunBy): Promise<Returned | undefined>;
  /** What is lowered is to stay where it stands. @throws StoreUnavailable */
  end(name: string, because: string): Promise<void>;
}

export function returningViewOf(
  { kind, parts, made, overMs, startedAt, by, reason }: Returned,
  steps: number,
): ReturningView {
  return {
    kind,
    parts: parts.map(({ from, to, ...whose }) => ({
      ...whose,
      from: percentToNumber(from),
      to: percentToNumber(to),
    })),
    ...{ step: made, steps, overSeconds: overMs / 1000, startedAt, by, reason },
  };
}

/** Its part of a cutover's view; none where nothing returns. */
export function returningIn({ known, steps }: Pick<ReturnDesk, "known" | "steps">, name: string) {
  const found = known(name);
  return found === undefined ? {} : { returning: returningViewOf(found, steps) };
}

/** `returning from 50% to 10% over 60 s, 3 of 12 steps made, for ana`. PURE. */
function returningText({ kind, parts, step, steps, overSeconds, by }: ReturningView): string {
  const told = parts.map(({ cohort, from, to }) => {
    return `${cohort === undefined ? "" : `${cohort} `}from ${from}% to ${to}%`;
  });
  const end = kind === "rollback" ? ", to be rolled back then" : "";
  return `returning ${told.join(", ")} over ${overSeconds} s${end}: ${step} of ${steps} steps are made, for ${by}`;
}

/** Its warning, where there is one. PURE. */
export function returningWarnings(returning: ReturningView | undefined) {
  return returning === undefined ? [] : [{ code: "returning", text: returningText(returning) }];
}

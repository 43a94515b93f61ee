/** The money at risk on new, as it is shown, and what is said of it (zod). */
import * as z from "zod";
import type { Warning } from "../write.ts";

const minorUnits = z.int().min(0);

export const exposureView = z
  .object({
    openAmount: minorUnits.meta({
      description: "What the orders are worth that new has made and nobody has paid, in minor units",
    }),
    maxOpenAmount: minorUnits.meta({ description: "The cap of that" }),
    reopensAt: minorUnits.meta({ description: "From this amount down journeys begin on new again" }),
    currency: z.string().meta({ description: "ISO 4217" }),
    over: z.boolean().meta({ description: "New journeys go to legacy for it" }),
  })
  .meta({ description: "Absent: there is no cap on what is unpaid" });
type ExposureView = z.output<typeof exposureView>;

export function exposureViewOf(
  { isOver: over, ...amounts }: Omit<ExposureView, "currency" | "over"> & { readonly isOver: boolean },
  currency: string,
): ExposureView {
  return { ...amounts, currency, over };
}

/** `251000000 of at most 250000000 minor units of IDR`. */
export function exposureText({ openAmount, maxOpenAmount, currency }: ExposureView): string {
  return `${openAmount} of at most ${maxOpenAmount} minor units of ${currency}`;
}

export function exposureWarnings(view: ExposureView | undefined): Warning[] {
  if (!view?.over) return [];
  const text = `unpaid on new are ${exposureText(view)}: journeys and visits begin on legacy until it is ${view.reopensAt}`;
  return [{ code: "exposure_over", text }];
}

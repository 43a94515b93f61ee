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
    decimals: z
      .int()
      .optional()
      .meta({ description: "How many of the currency's decimals its minor units are: 2 of USD, 0 of JPY" }),
    over: z.boolean().meta({ description: "New journeys go to legacy for it" }),
  })
  .meta({ description: "Absent: there is no cap on what is unpaid" });
type ExposureView = z.output<typeof exposureView>;

export function exposureViewOf(
  {
    isOver: over,
    ...amounts
  }: Omit<ExposureView, "currency" | "decimals" | "over"> & { readonly isOver: boolean },
  { currency, decimals = 0 }: { readonly currency: string; readonly decimals?: number | undefined },
): ExposureView {
  return { ...amounts, currency, decimals: decimals > 0 ? decimals : usualDecimals(currency), over };
}

/** Told by the server: browsers do not agree, and one that took rupiah for a hundredth of them would be wrong by a hundred. */
function usualDecimals(currency: string): number {
  const format = new Intl.NumberFormat("en", { style: "currency", currency });
  return format.resolvedOptions().maximumFractionDigits ?? 2;
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

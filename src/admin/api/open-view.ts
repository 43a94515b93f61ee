/** What is open on each side, as the API shows it. */
import { z } from "zod";

const openSide = z.object({
  open: z.int(),
  atLeast: z.boolean().meta({ description: "As many as are kept are open: there may be more" }),
  oldestStartedAt: z.string().nullable().meta({ description: "RFC 3339; null when none is open" }),
});

const openSides = z.object({ legacy: openSide, new: openSide }).nullable();
export type OpenSides = z.output<typeof openSides>;

/** Of the whole fleet, the same on every instance. Null rather than old. */
export const openView = {
  journeys: openSides.meta({
    description:
      "Journeys under way, those voided by a hard rollback left out; null without journeys, and while the store can not tell",
  }),
  unfinished: openSides.meta({
    description:
      "Orders each side owns and no 2xx has finished; null where no route that ends a journey or takes a payment can name an order, and while the store can not tell",
  }),
};

export interface OpenView {
  readonly journeys: OpenSides;
  readonly unfinished: OpenSides;
}

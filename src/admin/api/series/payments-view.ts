/** How many of the journeys that began together are paid by now, of all instances, as the API tells it (zod). */
import * as z from "zod";

const side = z.object({
  begun: z.int().meta({ description: "Shoppers who began a journey" }),
  paid: z.int().meta({ description: "Those of them who have paid by now" }),
});

export const paymentsView = z
  .object({
    stepSeconds: z
      .int()
      .meta({ description: "How long a cohort begins: 60 of an hour, 300 of 3 h, 1800 of a day" }),
    cohorts: z.array(
      z.object({
        at: z.string().meta({ description: "RFC 3339: when its first began" }),
        legacy: side,
        new: side,
      }),
    ),
  })
  .meta({
    description:
      "Oldest first, of cutovers whose guard follows journeys. Of young ones many are still under way",
  });
export type PaymentsView = z.output<typeof paymentsView>;

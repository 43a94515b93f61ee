/** Who asks, as this instance knows it, and what time it is there. */
import { z } from "zod";
import { roles } from "../../state/rules/model.ts";

export const identity = z
  .object({
    name: z.string().meta({ description: "Stands in the history as by" }),
    role: z.enum(roles),
    instance: z.string(),
    version: z.string().meta({ description: "Of the program" }),
    serverTime: z.string().meta({ description: "RFC 3339, the instance's clock" }),
    storeTime: z.string().nullable().meta({ description: "RFC 3339, the store's clock; null: out of reach" }),
    storeMs: z.number().nullable().meta({ description: "How long the store took to answer" }),
  })
  .meta({
    examples: [
      {
        name: "ana",
        role: "operator",
        instance: "1f0c77ab",
        version: "0.1.0",
        serverTime: "2025-03-01T12:00:00.000Z",
        storeTime: "2025-03-01T12:00:00.002Z",
        storeMs: 0.8,
      },
    ],
  });
export type Identity = z.output<typeof identity>;

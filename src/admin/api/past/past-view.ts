/** How past requests with a key were decided (zod). */
import * as z from "zod";
import { sides } from "../../../state/rules/model.ts";

const time = z.string().meta({ description: "RFC 3339" });

const decision = z.object({
  at: time,
  side: z.enum(sides),
  reason: z.string().meta({ description: "The word of the decision order" }),
  version: z.int().meta({ description: "The cutover's" }),
  route: z.string(),
});

export const pastView = z
  .object({
    digest: z.string(),
    at: z.string().nullable().meta({ description: "RFC 3339; the time that was asked about" }),
    decided: decision
      .nullable()
      .meta({ description: "The last decision recorded up to then; null: none, or none was asked for" }),
    decisions: z.array(decision).meta({
      description: "The first ones and the last ones, each that is not as the one before",
    }),
    omitted: z.int().meta({ description: "How many are not kept, between the first half and the last" }),
    answered: z
      .object({ legacy: time.nullable(), new: time.nullable() })
      .meta({ description: "When each side last answered a request with the key that may change something" }),
    sentence: z.string().meta({ description: "For people, with what is not known" }),
  })
  .nullable()
  .default(null)
  .meta({
    description:
      "How past requests with the key were decided, as far as that was recorded; null when no key was asked about",
  });
export type PastView = NonNullable<z.output<typeof pastView>>;

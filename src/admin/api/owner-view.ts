/** Who owns a key, by the store and by each instance apart; and what puts it right (zod). */
import * as z from "zod";
import { sides } from "../../state/rules/model.ts";
import { cutoverName } from "./cutover-view.ts";
import { reasonSchema } from "./write.ts";

export const ownerPath = cutoverName.extend({
  key: z
    .string()
    .min(1)
    .max(512)
    .meta({ description: "An order's or an idempotency key, as the request carries it, decoded" }),
});

const side = z.enum(sides);
const time = z.string().nullable().meta({ description: "RFC 3339; null: not known" });
const record = z.object({
  side,
  since: time,
  until: time,
  tentative: z.boolean().meta({ description: "Its request has not been sent, or its instance is gone" }),
});

export const waitingOwner = z
  .object({
    side: side.nullable().meta({ description: "null: to be released" }),
    by: z.string(),
    reason: z.string(),
    at: z.string(),
    expiresAt: z.string(),
  })
  .meta({ description: "Made once another person asks for the same" });

const ownerBys = ["pattern", "fact", "claim", "nobody", "unknown"] as const;

export const ownerView = z
  .object({
    key: z.string(),
    side: side.nullable(),
    by: z.enum(ownerBys).meta({
      description:
        "`fact`: an answer of the side has named it, or a person; `claim`: the first request with it; `pattern`: its form; `unknown`: the store is out of reach",
    }),
    since: time,
    until: time,
    store: z
      .object({ fact: record.nullable(), claim: record.nullable() })
      .nullable()
      .meta({ description: "What stands in the store; null while that is out of reach" }),
    instances: z
      .array(
        z.object({
          id: z.string(),
          answered: z.boolean(),
          fact: side.nullable(),
          claim: side.nullable(),
          inFlight: z.int(),
          inDoubt: z.boolean(),
        }),
      )
      .meta({ description: "What each remembers and goes by; null: it asks the store" }),
    agree: z
      .boolean()
      .meta({ description: "Whether no instance goes by another side than stands in the store" }),
    waiting: waitingOwner.nullable(),
  })
  .meta({
    examples: [
      {
        key: "INV-7",
        side: "new",
        by: "fact",
        since: "2025-03-01T12:00:00.000Z",
        until: "2025-08-28T12:00:00.000Z",
        store: {
          fact: {
            side: "new",
            since: "2025-03-01T12:00:00.000Z",
            until: "2025-08-28T12:00:00.000Z",
            tentative: false,
          },
          claim: null,
        },
        instances: [
          { id: "7f5c1a52", answered: true, fact: "new", claim: null, inFlight: 0, inDoubt: false },
        ],
        agree: true,
        waiting: null,
      },
    ],
  });
export type OwnerView = z.output<typeof ownerView>;

export const ownerAnswer = ownerView.extend({
  changed: z.boolean(),
  applied: z
    .object({ instances: z.int(), of: z.int() })
    .meta({ description: "That go by it now, of those that live" }),
});
export type OwnerAnswer = z.output<typeof ownerAnswer>;

const force = z
  .boolean()
  .default(false)
  .meta({ description: "Although a request with the key is in flight or in doubt" });
export const putOwnerBody = z
  .strictObject({ side, reason: reasonSchema, force })
  .meta({ examples: [{ side: "new", reason: "order 7 is in marketplace" }] });
export const releaseOwnerBody = z
  .strictObject({ reason: reasonSchema, force })
  .meta({ examples: [{ reason: "never charged, by both" }] });

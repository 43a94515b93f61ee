/**
 * What a write is answered with (zod): where the cutover stands, on which instances that is in force, and by when it is
 * on the rest.
 */
import { z } from "zod";
import { stateNames } from "../../state/rules/model.ts";

/** `local`: this instance was told while the store was out of reach; the others may not know. */
export const scopes = ["fleet", "local"] as const;

const laggingInstance = z.object({
  id: z.string(),
  version: z.int().meta({ description: "The version it decided by when it was last heard of" }),
  seenAt: z.string().meta({ description: "RFC 3339, the store's clock" }),
  leaseEndsAt: z.string().nullable().meta({
    description:
      "From then on it certainly starts no new journey on new (`onStale: legacy`); null: cut off, it goes on by its last state",
  }),
});
export type LaggingInstance = z.output<typeof laggingInstance>;

export const writeAnswer = z
  .object({
    name: z.string(),
    percent: z.number(),
    state: z.enum(stateNames),
    version: z.int(),
    changed: z.boolean(),
    applied: z.object({
      instances: z.int().meta({ description: "Live instances that decide by this version" }),
      of: z.int().meta({ description: "Live instances" }),
      ms: z.number().meta({ description: "Milliseconds from the request's arrival to this answer" }),
      scope: z.enum(scopes).meta({
        description:
          "`local`: the store is out of reach, and this instance alone does as it was told; reconciled when the store is back",
      }),
      complete: z.boolean().meta({
        description:
          "Whether it is certain of every instance, silent ones included: by their leases' end for a lower or a rollback; a raise, a hold and a resume need the live ones only",
      }),
      completeBy: z.string().nullable().meta({
        description:
          "RFC 3339, the store's clock: complete everywhere at the latest then; null: not known, since an instance in `lagging` may go on by its last state",
      }),
      lagging: z
        .array(laggingInstance)
        .meta({ description: "Every known instance, live or silent, that may decide by an older version" }),
    }),
  })
  .meta({
    examples: [
      {
        name: "checkout",
        percent: 0,
        state: "rolled_back",
        version: 43,
        changed: true,
        applied: {
          instances: 5,
          of: 5,
          ms: 41.3,
          scope: "fleet",
          complete: false,
          completeBy: "2025-03-01T12:00:26.311Z",
          lagging: [
            {
              id: "1f0c77ab",
              version: 42,
              seenAt: "2025-03-01T11:59:56.311Z",
              leaseEndsAt: "2025-03-01T12:00:26.311Z",
            },
          ],
        },
      },
    ],
  });
export type WriteAnswer = z.output<typeof writeAnswer>;

/** A rollback or hold that goes straight to the store. */
export interface DirectWrite {
  /** redis://… or rediss://…, with what it takes to sign in. */
  readonly url: string;
  /** Of every key in the store. */
  readonly prefix: string;
  readonly name: string;
  readonly action: "rollback" | "rollback_hard" | "hold";
  readonly reason: string;
  readonly ifVersion?: number;
  readonly waitMs: number;
}

export type DirectAnswer =
  | { readonly kind: "answered"; readonly answer: WriteAnswer }
  /** By the rule book; `stands`: how the cutover does. */
  | {
      readonly kind: "refused";
      readonly code: string;
      readonly stands: Pick<WriteAnswer, "percent" | "state" | "version">;
    }
  /** Neither the store nor an instance has a cutover of that name. */
  | { readonly kind: "unknown_name"; readonly known: readonly string[] }
  | { readonly kind: "out_of_reach"; readonly why: string };

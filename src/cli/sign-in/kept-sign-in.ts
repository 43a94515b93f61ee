/** One sign-in, as it is kept in a file of its owner alone. */
import * as z from "zod";

export const keptSignIn = z.object({
  token: z.string(),
  /** Milliseconds since the epoch. */
  expiresAt: z.number(),
  /** What renews it, and where. */
  renewal: z
    .object({ issuer: z.string(), clientId: z.string(), audience: z.string(), refreshToken: z.string() })
    .optional(),
});
export type KeptSignIn = z.output<typeof keptSignIn>;

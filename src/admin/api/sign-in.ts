/** How somebody may sign in, which is told to whoever asks. */
import * as z from "zod";

export const signInWays = z
  .object({
    page: z.boolean().meta({ description: "Whether the page sends people to the issuer" }),
    cli: z
      .object({
        issuer: z.string(),
        clientId: z.string(),
        audience: z.string().meta({ description: "Must be among the token's" }),
        scope: z.string(),
        parameters: z.record(z.string(), z.string()),
      })
      .nullable()
      .meta({
        description: "What the command line asks the issuer for (RFC 8628); null: it has no client there",
      }),
  })
  .meta({
    examples: [
      {
        page: true,
        cli: {
          issuer: "https://id.example/realms/shop",
          clientId: "cutover-cli",
          audience: "cutover",
          scope: "openid",
          parameters: {},
        },
      },
    ],
  });

export type SignInWays = z.output<typeof signInWays>;

/** What the page says of a sign-in that came to nothing. */
const signInFailures = {
  denied: "The issuer did not let you in.",
  stale: "That sign-in was begun too long ago, or in another browser. Try again.",
  no_role: "You are known to the issuer, but nothing you are there gives you a role here.",
  unavailable: "The issuer is out of reach. A token of the configuration works.",
} as const;

export type SignInFailure = keyof typeof signInFailures;

/** @returns the sentence; `undefined` where that is no failure of ours */
export function signInFailureText(why: unknown): string | undefined {
  return Object.entries(signInFailures).find(([kind]) => kind === why)?.[1];
}

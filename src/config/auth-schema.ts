/** Who may talk to the admin API: tokens, and an OpenID Connect issuer, whose people sign in to the page and the CLI. */
import * as z from "zod";
import { block } from "./block.ts";
import * as value from "./single-values.ts";

const role = z.enum(["viewer", "responder", "operator", "admin"]);

export const token = block({ name: value.name, role, sha256: value.sha256 });

/** What the issuer knows this program as, and is asked for. */
const client = {
  clientId: z.string().min(1),
  scopes: z.array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, "expected a scope")).default(["openid"]),
  /** Further parameters of the request, such as `resource` or `audience`. */
  parameters: z.record(z.string().min(1), z.string()).default({}),
};

const oidc = block({
  /** As it stands in the tokens. */
  issuer: value.issuer,
  audience: z.string().min(1),
  /** The claim with one value or a list of them: its name, or the way to it as `/a/b`. */
  claim: z.string().min(1),
  /** What the values give; the highest counts. */
  roles: z
    .record(z.string().min(1), role)
    .refine((given) => Object.keys(given).length > 0, { error: "expected a mapping that is not empty" }),
  /** Where the issuer's keys are; without it, what the issuer itself says. */
  jwksUri: value.issuer.optional(),
  /** People sign in to the page at the issuer: code flow with PKCE. */
  page: block({
    ...client,
    /** Empty or left out: the client is public. */
    secret: z.string().default(""),
    /** The page's origin as browsers see it. */
    url: value.origin,
  }).optional(),
  /** And the command line: device flow. */
  cli: block(client).optional(),
});

export const auth = z.union(
  [
    z.literal("none"),
    block({ tokens: z.array(token).min(1).optional(), oidc: oidc.optional() }).refine(
      ({ tokens, oidc }) => tokens !== undefined || oidc !== undefined,
      { error: "expected tokens, oidc, or both" },
    ),
  ],
  { error: "expected none, or tokens: a list of { name, role, sha256 }, or oidc" },
);

export type AuthConfig = z.output<typeof auth>;
export type TokenConfig = z.output<typeof token>;
export type OidcConfig = z.output<typeof oidc>;

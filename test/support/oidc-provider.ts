/**
 * A certified OpenID provider (the package oidc-provider) on a free port of loopback, for tests of signing in: people are
 * told to it by name, and whoever names himself in its form is let in.
 */
import { createServer } from "node:http";
import { exportJWK, generateKeyPair } from "jose";
import Provider, { type ClientMetadata } from "oidc-provider";
import type { BrowserJar, Fetched } from "../../src/demo/storefronts/browser-jar.ts";

export interface TestProvider {
  readonly issuer: string;
  /** What everybody has of groups; by name. */
  readonly groups: Map<string, readonly string[]>;
  close(): Promise<void>;
}

interface ProviderOptions {
  readonly clients: readonly ClientMetadata[];
  /** The resource whose access tokens are JWTs for `cutover`; without it they are good for userinfo alone. */
  readonly resource?: string;
  /** Seconds that ID and access tokens are good for. */
  readonly lifetime?: number;
  /** Whether claims are in the ID token, and not in userinfo alone. */
  readonly inIdToken?: boolean;
}

export async function startProvider({
  clients,
  resource,
  lifetime = 3600,
  inIdToken = true,
}: ProviderOptions): Promise<TestProvider> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const issuer = `http://127.0.0.1:${address.port}`;
  const groups = new Map<string, readonly string[]>();
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const provider = new Provider(issuer, {
    clients: [...clients],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: "rsa", alg: "RS256", use: "sig" }] },
    cookies: { keys: ["a key of the test"] },
    claims: { openid: ["sub", "groups"] },
    conformIdTokenClaims: !inIdToken,
    pkce: { required: () => true },
    ttl: {
      AccessToken: lifetime,
      IdToken: lifetime,
      DeviceCode: 60,
      Session: 600,
      Grant: 600,
      Interaction: 600,
    },
    findAccount: (_, id) => ({
      accountId: id,
      claims: async () => ({ sub: id, groups: groups.get(id) ?? [] }),
    }),
    extraTokenClaims: (_, token) =>
      "accountId" in token ? { groups: groups.get(token.accountId ?? "") ?? [] } : {},
    features: {
      devInteractions: { enabled: true },
      deviceFlow: { enabled: true },
      resourceIndicators: {
        enabled: resource !== undefined,
        defaultResource: () => resource ?? "",
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: "openid",
          audience: "cutover",
          accessTokenFormat: "jwt",
          accessTokenTTL: lifetime,
          jwt: { sign: { alg: "RS256" } },
        }),
      },
    },
  });
  // Who waits at a terminal in a test asks more often than each 5 s.
  provider.use(async (context, next) => {
    await next();
    if (context.path === "/device/auth") Object.assign(Object(context.body), { interval: 0.2 });
  });
  server.on("request", provider.callback());
  return {
    issuer,
    groups,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** Fills in the provider's forms, as a person of that name who agrees to all, until it sends the browser elsewhere. */
export async function signInAs(
  jar: BrowserJar,
  { issuer }: TestProvider,
  name: string,
  start: Fetched,
): Promise<Fetched> {
  let visit = start;
  for (let form = 0; form < 5 && visit.url.startsWith(issuer); form += 1) {
    const [, action] = /<form[^>]* action="([^"]+)"/.exec(visit.text) ?? [];
    if (action === undefined) return visit;
    const isLogin = visit.text.includes('name="login"');
    const hidden = [...visit.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
    const fields = Object.fromEntries(hidden.map(([, key = "", value = ""]) => [key, value]));
    visit = await jar.visit(new URL(action, visit.url).href, {
      form: { ...fields, ...(isLogin ? { login: name, password: "any" } : {}) },
    });
  }
  return visit;
}

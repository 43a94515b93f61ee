/** An OpenID Connect issuer on loopback: its description, its keys, and tokens signed by them. */
import { createServer } from "node:http";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

export type Algorithm = "RS256" | "ES256" | "EdDSA" | "PS256";

export interface SigningKey {
  readonly kid: string;
  readonly alg: Algorithm;
  readonly privateKey: CryptoKeyLike;
  readonly jwk: Record<string, unknown>;
}
type CryptoKeyLike = Awaited<ReturnType<typeof generateKeyPair>>["privateKey"];

export async function makeKey(kid: string, alg: Algorithm): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg);
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}

export interface Issuer {
  readonly url: string;
  /** How often the keys were asked for. */
  readonly asked: { keys: number; description: number };
  /** What stands at the keys' address. */
  keys: readonly SigningKey[];
  /** Whether it answers nothing but 500. */
  failing: boolean;
  /** A token of a good shape for the audience `cutover`, an hour long, with the claims given over it. */
  sign(key: SigningKey, claims?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  close(): Promise<void>;
}

export async function startIssuer(keys: readonly SigningKey[]): Promise<Issuer> {
  const asked = { keys: 0, description: 0 };
  const state = { keys, failing: false };
  const server = createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    if (state.failing) {
      response.writeHead(500).end("{}");
    } else if (request.url === "/keys") {
      asked.keys += 1;
      response.end(JSON.stringify({ keys: state.keys.map(({ jwk }) => jwk) }));
    } else if (request.url === "/.well-known/openid-configuration") {
      asked.description += 1;
      response.end(JSON.stringify({ issuer: url, jwks_uri: `${url}/keys` }));
    } else response.writeHead(404).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the issuer has no port");
  const url = `http://127.0.0.1:${address.port}`;
  return {
    url,
    asked,
    get keys() {
      return state.keys;
    },
    set keys(next) {
      state.keys = next;
    },
    get failing() {
      return state.failing;
    },
    set failing(next) {
      state.failing = next;
    },
    sign: (key, claims = {}, header = {}) => {
      const now = Math.floor(Date.now() / 1000);
      const payload = { iss: url, aud: "cutover", sub: "ana", iat: now, exp: now + 3600, groups: ["sre"] };
      return new SignJWT({ ...payload, ...claims })
        .setProtectedHeader({ alg: key.alg, kid: key.kid, ...header })
        .sign(key.privateKey);
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

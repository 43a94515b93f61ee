/** People sign in to the page at a certified OpenID provider, which runs in the test. */
import { createServer } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { OidcConfig } from "../../../src/config/auth-schema.ts";
import {
  type BrowserJar,
  createBrowserJar,
  type Fetched,
} from "../../../src/demo/storefronts/browser-jar.ts";
import { freePort } from "../../support/free-port.ts";
import { signInAs, startProvider, type TestProvider } from "../../support/oidc-provider.ts";
import { eventually } from "../../support/until.ts";
import { cutovers, type Rig, startRig } from "./rig.ts";

let rig: Rig;
let provider: TestProvider;
let url: string;

const roles = { sre: "responder", leads: "operator" } as const;
const client = { grant_types: ["authorization_code", "refresh_token"], response_types: ["code" as const] };

function oidcFor({ issuer }: TestProvider, more: Partial<NonNullable<OidcConfig["page"]>> = {}): OidcConfig {
  const page = { clientId: "page", secret: "s3cret/+ %", scopes: ["openid"], parameters: {}, url, ...more };
  return { issuer, audience: "cutover", claim: "groups", roles, page };
}

/** How far the admin server's clock is ahead. */
const time = { aheadMs: 0 };

async function startAt(oidc: OidcConfig, port: number): Promise<void> {
  const clock = { now: () => Date.now() + time.aheadMs, monotonic: () => performance.now() + time.aheadMs };
  rig = await startRig({ auth: { oidc }, clock }, port);
}

beforeAll(async () => {
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const redirect_uris = [`${url}/sign-in/callback`];
  provider = await startProvider({
    resource: "urn:cutover",
    clients: [
      { ...client, client_id: "page", client_secret: "s3cret/+ %", redirect_uris },
      { ...client, client_id: "public", token_endpoint_auth_method: "none", redirect_uris },
    ],
  });
  provider.groups.set("ana", ["sre", "others"]);
  provider.groups.set("bob", ["others"]);
  await startAt(oidcFor(provider), port);
});
afterEach(() => {
  time.aheadMs = 0;
  rig.reconfigure({ cutovers, auth: { oidc: oidcFor(provider) } });
});
afterAll(async () => {
  await rig.close();
  await provider.close();
});

/** Up to where the provider sends the browser back. */
async function toCallback(jar: BrowserJar, name: string): Promise<string> {
  const start = await jar.visit(`${url}/sign-in`);
  expect(start.url, start.text).toMatch(provider.issuer);
  let back = "";
  const { request } = jar;
  const watching: BrowserJar = {
    ...jar,
    visit: (at, options) => jar.visit(at, { ...options, until: (next) => keepIf(next) }),
    request,
  };
  function keepIf(next: string): boolean {
    if (next.startsWith(`${url}/sign-in/callback`)) back = next;
    return back !== "";
  }
  await signInAs(watching, provider, name, start);
  expect(back).toContain("/sign-in/callback?");
  return back;
}

async function signIn(jar: BrowserJar, name: string): Promise<Fetched> {
  return signInAs(jar, provider, name, await jar.visit(`${url}/sign-in`));
}

describe("signing in at the issuer", () => {
  test("shows the page under one's name, on a path of one's own, with the role of one's groups", async () => {
    const jar = createBrowserJar();
    expect((await jar.visit(url)).text).toContain('href="/sign-in"');
    const page = await signIn(jar, "ana");
    expect(page.status).toBe(200);
    expect(new URL(page.url).pathname).toMatch(/^\/s\/[\w-]{22}\/$/);
    expect(page.text).toContain('data-who="oidc:ana"');
    const cookies = jar.all().filter(({ name }) => name.includes("cutover"));
    expect(cookies).toMatchObject([{ name: "cutover_session", path: new URL(page.url).pathname }]);
    const known = JSON.parse((await jar.request(`${page.url}api/v1/session`)).text);
    expect(known).toMatchObject({ name: "oidc:ana", role: "responder" });
    const left = Date.parse(known.expiresAt) - Date.now();
    expect(left).toBeGreaterThan(3_500_000);
    expect(left).toBeLessThan(3_640_000);
    const change = { method: "POST", headers: { "x-csrf-token": known.csrf } };
    expect((await jar.request(`${page.url}api/v1/cutovers/checkout/hold`, change)).status).toBe(200);
    expect(await rig.store.history("checkout", 1)).toMatchObject([{ by: "oidc:ana", via: "console" }]);
    expect(JSON.stringify(rig.lines)).not.toMatch(/s3cret|code=|eyJ/);
  });

  test("is by the code flow with PKCE, state and nonce, of which the browser cannot read a word", async () => {
    const jar = createBrowserJar();
    const sent = await jar.request(`${url}/sign-in`);
    const { searchParams } = new URL(sent.headers.get("location") ?? "");
    expect(Object.fromEntries(searchParams)).toMatchObject({
      response_type: "code",
      code_challenge_method: "S256",
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      state: expect.stringMatching(/^[\w-]{22}\.[\w-]{43}$/),
      redirect_uri: `${url}/sign-in/callback`,
    });
    const [kept] = jar.all();
    expect(kept).toMatchObject({
      name: "cutover_sign_in",
      path: expect.stringMatching(/^\/s\/[\w-]{22}\/$/),
    });
    const [head = ""] = (kept?.value ?? "").split(".");
    expect(Buffer.from(head, "base64url").toString()).toBe('{"alg":"dir","enc":"A256GCM"}');
    expect(sent.headers.get("set-cookie")).toMatch(/; HttpOnly; SameSite=Lax$/);
  });

  test("works for a client without a secret", async () => {
    const auth = { oidc: oidcFor(provider, { clientId: "public", secret: "" }) };
    rig.reconfigure({ cutovers, auth });
    expect((await signIn(createBrowserJar(), "ana")).text).toContain('data-who="oidc:ana"');
  });

  test("asks the issuer's userinfo for groups that are not in the ID token", async () => {
    const redirect_uris = [`${url}/sign-in/callback`];
    const public_ = { ...client, client_id: "public", token_endpoint_auth_method: "none" as const };
    const other = await startProvider({ inIdToken: false, clients: [{ ...public_, redirect_uris }] });
    other.groups.set("ana", ["leads"]);
    rig.reconfigure({ cutovers, auth: { oidc: oidcFor(other, { clientId: "public", secret: "" }) } });
    const jar = createBrowserJar();
    const page = await signInAs(jar, other, "ana", await jar.visit(`${url}/sign-in`));
    expect(JSON.parse((await jar.request(`${page.url}api/v1/session`)).text)).toMatchObject({
      name: "oidc:ana",
      role: "operator",
    });
    await other.close();
  });

  test("begins at the page's own address, by whichever name it was opened", async () => {
    const jar = createBrowserJar();
    const elsewhere = url.replace("127.0.0.1", "localhost");
    const page = await signInAs(jar, provider, "ana", await jar.visit(`${elsewhere}/sign-in`));
    expect(page.url.startsWith(`${url}/s/`)).toBe(true);
    expect(page.text).toContain('data-who="oidc:ana"');
    // Something between that names another host sends nobody in circles.
    expect((await createBrowserJar().visit(`${elsewhere}/sign-in?from=elsewhere`)).url).toContain(
      provider.issuer,
    );
  });

  test("lets nobody in whose groups give no role, and says so", async () => {
    const page = await signIn(createBrowserJar(), "bob");
    expect(page.url).toBe(`${url}/?sign-in=no_role`);
    expect(page.text).toContain("nothing you are there gives you a role here");
    expect(page.text).toContain('data-access="token"');
  });
});

test("who is let in for longer by the issuer stays signed in, as what he is there now; who is not, does not", async () => {
  provider.groups.set("eve", ["sre"]);
  const offline = { scopes: ["openid", "offline_access"], parameters: { prompt: "consent" } };
  rig.reconfigure({ cutovers, auth: { oidc: oidcFor(provider, offline) } });
  const jar = createBrowserJar();
  const { url: path } = await signIn(jar, "eve");
  const session = async () => jar.request(`${path}api/v1/session`);
  const known = JSON.parse((await session()).text);
  expect(known.role).toBe("responder");
  provider.groups.set("eve", ["leads"]);
  const touch = { headers: { "x-cutover-touched": "yes" } };
  for (let minutes = 10; minutes <= 60; minutes += 10) {
    time.aheadMs = minutes * 60_000;
    await jar.request(path, touch);
  }
  expect(JSON.parse((await session()).text)).toMatchObject({ role: "responder" });
  await eventually("the new role", async () => (await session()).text.includes("operator"), 5000);
  provider.groups.set("eve", []);
  time.aheadMs += 5000;
  await eventually("the end", async () => (await session()).status === 401, 5000);
});

describe("what comes back from the issuer", () => {
  test("counts for the browser that went there, once", async () => {
    const [ana, mallory] = [createBrowserJar(), createBrowserJar()];
    const back = await toCallback(ana, "ana");
    await mallory.visit(`${url}/sign-in`);
    expect((await mallory.visit(back)).url).toBe(`${url}/?sign-in=stale`);
    const kept = ana.all().find(({ name }) => name === "cutover_sign_in");
    expect((await ana.visit(back)).text).toContain('data-who="oidc:ana"');
    const again = await ana.visit(back);
    expect(again.url).toBe(`${url}/?sign-in=stale`);
    // Its cookie kept all the same: the issuer takes the code once.
    const next = await fetch(`${url}${kept?.path}sign-in/callback${new URL(back).search}`, {
      redirect: "manual",
      headers: { cookie: `cutover_sign_in=${kept?.value}` },
    });
    expect(next.headers.get("location")).toBe("/?sign-in=stale");
  });

  test("with another state, code or issuer, or the person's no, signs nobody in", async () => {
    for (const change of [
      (search: URLSearchParams) => search.set("code", "x"),
      (search: URLSearchParams) => search.set("iss", "https://evil.example"),
      (search: URLSearchParams) => search.set("state", `${search.get("state")}x`),
      (search: URLSearchParams) => search.delete("state"),
      (search: URLSearchParams) => {
        search.delete("code");
        search.set("error", "access_denied");
      },
    ]) {
      const jar = createBrowserJar();
      const back = new URL(await toCallback(jar, "ana"));
      change(back.searchParams);
      const page = await jar.visit(back.href);
      expect(page.url).toMatch(/\/\?sign-in=(?:denied|stale|unavailable)$/);
      expect(page.text).toContain('data-access="token"');
      expect(jar.all().map(({ name }) => name)).not.toContain("cutover_session");
    }
    const whys = rig.lines.flatMap(({ message, fields }) =>
      message === "a sign-in failed" ? fields.why : [],
    );
    expect(whys).toContain("at the issuer: access_denied");
  });

  test("is sent nowhere else, whatever its state says", async () => {
    for (const state of ["//evil.example", "..%2f..%2f", "a".repeat(22), "a".repeat(23), ""]) {
      const { headers } = await createBrowserJar().request(`${url}/sign-in/callback?state=${state}&code=x`);
      expect(headers.get("location")).toMatch(/^\/(?:\?sign-in=stale$|s\/a{22}\/sign-in\/callback\?)/);
    }
  });
});

test("an issuer out of reach is said on the page, where a token goes on working, and is asked once however many come", async () => {
  let asked = 0;
  const broken = createServer((_, response) => {
    asked += 1;
    response.writeHead(503).end();
  });
  await new Promise<void>((resolve) => broken.listen(0, "127.0.0.1", resolve));
  const address = broken.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const gone = { ...oidcFor(provider), issuer: `http://127.0.0.1:${address.port}` };
  rig.reconfigure({ cutovers, auth: { oidc: gone } });
  await Promise.all(Array.from({ length: 50 }, () => createBrowserJar().request(`${url}/sign-in`)));
  const page = await createBrowserJar().visit(`${url}/sign-in`);
  expect(page.url).toBe(`${url}/?sign-in=unavailable`);
  expect(page.text).toContain("The issuer is out of reach");
  expect(asked).toBe(1);
  broken.closeAllConnections();
  broken.close();
});

test("without a client there is no sign-in at the issuer, and what there is is told to all", async () => {
  const { page: _, ...bare } = oidcFor(provider);
  const cli = { clientId: "cli", scopes: ["openid", "groups"], parameters: { resource: "urn:cutover" } };
  rig.reconfigure({ cutovers, auth: { oidc: { ...bare, cli } } });
  expect((await createBrowserJar().request(`${url}/sign-in`)).status).toBe(404);
  const ways = JSON.parse((await createBrowserJar().request(`${url}/api/v1/sign-in`)).text);
  expect(ways).toEqual({
    page: false,
    cli: {
      issuer: provider.issuer,
      audience: "cutover",
      clientId: "cli",
      scope: "openid groups",
      parameters: { resource: "urn:cutover" },
    },
  });
});

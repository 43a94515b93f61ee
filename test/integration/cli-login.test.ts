/** `cutover login` at a certified OpenID provider, which runs in the test, and what the commands after it do. */
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createBrowserJar } from "../../src/demo/storefronts/browser-jar.ts";
import { signInAs, startProvider, type TestProvider } from "../support/oidc-provider.ts";
import { createPaperTerminal, runOnPaper } from "../support/paper-terminal.ts";
import { until } from "../support/until.ts";
import { cutovers, type Rig, startRig } from "./admin/rig.ts";

let provider: TestProvider;
let rig: Rig;
let home: string;

const roles = { sre: "responder" } as const;
const oidcFor = ({ issuer }: TestProvider, scopes = ["openid"]) => {
  return {
    issuer,
    audience: "cutover",
    claim: "groups",
    roles,
    cli: { clientId: "cli", scopes, parameters: {} },
  };
};

beforeAll(async () => {
  provider = await startProvider({
    resource: "urn:cutover",
    clients: [
      {
        client_id: "cli",
        token_endpoint_auth_method: "none",
        application_type: "native",
        grant_types: ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
        response_types: [],
        redirect_uris: [],
      },
    ],
  });
  provider.groups.set("ana", ["sre"]);
  rig = await startRig({ auth: { oidc: oidcFor(provider) } });
});
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "cutover-home-"));
});
afterEach(async () => {
  await rm(home, { recursive: true });
  rig.reconfigure({ cutovers, auth: { oidc: oidcFor(provider) } });
});
afterAll(async () => {
  await rig.close();
  await provider.close();
});

const env = () => ({ XDG_CONFIG_HOME: home, CUTOVER_ADMIN_URL: rig.url });
const file = () => join(home, "cutover", "sign-ins.json");
const run = (argv: readonly string[], more: Record<string, string> = {}) =>
  runOnPaper(argv, { env: { ...env(), ...more } });

/** Signs in as a person would who reads the terminal and goes to a browser. */
async function login(name: string, more: Record<string, string> = {}) {
  const terminal = createPaperTerminal();
  const running = runOnPaper(["login"], { env: { ...env(), ...more }, terminal });
  await until("the address", () => terminal.stderr().includes("Waiting for"));
  const [uri = ""] = /http\S+user_code=\S+/.exec(terminal.stderr()) ?? [];
  const [, code = ""] = /asks for it: (\S+)/.exec(terminal.stderr()) ?? [];
  expect(uri).toContain(code);
  const jar = createBrowserJar();
  const last = await signInAs(jar, provider, name, await jar.visit(uri));
  expect(last.text).toContain("Sign-in Success");
  return running;
}

test("keeps a token that all commands use, in a file of its owner alone; logout forgets it", async () => {
  const before = await run(["status"]);
  expect(before).toMatchObject({ code: 1 });
  expect(before.stderr).toContain("cutover login");
  const signedIn = await login("ana");
  expect(signedIn).toMatchObject({ code: 0 });
  expect(signedIn.stdout).toContain(`signed in to ${rig.url} as oidc:ana (responder) until `);
  expect((await stat(file())).mode & 0o777).toBe(0o600);
  const { [rig.url]: kept } = JSON.parse(await readFile(file(), "utf8"));
  expect(kept.token.split(".")).toHaveLength(3);
  expect(signedIn.stdout + signedIn.stderr).not.toContain("eyJ");

  expect((await run(["status"])).code).toBe(0);
  expect((await run(["rollback", "checkout"])).code).toBe(0);
  expect(await rig.store.history("checkout", 1)).toMatchObject([{ by: "oidc:ana", via: "api" }]);
  expect((await run(["status"], { CUTOVER_TOKEN: "wrong" })).code).toBe(1);
  // Another address is another admin API, which has no business with it.
  const elsewhere = rig.url.replace("127.0.0.1", "localhost");
  expect((await run(["status"], { CUTOVER_ADMIN_URL: elsewhere })).code).toBe(1);

  expect((await run(["logout"])).stdout).toContain("signed out of");
  expect(JSON.parse(await readFile(file(), "utf8"))).toEqual({});
  expect((await run(["status"])).code).toBe(1);
});

test("renews a token that has ended, where the issuer gave what renews it, by one command at a time", async () => {
  rig.reconfigure({ cutovers, auth: { oidc: oidcFor(provider, ["openid", "offline_access"]) } });
  expect((await login("ana")).code).toBe(0);
  const kept = JSON.parse(await readFile(file(), "utf8"));
  const old = kept[rig.url];
  expect(old.renewal).toMatchObject({ issuer: provider.issuer, clientId: "cli" });
  await writeFile(file(), JSON.stringify({ [rig.url]: { ...old, expiresAt: 1, token: "ended" } }));
  // What renews it is good for once: whoever used it twice would be signed out everywhere.
  const several = await Promise.all([run(["status"]), run(["status"]), run(["status"])]);
  expect(several.map(({ code }) => code)).toEqual([0, 0, 0]);
  const { [rig.url]: renewed } = JSON.parse(await readFile(file(), "utf8"));
  expect(renewed.token).not.toBe(old.token);
  expect((await stat(file())).mode & 0o777).toBe(0o600);
});

test("is for every address that is asked as one, which share what renews it", async () => {
  rig.reconfigure({ cutovers, auth: { oidc: oidcFor(provider, ["openid", "offline_access"]) } });
  const all = [rig.url, "http://127.0.0.1:1"];
  const fleet = { CUTOVER_ADMIN_URL: all.join(",") };
  expect((await login("ana", fleet)).code).toBe(0);
  const kept = JSON.parse(await readFile(file(), "utf8"));
  expect(Object.keys(kept).sort()).toEqual(all.toSorted());
  for (let time = 0; time < 2; time += 1) {
    const { [rig.url]: last } = JSON.parse(await readFile(file(), "utf8"));
    const ended = all.map((url) => [url, { ...last, expiresAt: 1, token: "ended" }] as const);
    await writeFile(file(), JSON.stringify(Object.fromEntries(ended)));
    expect((await run(["status"], fleet)).code).toBe(0);
  }
  expect((await run(["logout"], fleet)).stdout).toContain(all.join(", "));
});

test("keeps nothing of whom the API gives no role, nor of a sign-in that was interrupted", async () => {
  const stranger = await login("bob");
  expect(stranger).toMatchObject({ code: 1 });
  expect(stranger.stderr).toContain("gives no role here");
  const terminal = createPaperTerminal();
  const running = runOnPaper(["login"], { env: env(), terminal });
  await until("the address", () => terminal.stderr().includes("Waiting for"));
  terminal.stop();
  expect(await running).toMatchObject({ code: 1 });
  await expect(stat(file())).rejects.toThrow("ENOENT");
});

test("says what is missing: a client at the issuer, the issuer itself, the admin API", async () => {
  const { cli: _, ...none } = oidcFor(provider);
  rig.reconfigure({ cutovers, auth: { oidc: none } });
  expect((await run(["login"])).stderr).toContain("has no issuer for the command line");
  rig.reconfigure({ cutovers, auth: { oidc: { ...oidcFor(provider), issuer: "http://127.0.0.1:1" } } });
  expect((await run(["login"])).stderr).toContain("the issuer at http://127.0.0.1:1 is out of reach");
  const unknown = { clientId: "nobody", scopes: ["openid"], parameters: {} };
  rig.reconfigure({ cutovers, auth: { oidc: { ...oidcFor(provider), cli: unknown } } });
  expect((await run(["login"])).stderr).toContain("the issuer refused (invalid_client)");
  expect((await run(["login"], { CUTOVER_ADMIN_URL: "http://127.0.0.1:1" })).code).toBe(3);
});

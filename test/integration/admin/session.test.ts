/** Signing in to the page: a token for a cookie, and what the cookie alone does not allow. */
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Issuer, makeKey, startIssuer } from "../../support/issuer.ts";
import { type Rig, secretOf, startRig, tokens } from "./rig.ts";

let rig: Rig;
let issuer: Issuer | undefined;
afterEach(async () => {
  await rig.close();
  await issuer?.close();
  issuer = undefined;
});

const session = "/api/v1/session";
const hold = "/api/v1/cutovers/checkout/hold";
const view = z.strictObject({
  name: z.string(),
  role: z.string(),
  csrf: z.string().min(40),
  expiresAt: z.string(),
});

async function signIn(role: "viewer" | "responder", headers: Record<string, string> = {}) {
  const reply = await rig.call("POST", session, undefined, { role, headers });
  expect(reply.status, reply.text).toBe(200);
  const field = reply.headers.get("set-cookie") ?? "";
  return { field, cookie: field.split(";")[0] ?? "", ...view.parse(reply.json) };
}

describe("signing in", () => {
  test("trades a token for a cookie that no script reads and no other site sends", async () => {
    rig = await startRig({ auth: tokens });
    const { field, name, role } = await signIn("responder");
    expect({ name, role }).toEqual({ name: "ops-responder", role: "responder" });
    expect(field).toMatch(/^cutover_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    const behindTls = await signIn("responder", { "x-forwarded-proto": "https" });
    expect(behindTls.field).toMatch(
      /^__Host-cutover_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure$/,
    );
    expect(JSON.stringify(rig.lines)).not.toContain(secretOf("responder"));
  });

  test("shows the page and the API what the token would, under its name", async () => {
    rig = await startRig({ auth: tokens });
    const { cookie, csrf } = await signIn("responder");
    const headers = { cookie };
    expect((await rig.call("GET", "/", undefined, { headers })).text).toContain('data-who="ops-responder"');
    expect((await rig.call("GET", "/api/v1/cutovers", undefined, { headers })).status).toBe(200);
    const change = { headers: { cookie, "x-csrf-token": csrf } };
    expect((await rig.call("POST", hold, {}, change)).status).toBe(200);
    expect(await rig.store.history("checkout", 1)).toMatchObject([
      { by: "ops-responder", action: "hold", via: "console", requestId: expect.any(String) },
    ]);
    const raise = await rig.call(
      "PUT",
      "/api/v1/cutovers/checkout/percent",
      { percent: 1, reason: "x" },
      change,
    );
    expect(raise).toMatchObject({ status: 403, json: { code: "forbidden" } });
  });

  test("needs a token: neither none nor a session is one", async () => {
    rig = await startRig({ auth: tokens });
    const { cookie, csrf } = await signIn("viewer");
    const asked = [{}, { cookie, "x-csrf-token": csrf }, { authorization: "Bearer wrong" }];
    for (const headers of asked) {
      expect(await rig.call("POST", session, undefined, { headers })).toMatchObject({ status: 401 });
    }
  });

  test("lasts no longer than the issuer's token", async () => {
    const key = await makeKey("ec", "ES256");
    issuer = await startIssuer([key]);
    const oidc = {
      issuer: issuer.url,
      audience: "cutover",
      claim: "groups",
      roles: { sre: "viewer" },
    } as const;
    rig = await startRig({ auth: { oidc } });
    const exp = Math.floor(Date.now() / 1000) + 300;
    const headers = { authorization: `Bearer ${await issuer.sign(key, { exp })}` };
    const { expiresAt } = view.parse((await rig.call("POST", session, undefined, { headers })).json);
    expect(Date.parse(expiresAt)).toBe((exp + 30) * 1000);
  });
});

describe("the cookie alone", () => {
  test("changes nothing, with another session's CSRF token neither", async () => {
    rig = await startRig({ auth: tokens });
    const [mine, other] = [await signIn("responder"), await signIn("responder")];
    for (const more of [{}, { "x-csrf-token": "" }, { "x-csrf-token": other.csrf }]) {
      const headers = { cookie: mine.cookie, ...more };
      expect(await rig.call("POST", hold, {}, { headers })).toMatchObject({ status: 403 });
      expect(await rig.call("DELETE", session, undefined, { headers })).toMatchObject({ status: 403 });
    }
    expect(await rig.store.history("checkout", 1)).toEqual([]);
    const foreign = { cookie: mine.cookie, "x-csrf-token": mine.csrf, origin: "https://attacker.example" };
    expect(await rig.call("POST", hold, {}, { headers: foreign })).toMatchObject({ status: 403 });
  });

  test("does not stand in for a token that is wrong", async () => {
    rig = await startRig({ auth: tokens });
    const { cookie } = await signIn("viewer");
    const headers = { cookie, authorization: "Bearer wrong" };
    for (const path of ["/", "/api/v1/cutovers"]) {
      expect(await rig.call("GET", path, undefined, { headers })).toMatchObject({ status: 401 });
    }
  });
});

describe("signing out", () => {
  test("ends the session, here and in the browser", async () => {
    rig = await startRig({ auth: tokens });
    const { cookie, csrf } = await signIn("viewer");
    const known = await rig.call("GET", session, undefined, { headers: { cookie } });
    expect(known.json).toMatchObject({ name: "ops-viewer", csrf });
    const headers = { cookie, "x-csrf-token": csrf };
    const out = await rig.call("DELETE", session, undefined, { headers });
    expect(out.status).toBe(204);
    expect(out.headers.get("set-cookie")).toMatch(/^cutover_session=;.*Max-Age=0$/);
    expect((await rig.call("GET", session, undefined, { headers })).status).toBe(401);
    const page = await rig.call("GET", "/", undefined, { headers });
    expect(page.status).toBe(200);
    expect(page.text).toContain('data-access="token"');
    expect(page.text).not.toContain("ops-viewer");
  });

  test("is not found without a session", async () => {
    rig = await startRig({ auth: tokens });
    expect(await rig.call("DELETE", session, undefined, { role: "viewer" })).toMatchObject({ status: 404 });
    expect(await rig.call("GET", session, undefined, { role: "viewer" })).toMatchObject({ status: 404 });
  });
});

/** Bearer tokens of an OpenID Connect issuer, which is a real server on loopback. */
import { createHmac } from "node:crypto";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { createOidc } from "../../../src/admin/access/oidc.ts";
import { systemClock } from "../../../src/base/clock.ts";
import type { OidcConfig } from "../../../src/config/auth-schema.ts";
import { type Issuer, makeKey, type SigningKey, startIssuer } from "../../support/issuer.ts";
import { createRecordedLog } from "../../support/recorded-log.ts";
import { type Rig, startRig, tokens } from "./rig.ts";

let rsa: SigningKey;
let ec: SigningKey;
let ed: SigningKey;
let issuer: Issuer;
let rig: Rig | undefined;

beforeAll(async () => {
  [rsa, ec, ed] = await Promise.all([
    makeKey("rsa", "RS256"),
    makeKey("ec", "ES256"),
    makeKey("ed", "EdDSA"),
  ]);
});
afterEach(async () => {
  await rig?.close();
  rig = undefined;
  await issuer.close();
});

const roles = { sre: "responder", leads: "operator", readers: "viewer" } as const;
const configFor = ({ url }: Issuer, more: Partial<OidcConfig> = {}): OidcConfig => {
  return { issuer: url, audience: "cutover", claim: "groups", roles, ...more };
};

/** With a clock that the test sets forward. */
async function verifier(more: Partial<OidcConfig> = {}, cooldownMs = 30_000) {
  issuer = await startIssuer([rsa, ec, ed]);
  const time = { aheadMs: 0 };
  const clock = { now: () => Date.now() + time.aheadMs, monotonic: () => performance.now() + time.aheadMs };
  const log = createRecordedLog();
  return { time, log, oidc: createOidc(configFor(issuer, more), { clock, log, cooldownMs }) };
}

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

describe("a token of the issuer", () => {
  test("signed by any of RS256, ES256 and EdDSA gives its subject and the highest role of its claim", async () => {
    const { oidc } = await verifier();
    for (const key of [rsa, ec, ed]) {
      const token = await issuer.sign(key, { groups: ["readers", "leads", "sre", "others"] });
      expect(await oidc.verify(token)).toMatchObject({
        kind: "known",
        actor: { name: "oidc:ana", role: "operator" },
      });
    }
    expect(await oidc.verify(await issuer.sign(ec, { groups: "sre" }))).toMatchObject({
      actor: { role: "responder" },
    });
    expect(issuer.asked).toEqual({ keys: 1, description: 1 });
  });

  test("has its claim found by a way of several names", async () => {
    const { oidc } = await verifier({ claim: "/realm_access/roles" });
    const token = await issuer.sign(ec, { realm_access: { roles: ["leads"] } });
    expect(await oidc.verify(token)).toMatchObject({ actor: { role: "operator" } });
    expect(await oidc.verify(await issuer.sign(ec))).toEqual({ kind: "no_role" });
  });

  test("without a role, or for a claim of another kind, gives none", async () => {
    const { oidc } = await verifier();
    for (const groups of [[], ["strangers"], "sre2", 5, { sre: true }, null, ["toString", "__proto__"]]) {
      expect(await oidc.verify(await issuer.sign(ec, { groups }))).toEqual({ kind: "no_role" });
    }
  });

  test("is refused past its time, before it, for another audience, of another issuer, and without a subject", async () => {
    const { oidc } = await verifier();
    const now = Math.floor(Date.now() / 1000);
    const wrong: Record<string, Record<string, unknown>> = {
      expired: { exp: now - 31 },
      "not yet": { nbf: now + 60 },
      "no end": { exp: undefined },
      audience: { aud: "grafana" },
      "no audience": { aud: undefined },
      issuer: { iss: "https://issuer.example" },
      "no subject": { sub: undefined },
      "a subject of two lines": { sub: "ana\nadmin" },
      "too long a subject": { sub: "a".repeat(256) },
    };
    for (const [label, claims] of Object.entries(wrong)) {
      const verdict = await oidc.verify(await issuer.sign(ec, claims));
      expect({ label, kind: verdict.kind }).toEqual({ label, kind: "invalid" });
    }
    for (const right of [{ exp: now - 25 }, { nbf: now + 25 }, { aud: ["grafana", "cutover"] }]) {
      expect((await oidc.verify(await issuer.sign(ec, right))).kind).toBe("known");
    }
  });

  test("is refused with no signature, one by a shared secret, or one under another algorithm", async () => {
    const { oidc } = await verifier();
    const good = await issuer.sign(rsa);
    const [, payload = "", signature = ""] = good.split(".");
    const head = (alg: string) => encoded({ alg, kid: "rsa" });
    const hmac = (alg: string, secret: string) => {
      const signed = `${head(alg)}.${payload}`;
      return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
    };
    const pss = await makeKey("rsa", "PS256");
    const forged = [
      `${head("none")}.${payload}.`,
      `${head("None")}.${payload}.${signature}`,
      // The public key taken for the secret of an HMAC (RFC 8725 §2.1).
      hmac("HS256", JSON.stringify(rsa.jwk)),
      hmac("HS256", String(rsa.jwk.n)),
      `${head("ES256")}.${payload}.${signature}`,
      await issuer.sign(pss),
      await issuer.sign({ ...ec, kid: "rsa" }),
      await issuer.sign({ ...(await makeKey("rsa", "RS256")) }),
      // Its own key in the head.
      await issuer.sign(await makeKey("own", "ES256"), {}, { jwk: (await makeKey("own", "ES256")).jwk }),
      good.slice(0, -8),
      `${encoded({ alg: "RS256", kid: "rsa" })}.${encoded({ iss: issuer.url, aud: "cutover", exp: 9e9 })}.${signature}`,
      "a.b.c",
      "",
    ];
    for (const [at, token] of forged.entries()) {
      const { kind } = await oidc.verify(token);
      expect({ at, kind }).toEqual({ at, kind: "invalid" });
    }
    expect((await oidc.verify(good)).kind).toBe("known");
  });

  test("by a new key is good as soon as the issuer shows the key, by one taken away no longer", async () => {
    const { oidc, time } = await verifier({}, 0);
    issuer.keys = [rsa];
    expect((await oidc.verify(await issuer.sign(rsa))).kind).toBe("known");
    expect((await oidc.verify(await issuer.sign(ec))).kind).toBe("invalid");
    issuer.keys = [ec];
    expect((await oidc.verify(await issuer.sign(ec))).kind).toBe("known");
    expect((await oidc.verify(await issuer.sign(rsa))).kind).toBe("invalid");
    // Without an unknown key it is noticed after 10 minutes, beside a request.
    issuer.keys = [ed];
    time.aheadMs += 11 * 60_000;
    await oidc.verify(await issuer.sign(ec));
    await expect.poll(async () => (await oidc.verify(await issuer.sign(ec))).kind).toBe("invalid");
  });

  test("is looked up without the network, and an unknown key is searched for once in the cooldown", async () => {
    const { oidc } = await verifier();
    const good = await issuer.sign(ec);
    const unknown = await issuer.sign(await makeKey("unknown", "ES256"));
    for (let at = 0; at < 20; at += 1) {
      expect((await oidc.verify(good)).kind).toBe("known");
      expect((await oidc.verify(unknown)).kind).toBe("invalid");
    }
    expect(issuer.asked).toEqual({ keys: 1, description: 1 });
  });
});

describe("an issuer out of reach", () => {
  test("leaves it unknown whether a token is good, and is not asked again before 5 s", async () => {
    const { oidc, time, log } = await verifier();
    issuer.failing = true;
    const token = await issuer.sign(ec);
    for (let at = 0; at < 5; at += 1) {
      expect(await oidc.verify(token)).toEqual({ kind: "issuer_unavailable" });
    }
    expect(log.lines).toHaveLength(1);
    issuer.failing = false;
    expect((await oidc.verify(token)).kind).toBe("issuer_unavailable");
    time.aheadMs += 5000;
    expect((await oidc.verify(token)).kind).toBe("known");
  });

  test("does not unmake the keys that are known; what is wrong by them is wrong", async () => {
    const { oidc, time } = await verifier({}, 0);
    const token = await issuer.sign(ec);
    expect((await oidc.verify(token)).kind).toBe("known");
    issuer.failing = true;
    const unknown = await issuer.sign(await makeKey("unknown", "ES256"));
    expect((await oidc.verify(unknown)).kind).toBe("issuer_unavailable");
    expect((await oidc.verify(unknown)).kind).toBe("issuer_unavailable");
    expect((await oidc.verify(token)).kind).toBe("known");
    expect((await oidc.verify(`${token.slice(0, -8)}AAAAAAAA`)).kind).toBe("invalid");
    time.aheadMs += 11 * 60_000;
    expect((await oidc.verify(token)).kind).toBe("known");
    expect((await oidc.verify(token)).kind).toBe("known");
  });

  test("that describes itself as another is not believed", async () => {
    issuer = await startIssuer([ec]);
    const other = issuer.url.replace("127.0.0.1", "localhost");
    const clock = { now: () => Date.now(), monotonic: () => performance.now() };
    const oidc = createOidc({ ...configFor(issuer), issuer: other }, { clock, log: createRecordedLog() });
    expect((await oidc.verify(await issuer.sign(ec, { iss: other }))).kind).toBe("issuer_unavailable");
  });
});

describe("the admin API", () => {
  const withToken = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

  test("knows who asks by the token's subject, and lets the role do what it may", async () => {
    issuer = await startIssuer([ec]);
    rig = await startRig({ auth: { oidc: configFor(issuer) } });
    const responder = withToken(await issuer.sign(ec, { sub: "ana@example" }));
    const stranger = withToken(await issuer.sign(ec, { groups: [] }));
    const raise = { percent: 5, reason: "step 1" };
    const path = "/api/v1/cutovers/checkout";
    expect(await rig.call("PUT", `${path}/percent`, raise, responder)).toMatchObject({ status: 403 });
    expect((await rig.call("POST", `${path}/hold`, {}, responder)).status).toBe(200);
    expect(await rig.store.history("checkout", 1)).toMatchObject([
      { by: "oidc:ana@example", action: "hold" },
    ]);
    expect((await rig.call("GET", path, undefined, stranger)).json).toMatchObject({ code: "forbidden" });
    const expired = withToken(await issuer.sign(ec, { exp: 1 }));
    expect((await rig.call("GET", path, undefined, expired)).status).toBe(401);
    expect(JSON.stringify(rig.lines)).not.toContain("eyJ");
  });

  test("lets a right token in from an address that sends wrong ones, forged ones of the issuer too", async () => {
    issuer = await startIssuer([ec]);
    const still = { ...systemClock, monotonic: () => 0 };
    rig = await startRig({ auth: { oidc: configFor(issuer) }, clock: still });
    const right = await issuer.sign(ec);
    const forged = `${right.slice(0, -8)}AAAAAAAA`;
    const path = "/api/v1/cutovers";
    const statuses = async (token: string) =>
      (await rig?.call("GET", path, undefined, withToken(token)))?.status;
    for (let at = 0; at < 10; at += 1) expect(await statuses(at % 2 === 0 ? "guess" : forged)).toBe(401);
    for (let at = 0; at < 5; at += 1) {
      expect(await statuses("guess")).toBe(429);
      expect(await statuses(forged)).toBe(429);
      // Of the same person, at another time: never seen before.
      expect(await statuses(await issuer.sign(ec, { jti: String(at) }))).toBe(200);
    }
    const hold = await rig.call("POST", `${path}/checkout/rollback`, {}, withToken(right));
    expect(hold.status).toBe(200);
  });

  test("answers 503 to an issuer's token without its keys, and goes on with the configuration's", async () => {
    issuer = await startIssuer([ec]);
    rig = await startRig({ auth: { ...(tokens === "none" ? {} : tokens), oidc: configFor(issuer) } });
    const token = withToken(await issuer.sign(ec));
    issuer.failing = true;
    const refused = await rig.call("GET", "/api/v1/cutovers", undefined, token);
    expect(refused).toMatchObject({ status: 503, json: { code: "issuer_unavailable" } });
    expect(refused.headers.get("retry-after")).toBe("5");
    expect(
      (await rig.call("POST", "/api/v1/cutovers/checkout/rollback", {}, { role: "responder" })).status,
    ).toBe(200);
  });
});

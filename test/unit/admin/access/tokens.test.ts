import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createGate, type Gate } from "../../../../src/admin/access/gate.ts";
import { isLoopbackHost } from "../../../../src/admin/access/tokens.ts";
import { Refused } from "../../../../src/admin/problem.ts";
import type { AuthConfig } from "../../../../src/config/schema.ts";
import { createManualTime } from "../../../support/manual-time.ts";
import { createRecordedLog } from "../../../support/recorded-log.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const auth = {
  tokens: [
    { name: "ops-1", role: "operator", sha256: sha256("first") },
    { name: "ops-2", role: "viewer", sha256: sha256("second") },
  ],
} satisfies AuthConfig;

function gateOf(to: AuthConfig = auth) {
  const clock = createManualTime();
  const log = createRecordedLog();
  return { clock, log, gate: createGate({ auth: to, clock, log }) };
}

function ask(gate: Gate, authorization: string | undefined, more: { remote?: string; method?: string } = {}) {
  const headers = authorization === undefined ? {} : { authorization };
  return gate.admit({ method: "GET", remote: "10.0.0.1", ...more, headers });
}

async function refusalOf(
  gate: Gate,
  authorization: string | undefined,
  remote = "10.0.0.1",
): Promise<readonly unknown[]> {
  const error: unknown = await ask(gate, authorization, { remote }).catch((thrown: unknown) => thrown);
  return error instanceof Refused ? [error.code, error.headers["www-authenticate"]] : [error];
}

describe("a token", () => {
  test("is known by its SHA-256 and gives name and role", async () => {
    const { gate } = gateOf();
    expect(await ask(gate, "Bearer first")).toEqual({ actor: { name: "ops-1", role: "operator" } });
    expect(await ask(gate, "Bearer second")).toEqual({ actor: { name: "ops-2", role: "viewer" } });
  });

  test("comes under a scheme of any case (RFC 9110 §11.1)", async () => {
    const { gate } = gateOf();
    for (const scheme of ["bearer ", "BEARER  "]) {
      expect((await ask(gate, `${scheme}first`)).actor.name).toBe("ops-1");
    }
  });

  test("that is not known is refused as invalid (RFC 6750 §3.1)", async () => {
    const { gate } = gateOf();
    const invalid = ["unauthenticated", 'Bearer realm="cutover", error="invalid_token"'];
    expect(await refusalOf(gate, "Bearer First")).toEqual(invalid);
    expect(await refusalOf(gate, `Bearer ${sha256("first")}`)).toEqual(invalid);
  });

  test("that is missing is asked for without an error code (RFC 6750 §3.1)", async () => {
    const { gate } = gateOf();
    const missing = ["unauthenticated", 'Bearer realm="cutover"'];
    for (const none of [undefined, "", "Bearer", "Bearer ", "Basic first", "first", "Bearer first second"]) {
      expect(await refusalOf(gate, none)).toEqual(missing);
    }
  });
});

describe("failing again and again", () => {
  test("is answered with 429 after 10, and one more is looked into every 3 s", async () => {
    const { gate, clock } = gateOf();
    const codes: unknown[] = [];
    for (let at = 0; at < 12; at += 1) codes.push((await refusalOf(gate, `Bearer guess-${at}`))[0]);
    expect(codes).toEqual([...Array(10).fill("unauthenticated"), "too_many_attempts", "too_many_attempts"]);
    const limited: unknown = await ask(gate, "Bearer x").catch((error: unknown) => error);
    expect(limited).toMatchObject({ code: "too_many_attempts", headers: { "retry-after": "3" } });
    await clock.advance(3000);
    expect((await refusalOf(gate, "Bearer once-more"))[0]).toBe("unauthenticated");
    expect((await refusalOf(gate, "Bearer again"))[0]).toBe("too_many_attempts");
  });

  test("is known before anything else is looked at, and counted in the address's next line", async () => {
    const { gate, clock, log } = gateOf();
    expect(gate.blockedForSeconds("Bearer guess", "10.0.0.1")).toBe(0);
    for (let at = 0; at < 10; at += 1) await refusalOf(gate, "Bearer guess", "10.0.0.1");
    for (let at = 0; at < 500; at += 1) expect(gate.blockedForSeconds("Bearer guess", "10.0.0.1")).toBe(3);
    expect(gate.blockedForSeconds("Bearer first", "10.0.0.1")).toBe(0);
    expect(gate.blockedForSeconds("Basic guess", "10.0.0.1")).toBe(0);
    expect(gate.blockedForSeconds("Bearer guess", "10.0.0.2")).toBe(0);
    const before = log.lines.length;
    await clock.advance(3000);
    expect(gate.blockedForSeconds("Bearer guess", "10.0.0.1")).toBe(0);
    await refusalOf(gate, "Bearer guess", "10.0.0.1");
    expect(log.lines[before]?.fields).toMatchObject({ remote: "10.0.0.1", refused: 500 });
  });

  test("keeps out neither another address nor whoever has a right token, whatever the address", async () => {
    const { gate } = gateOf();
    for (let at = 0; at < 20; at += 1) await refusalOf(gate, "Bearer guess");
    expect((await refusalOf(gate, "Bearer guess", "10.0.0.2"))[0]).toBe("unauthenticated");
    expect((await ask(gate, "Bearer first")).actor.name).toBe("ops-1");
  });

  test("is not counted for a request that brings no token at all", async () => {
    const { gate } = gateOf();
    for (let at = 0; at < 20; at += 1) {
      expect((await refusalOf(gate, undefined))[0]).toBe("unauthenticated");
    }
  });

  test("is logged with the address and never the token, and not without bound", async () => {
    const { gate, log } = gateOf();
    for (let at = 0; at < 500; at += 1) await refusalOf(gate, "Bearer hunter2", `10.0.${at % 250}.9`);
    expect(log.lines.length).toBeGreaterThan(20);
    expect(log.lines.length).toBeLessThanOrEqual(51);
    expect(log.lines[0]).toMatchObject({ fields: { remote: "10.0.0.9" }, message: "a sign-in failed" });
    expect(JSON.stringify(log.lines)).not.toContain("hunter2");
  });
});

describe("a session", () => {
  const cookie = (id: string) => ({ cookie: `theme=dark; cutover_session=${id}` });

  test("admits what reads, and a change only with its CSRF token", async () => {
    const { gate } = gateOf();
    const { id, session } = gate.sessions.begin({ name: "ana", role: "operator" });
    const asking = { remote: "10.0.0.1", headers: cookie(id) };
    expect(await gate.admit({ ...asking, method: "GET" })).toEqual({ actor: session.actor, session });
    for (const wrong of [{}, { "x-csrf-token": "" }, { "x-csrf-token": id }]) {
      const change = gate.admit({ ...asking, method: "POST", headers: { ...cookie(id), ...wrong } });
      await expect(change).rejects.toMatchObject({ code: "forbidden" });
    }
    const headers = { ...cookie(id), "x-csrf-token": session.csrf };
    expect((await gate.admit({ ...asking, method: "POST", headers })).actor.name).toBe("ana");
  });

  test("is none under an id that was not given out, twice named, or ended", async () => {
    const { gate } = gateOf();
    const { id } = gate.sessions.begin({ name: "ana", role: "viewer" });
    const found = (text: string) => gate.sessionOf({ cookie: text });
    expect(found(`cutover_session=${id}`)).toBeDefined();
    expect(found("cutover_session=x")).toBeUndefined();
    expect(found(`cutover_session=x; cutover_session=${id}`)).toBeUndefined();
    gate.sessions.end(id);
    expect(found(`cutover_session=${id}`)).toBeUndefined();
  });

  test("ends 15 minutes after its last use, 8 hours after its begin, and with the token it came of", async () => {
    const { gate, clock } = gateOf();
    const actor = { name: "ana", role: "viewer" } as const;
    const idle = gate.sessions.begin(actor);
    await clock.advance(15 * 60_000 - 1);
    expect(gate.sessions.find(idle.id)).toBeDefined();
    await clock.advance(15 * 60_000);
    expect(gate.sessions.find(idle.id)).toBeUndefined();
    const busy = gate.sessions.begin(actor);
    for (let quarter = 0; quarter < 8 * 6 - 1; quarter += 1) {
      await clock.advance(10 * 60_000);
      expect(gate.sessions.find(busy.id)).toBeDefined();
    }
    await clock.advance(10 * 60_000);
    expect(gate.sessions.find(busy.id)).toBeUndefined();
    const short = gate.sessions.begin(actor, clock.now() + 60_000);
    await clock.advance(60_000);
    expect(gate.sessions.find(short.id)).toBeUndefined();
  });

  test("makes room for the next of the same name, and of all", () => {
    const { gate } = gateOf();
    const open = (name: string) => gate.sessions.begin({ name, role: "viewer" }).id;
    const [first = "", ...others] = Array.from({ length: 9 }, () => open("ana"));
    expect(gate.sessions.find(first)).toBeUndefined();
    expect(others.every((id) => gate.sessions.find(id) !== undefined)).toBe(true);
    for (let at = 0; at < 400; at += 1) open(`ops-${at}`);
    expect(gate.sessions.size()).toBe(256);
  });

  test("ends when the configuration's tokens change, and only then", () => {
    const { gate } = gateOf();
    const { id } = gate.sessions.begin({ name: "ops-2", role: "viewer" });
    gate.reconfigure(structuredClone(auth));
    expect(gate.sessions.find(id)).toBeDefined();
    gate.reconfigure({ tokens: auth.tokens.slice(0, 1) });
    expect(gate.sessions.find(id)).toBeUndefined();
  });
});

describe("auth: none", () => {
  test("makes everybody an anonymous admin", async () => {
    expect(await ask(gateOf("none").gate, undefined)).toEqual({
      actor: { name: "anonymous", role: "admin" },
    });
  });
});

describe("a loopback host", () => {
  test("is one that only this machine reaches", () => {
    for (const host of ["localhost", "LocalHost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"]) {
      expect([host, isLoopbackHost(host)]).toEqual([host, true]);
    }
    const others = [
      "",
      "0.0.0.0",
      "::",
      "[::]",
      "10.0.0.1",
      "127.0.0.1.example",
      "localhost.example",
      "127.1",
    ];
    for (const host of others) expect([host, isLoopbackHost(host)]).toEqual([host, false]);
  });
});

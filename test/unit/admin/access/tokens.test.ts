import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createGate, type Gate } from "../../../../src/admin/access/gate.ts";
import { isLoopbackHost } from "../../../../src/admin/access/tokens.ts";
import { Refused } from "../../../../src/admin/problem.ts";
import type { AuthConfig } from "../../../../src/config/auth-schema.ts";
import { createManualTime } from "../../../support/manual-time.ts";
import { createRecordedLog } from "../../../support/recorded-log.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const one = { name: "ops-1", role: "operator", sha256: sha256("first") } as const;
const two = { name: "ops-2", role: "viewer", sha256: sha256("second") } as const;
const auth = { tokens: [one, two] } satisfies AuthConfig;

function gateOf(to: AuthConfig = auth) {
  const clock = createManualTime();
  const log = createRecordedLog();
  return { clock, log, gate: createGate({ auth: to, clock, log }) };
}

async function ask(gate: Gate, authorization: string | undefined, more: { remote?: string } = {}) {
  const headers = authorization === undefined ? {} : { authorization };
  const { isOver, ...admitted } = await gate.admit({ remote: "10.0.0.1", ...more, headers });
  expect(isOver()).toBe(false);
  return admitted;
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

test("a token that was taken away, renamed or given another role is over where it was let in", async () => {
  const { gate } = gateOf();
  const open = () => gate.admit({ remote: "10.0.0.1", headers: { authorization: "Bearer first" } });
  for (const tokens of [[two], [{ ...one, name: "ops-3" }], [{ ...one, role: "viewer" as const }]]) {
    const { isOver } = await open();
    gate.reconfigure({ tokens: [...tokens, { ...two, sha256: sha256("other") }] });
    expect(isOver()).toBe(true);
    gate.reconfigure(auth);
  }
  const { isOver } = await open();
  gate.reconfigure({ tokens: [one] });
  expect(isOver()).toBe(false);
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

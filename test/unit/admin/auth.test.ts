import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createAuthenticator, isLoopbackHost } from "../../../src/admin/auth.ts";
import { Refused } from "../../../src/admin/problem.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const who = createAuthenticator({
  tokens: [
    { name: "ops-1", role: "operator", sha256: sha256("first") },
    { name: "ops-2", role: "viewer", sha256: sha256("second") },
  ],
});

function refusalOf(authorization: string | undefined): unknown {
  try {
    return who.authenticate(authorization);
  } catch (error) {
    return error instanceof Refused ? [error.code, error.headers["www-authenticate"]] : error;
  }
}

describe("a token", () => {
  it("is known by its SHA-256 and gives name and role", () => {
    expect(who.authenticate("Bearer first")).toEqual({ name: "ops-1", role: "operator" });
    expect(who.authenticate("Bearer second")).toEqual({ name: "ops-2", role: "viewer" });
  });

  it("comes under a scheme of any case (RFC 9110 §11.1)", () => {
    expect(who.authenticate("bearer first").name).toBe("ops-1");
    expect(who.authenticate("BEARER  first").name).toBe("ops-1");
  });

  it("that is not known is refused as invalid (RFC 6750 §3.1)", () => {
    const invalid = ["unauthenticated", 'Bearer realm="cutover", error="invalid_token"'];
    expect(refusalOf("Bearer First")).toEqual(invalid);
    expect(refusalOf(`Bearer ${sha256("first")}`)).toEqual(invalid);
  });

  it("that is missing is asked for without an error code (RFC 6750 §3.1)", () => {
    const missing = ["unauthenticated", 'Bearer realm="cutover"'];
    for (const none of [undefined, "", "Bearer", "Bearer ", "Basic first", "first", "Bearer first second"]) {
      expect(refusalOf(none)).toEqual(missing);
    }
  });
});

describe("auth: none", () => {
  it("makes everybody an anonymous admin", () => {
    expect(createAuthenticator("none").authenticate(undefined)).toEqual({ name: "anonymous", role: "admin" });
  });
});

describe("a loopback host", () => {
  it("is one that only this machine reaches", () => {
    for (const host of ["localhost", "LocalHost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"]) {
      expect([host, isLoopbackHost(host)]).toEqual([host, true]);
    }
    for (const host of [
      "",
      "0.0.0.0",
      "::",
      "[::]",
      "10.0.0.1",
      "127.0.0.1.example",
      "localhost.example",
      "127.1",
    ]) {
      expect([host, isLoopbackHost(host)]).toEqual([host, false]);
    }
  });
});
